/**
 * The one file of names that telemetry and its readers share: metrics, attributes, spans, events, with their units and
 * bounds. Every room may import it. GenAI names are those of OpenTelemetry's semantic conventions 1.41, the last release
 * that had them; `tollgate.*` where it has none.
 */

/** Levels of the log, the loudest first; `silent` writes nothing. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Schema that the names of other people are of. */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.41.0';
/** Name of the service, and of the instrumentation scope. */
export const SERVICE = 'tollgate';

/** What a decision passes, in order; `read` is claims, body, entitlement and plan. */
export const STEPS = ['identify', 'read', 'reserve', 'conclude'] as const;
export type Step = (typeof STEPS)[number];

/** How Tollgate decides now: as it should; without a part it needs; by a policy that was to be replaced; not at all. */
export const MODES = ['normal', 'degraded', 'stale', 'closed'] as const;
export type Mode = (typeof MODES)[number];

/** What finance must see of an end: flags of the ledger's ends. */
export const FLAGS = [
  'cost_missing',
  'hold_differs',
  'model_mismatch',
  'price_missing',
  'unknown_model',
  'unpriced_model',
  'usage_faulty',
  'withdrawn',
] as const;

/** Why a Check did not end as decided. */
export const CHECK_FAULTS = ['undecodable', 'malformed', 'failed', 'late', 'cancelled'] as const;

/** What is exported. */
export const SIGNALS = ['traces', 'metrics', 'logs'] as const;
export type Signal = (typeof SIGNALS)[number];

/** Label of everything that has no series of its own. */
export const OTHER = 'other';
/** Label where there is nothing to name: no route was found, no model asked for. */
export const NONE = 'none';

export const ATTRIBUTE = {
  account: 'tollgate.account',
  attempts: 'tollgate.attempts',
  charge: 'tollgate.charge',
  class: 'tollgate.class',
  code: 'tollgate.code',
  cost: 'tollgate.cost',
  credential: 'tollgate.credential',
  currency: 'tollgate.currency',
  decision: 'tollgate.decision.id',
  durationMs: 'tollgate.duration_ms',
  end: 'tollgate.end',
  fault: 'tollgate.fault',
  flag: 'tollgate.flag',
  limit: 'tollgate.limit',
  listener: 'tollgate.listener',
  meter: 'tollgate.meter',
  mode: 'tollgate.mode',
  outcome: 'tollgate.outcome',
  policyVersion: 'tollgate.policy.version',
  priceVersion: 'tollgate.price.version',
  reason: 'tollgate.reason',
  route: 'tollgate.route',
  run: 'tollgate.run',
  signal: 'tollgate.signal',
  step: 'tollgate.step',
  suppressed: 'tollgate.suppressed',
  overflow: 'otel.metric.overflow',
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  requestStream: 'gen_ai.request.stream',
  responseModel: 'gen_ai.response.model',
  tokenType: 'gen_ai.token.type',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cacheReadTokens: 'gen_ai.usage.cache_read.input_tokens',
  cacheWriteTokens: 'gen_ai.usage.cache_creation.input_tokens',
  reasoningTokens: 'gen_ai.usage.reasoning.output_tokens',
  status: 'http.response.status_code',
  errorType: 'error.type',
  serviceName: 'service.name',
  serviceVersion: 'service.version',
  serviceInstance: 'service.instance.id',
} as const;
export type Attribute = (typeof ATTRIBUTE)[keyof typeof ATTRIBUTE];

/** Names of log records, OpenTelemetry's `event_name`. */
export const EVENT = {
  /** A call ended: who, what, how long, how much. */
  usage: 'tollgate.usage',
  /** A call of a known caller was refused. */
  denial: 'tollgate.denial',
  /** A line of the log, by its code. */
  log: 'tollgate.log',
} as const;

/** Names of spans. That of a call to the provider is `{operation} {model}`, as GenAI's conventions ask. */
export const SPAN = { check: 'tollgate.check' } as const;

/**
 * GenAI's word for what a dialect does, where it has one.
 */
export const OPERATION: ReadonlyMap<string, string> = new Map([
  ['openai-chat', 'chat'],
  ['openai-responses', 'chat'],
  ['openai-completions', 'text_completion'],
  ['openai-embeddings', 'embeddings'],
  ['anthropic-messages', 'chat'],
  ['azure-openai', 'chat'],
  ['bedrock-converse', 'chat'],
  ['gemini', 'generate_content'],
]);

export type Unit = 's' | 'By' | '1' | `{${string}}`;

/** One metric. `pointsMax`: sets of labels that it may have; the rest is one more, with the attribute `overflow`. */
export interface MetricSpec {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly unit: Unit;
  readonly help: string;
  readonly labels: readonly Attribute[];
  readonly pointsMax: number;
  /** Upper bounds of a histogram's buckets, ascending. */
  readonly bounds?: readonly number[];
}

const A = ATTRIBUTE;

/** From 10 µs to 1 s. */
const DECISION_BOUNDS = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
];
/** As GenAI's conventions advise. */
const TOKEN_BOUNDS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864];
/** As GenAI's conventions advise, and three more, for calls that reason. */
const CALL_BOUNDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36,
];
const GEN_AI = [A.operation, A.provider, A.requestModel, A.responseModel];

export const METRICS = {
  decisions: {
    name: 'tollgate.decisions',
    kind: 'counter',
    unit: '{decision}',
    help: 'Decisions by outcome and reason, the served model, and the class that the caller is bound to',
    labels: [A.outcome, A.reason, A.route, A.requestModel, A.class],
    pointsMax: 800,
  },
  decisionDuration: {
    name: 'tollgate.decision.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Time from a decoded Check to its decision',
    labels: [A.outcome],
    pointsMax: 2,
    bounds: DECISION_BOUNDS,
  },
  stepDuration: {
    name: 'tollgate.decision.step.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Time of each step of a decision, of one in 16 and of all that are traced',
    labels: [A.step],
    pointsMax: 4,
    bounds: DECISION_BOUNDS,
  },
  checkFaults: {
    name: 'tollgate.check.faults',
    kind: 'counter',
    unit: '{check}',
    help: 'Checks that did not end as decided: late, cancelled, undecodable, malformed, failed',
    labels: [A.fault],
    pointsMax: 16,
  },
  tlsTurnedAway: {
    name: 'tollgate.tls.turned_away',
    kind: 'counter',
    unit: '{connection}',
    help: 'Connections that a listener with `tls` did not let in: unproved, name, protocol, handshake',
    labels: [A.listener, A.fault],
    pointsMax: 12,
  },
  checksShed: {
    name: 'tollgate.check.shed',
    kind: 'counter',
    unit: '{check}',
    help: 'Checks refused because the process is too busy',
    labels: [A.class],
    pointsMax: 16,
  },
  mode: {
    name: 'tollgate.mode',
    kind: 'gauge',
    unit: '{mode}',
    help: '1 for the mode that decisions are made in, 0 for the others',
    labels: [A.mode],
    pointsMax: 4,
  },
  ends: {
    name: 'tollgate.usage.ends',
    kind: 'counter',
    unit: '{call}',
    help: 'Allowed calls by how they ended; `unreconciled` ones were charged their estimate',
    labels: [A.end, A.route, A.requestModel],
    pointsMax: 200,
  },
  attempts: {
    name: 'tollgate.usage.attempts',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Attempts at a provider',
    labels: [A.route, A.requestModel],
    pointsMax: 100,
  },
  tokens: {
    name: 'tollgate.usage.tokens',
    kind: 'counter',
    unit: '{token}',
    help: 'Tokens by meter; `reasoning` lies inside `output`',
    labels: [A.meter, A.route, A.requestModel],
    pointsMax: 300,
  },
  charge: {
    name: 'tollgate.usage.charge',
    kind: 'counter',
    unit: '{currency}',
    help: 'What customers are charged',
    labels: [A.currency, A.route, A.requestModel],
    pointsMax: 100,
  },
  cost: {
    name: 'tollgate.usage.cost',
    kind: 'counter',
    unit: '{currency}',
    help: 'What providers bill for it',
    labels: [A.currency, A.route, A.requestModel],
    pointsMax: 100,
  },
  flags: {
    name: 'tollgate.usage.flags',
    kind: 'counter',
    unit: '{call}',
    help: 'Ends with something that finance must see, such as a model without a price',
    labels: [A.flag],
    pointsMax: 16,
  },
  tokenUsage: {
    name: 'gen_ai.client.token.usage',
    kind: 'histogram',
    unit: '{token}',
    help: 'Input (caches included) and output tokens of a call',
    labels: [...GEN_AI, A.tokenType],
    pointsMax: 30,
    bounds: TOKEN_BOUNDS,
  },
  callDuration: {
    name: 'gen_ai.client.operation.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of a call, from its first byte to its last as the gateway saw them',
    labels: [...GEN_AI, A.errorType],
    pointsMax: 20,
    bounds: CALL_BOUNDS,
  },
  accountDecisions: {
    name: 'tollgate.account.decisions',
    kind: 'counter',
    unit: '{decision}',
    help: 'Decisions by account',
    labels: [A.account, A.outcome],
    pointsMax: 1002,
  },
  accountTokens: {
    name: 'tollgate.account.tokens',
    kind: 'counter',
    unit: '{token}',
    help: 'Input and output tokens by account',
    labels: [A.account],
    pointsMax: 501,
  },
  accountCharge: {
    name: 'tollgate.account.charge',
    kind: 'counter',
    unit: '{currency}',
    help: 'What an account is charged',
    labels: [A.currency, A.account],
    pointsMax: 501,
  },
  accountCost: {
    name: 'tollgate.account.cost',
    kind: 'counter',
    unit: '{currency}',
    help: 'What providers bill for an account',
    labels: [A.currency, A.account],
    pointsMax: 501,
  },
  credentialCalls: {
    name: 'tollgate.credential.calls',
    kind: 'counter',
    unit: '{call}',
    help: 'Ended calls by API key',
    labels: [A.credential],
    pointsMax: 501,
  },
  credentialCharge: {
    name: 'tollgate.credential.charge',
    kind: 'counter',
    unit: '{currency}',
    help: 'What the calls of an API key are charged',
    labels: [A.currency, A.credential],
    pointsMax: 501,
  },
  limitChecks: {
    name: 'tollgate.limit.checks',
    kind: 'counter',
    unit: '{decision}',
    help: 'Decisions that a limit was asked in; every limit of the policy is there from the start',
    labels: [A.limit],
    pointsMax: 200,
  },
  limitRefusals: {
    name: 'tollgate.limit.refusals',
    kind: 'counter',
    unit: '{decision}',
    help: 'Decisions that a limit refused',
    labels: [A.limit],
    pointsMax: 200,
  },
  limitSteps: {
    name: 'tollgate.limit.steps',
    kind: 'counter',
    unit: '{decision}',
    help: 'Decisions that a limit turned to a cheaper model',
    labels: [A.limit],
    pointsMax: 200,
  },
  limitWarnings: {
    name: 'tollgate.limit.warnings',
    kind: 'counter',
    unit: '{crossing}',
    help: 'Warning thresholds of a limit that were crossed',
    labels: [A.limit],
    pointsMax: 200,
  },
  budgetSpent: {
    name: 'tollgate.budget.spent',
    kind: 'gauge',
    unit: '1',
    help: 'Share of a money limit that was spent when it was last asked; 0 once its window is over',
    labels: [A.limit, A.account],
    pointsMax: 200,
  },
  ledgerQueue: {
    name: 'tollgate.ledger.queue',
    kind: 'gauge',
    unit: '{row}',
    help: 'Ledger rows that wait for the disk',
    labels: [],
    pointsMax: 1,
  },
  ledgerCommits: {
    name: 'tollgate.ledger.commits',
    kind: 'counter',
    unit: '{commit}',
    help: 'Group commits of the ledger',
    labels: [],
    pointsMax: 1,
  },
  ledgerFailing: {
    name: 'tollgate.ledger.failing',
    kind: 'gauge',
    unit: '{commit}',
    help: 'Commits that failed in a row, up to now',
    labels: [],
    pointsMax: 1,
  },
  ledgerRows: {
    name: 'tollgate.ledger.rows',
    kind: 'counter',
    unit: '{row}',
    help: 'Ledger rows by what became of them; `lost`, `rejected` and `conflict` should stay 0',
    labels: [A.outcome],
    pointsMax: 16,
  },
  ledgerDrift: {
    name: 'tollgate.ledger.drift',
    kind: 'counter',
    unit: '{currency}',
    help: 'Money by which counters and ledger differ, added up over the ends of calls; should stay 0',
    labels: [],
    pointsMax: 1,
  },
  anomalies: {
    name: 'tollgate.anomalies',
    kind: 'counter',
    unit: '{anomaly}',
    help: 'What should never happen, by kind; the log says more',
    labels: [A.fault],
    pointsMax: 24,
  },
  reservationsOpen: {
    name: 'tollgate.reservations.open',
    kind: 'gauge',
    unit: '{call}',
    help: 'Allowed calls that have not ended',
    labels: [],
    pointsMax: 1,
  },
  counters: {
    name: 'tollgate.counters',
    kind: 'gauge',
    unit: '{counter}',
    help: 'Counters in memory',
    labels: [],
    pointsMax: 1,
  },
  countersMax: {
    name: 'tollgate.counters.max',
    kind: 'gauge',
    unit: '{counter}',
    help: 'Counters that may be in memory (`counters_max`)',
    labels: [],
    pointsMax: 1,
  },
  policyInfo: {
    name: 'tollgate.policy.info',
    kind: 'gauge',
    unit: '{policy}',
    help: '1, with the versions of policy and prices in force',
    labels: [A.policyVersion, A.priceVersion],
    pointsMax: 1,
  },
  policyLoadTime: {
    name: 'tollgate.policy.load_time',
    kind: 'gauge',
    unit: 's',
    help: 'When the policy in force was loaded, seconds since 1970',
    labels: [],
    pointsMax: 1,
  },
  policyReloads: {
    name: 'tollgate.policy.reloads',
    kind: 'counter',
    unit: '{reload}',
    help: 'Policies that were loaded, and that were refused',
    labels: [A.outcome],
    pointsMax: 2,
  },
  policyRefused: {
    name: 'tollgate.policy.refused',
    kind: 'gauge',
    unit: '{policy}',
    help: '1 while the files on disk are refused and an older policy is in force',
    labels: [],
    pointsMax: 1,
  },
  startTime: {
    name: 'tollgate.process.start_time',
    kind: 'gauge',
    unit: 's',
    help: 'When the process started, seconds since 1970',
    labels: [],
    pointsMax: 1,
  },
  heapUsed: {
    name: 'tollgate.heap.used',
    kind: 'gauge',
    unit: 'By',
    help: 'Used heap of JavaScript',
    labels: [],
    pointsMax: 1,
  },
  heapLimit: {
    name: 'tollgate.heap.limit',
    kind: 'gauge',
    unit: 'By',
    help: 'Largest heap of JavaScript; beyond it the process ends',
    labels: [],
    pointsMax: 1,
  },
  loopDelayP99: {
    name: 'nodejs.eventloop.delay.p99',
    kind: 'gauge',
    unit: 's',
    help: '99th percentile of the event loop’s delay since the last reading',
    labels: [],
    pointsMax: 1,
  },
  loopDelayMax: {
    name: 'nodejs.eventloop.delay.max',
    kind: 'gauge',
    unit: 's',
    help: 'Longest delay of the event loop since the last reading',
    labels: [],
    pointsMax: 1,
  },
  telemetryItems: {
    name: 'tollgate.telemetry.items',
    kind: 'counter',
    unit: '{item}',
    help: 'Spans, log records and exports of metrics by what became of them: sent, dropped for want of room, failed, rejected',
    labels: [A.signal, A.outcome],
    pointsMax: 16,
  },
  telemetryQueue: {
    name: 'tollgate.telemetry.queue',
    kind: 'gauge',
    unit: '{item}',
    help: 'Spans and log records that wait to be sent',
    labels: [A.signal],
    pointsMax: 4,
  },
  telemetrySeries: {
    name: 'tollgate.telemetry.series',
    kind: 'gauge',
    unit: '{series}',
    help: 'Time series that this process exposes; at most 5000',
    labels: [],
    pointsMax: 1,
  },
  telemetryOverflows: {
    name: 'tollgate.telemetry.overflows',
    kind: 'counter',
    unit: '{record}',
    help: 'Measurements that went to a metric’s overflow series',
    labels: [],
    pointsMax: 1,
  },
  telemetryFaults: {
    name: 'tollgate.telemetry.faults',
    kind: 'counter',
    unit: '{fault}',
    help: 'Measurements that could not be taken',
    labels: [],
    pointsMax: 1,
  },
  logDropped: {
    name: 'tollgate.log.dropped',
    kind: 'counter',
    unit: '{line}',
    help: 'Lines of the log that stderr did not take',
    labels: [],
    pointsMax: 1,
  },
} as const satisfies Readonly<Record<string, MetricSpec>>;
export type MetricKey = keyof typeof METRICS;

const SUFFIX: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes', '1': '_ratio' };

/** What Prometheus calls it, as OpenTelemetry's compatibility page says: unit, then `_total` of a counter. */
export function prometheusName({ name, kind, unit }: MetricSpec): string {
  return `${name.replace(/[^A-Za-z0-9]/g, '_')}${SUFFIX[unit] ?? ''}${kind === 'counter' ? '_total' : ''}`;
}
