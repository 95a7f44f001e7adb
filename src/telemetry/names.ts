/** The one file of names: metrics with their units, and attributes of log events. GenAI conventions where they exist, `tollgate.*` where not. */

/** Instruments. The unit is UCUM, as OpenTelemetry writes it; times are seconds. */
export const METRICS = {
  decisions: { name: 'tollgate.decisions', unit: '{decision}', says: 'decisions by outcome, reason kind and route' },
  decisionDuration: {
    name: 'tollgate.decision.duration',
    unit: 's',
    says: 'time from the decoded request to the answer',
  },
  identityRefusals: {
    name: 'tollgate.identity.refusals',
    unit: '{request}',
    says: 'requests whose credential was refused, by reason',
  },
  logSuppressed: {
    name: 'tollgate.log.suppressed',
    unit: '{event}',
    says: 'log events held back by the rate limit of their code',
  },
  policyReloads: { name: 'tollgate.policy.reloads', unit: '{reload}', says: 'bundle reloads by result' },
  usageTokens: { name: 'gen_ai.client.token.usage', unit: '{token}', says: 'tokens of ended requests by token type' },
} as const satisfies Record<string, { readonly name: string; readonly unit: string; readonly says: string }>;

/** Attributes. Values are bounded: policy ids and closed unions, never what a client wrote. */
export const ATTRIBUTES = {
  account: 'tollgate.account',
  class: 'tollgate.class',
  credential: 'tollgate.credential.id',
  decisionId: 'tollgate.decision.id',
  limit: 'tollgate.limit',
  mode: 'tollgate.mode',
  outcome: 'tollgate.outcome',
  policyVersion: 'tollgate.policy.version',
  provider: 'gen_ai.provider.name',
  reason: 'tollgate.reason',
  requestedModel: 'gen_ai.request.model',
  responseModel: 'gen_ai.response.model',
  route: 'tollgate.route',
  tokenType: 'gen_ai.token.type',
} as const satisfies Record<string, string>;
