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

const counter = (name: string, unit: Unit, labels: MetricSpec['labels'] = [], pointsMax = 1): MetricSpec => ({
  name,
  kind: 'counter',
  unit,
  labels,
  pointsMax,
});
const gauge = (...of: Parameters<typeof counter>): MetricSpec => ({ ...counter(...of), kind: 'gauge' });
const histogram = (
  name: string,
  unit: Unit,
  labels: MetricSpec['labels'],
  pointsMax: number,
  bounds: readonly number[],
): MetricSpec => ({ ...counter(name, unit, labels, pointsMax), kind: 'histogram', bounds });

/** What each means: metric-help.ts. */
export const METRICS = {
  decisions: counter('tollgate.decisions', '{decision}', [A.outcome, A.reason, A.route, A.requestModel, A.class], 800),
  decisionDuration: histogram('tollgate.decision.duration', 's', [A.outcome], 2, DECISION_BOUNDS),
  stepDuration: histogram('tollgate.decision.step.duration', 's', [A.step], 4, DECISION_BOUNDS),
  checkFaults: counter('tollgate.check.faults', '{check}', [A.fault], 16),
  tlsTurnedAway: counter('tollgate.tls.turned_away', '{connection}', [A.listener, A.fault], 12),
  checksShed: counter('tollgate.check.shed', '{check}', [A.class], 16),
  mode: gauge('tollgate.mode', '{mode}', [A.mode], 4),
  ends: counter('tollgate.usage.ends', '{call}', [A.end, A.route, A.requestModel], 200),
  attempts: counter('tollgate.usage.attempts', '{attempt}', [A.route, A.requestModel], 100),
  tokens: counter('tollgate.usage.tokens', '{token}', [A.meter, A.route, A.requestModel], 300),
  charge: counter('tollgate.usage.charge', '{currency}', [A.currency, A.route, A.requestModel], 100),
  cost: counter('tollgate.usage.cost', '{currency}', [A.currency, A.route, A.requestModel], 100),
  flags: counter('tollgate.usage.flags', '{call}', [A.flag], 16),
  tokenUsage: histogram('gen_ai.client.token.usage', '{token}', [...GEN_AI, A.tokenType], 30, TOKEN_BOUNDS),
  callDuration: histogram('gen_ai.client.operation.duration', 's', [...GEN_AI, A.errorType], 20, CALL_BOUNDS),
  accountDecisions: counter('tollgate.account.decisions', '{decision}', [A.account, A.outcome], 1002),
  accountTokens: counter('tollgate.account.tokens', '{token}', [A.account], 501),
  accountCharge: counter('tollgate.account.charge', '{currency}', [A.currency, A.account], 501),
  accountCost: counter('tollgate.account.cost', '{currency}', [A.currency, A.account], 501),
  credentialCalls: counter('tollgate.credential.calls', '{call}', [A.credential], 501),
  credentialCharge: counter('tollgate.credential.charge', '{currency}', [A.currency, A.credential], 501),
  limitChecks: counter('tollgate.limit.checks', '{decision}', [A.limit], 200),
  limitRefusals: counter('tollgate.limit.refusals', '{decision}', [A.limit], 200),
  limitSteps: counter('tollgate.limit.steps', '{decision}', [A.limit], 200),
  limitWarnings: counter('tollgate.limit.warnings', '{crossing}', [A.limit], 200),
  budgetSpent: gauge('tollgate.budget.spent', '1', [A.limit, A.account], 200),
  ledgerQueue: gauge('tollgate.ledger.queue', '{row}'),
  ledgerCommits: counter('tollgate.ledger.commits', '{commit}'),
  ledgerFailing: gauge('tollgate.ledger.failing', '{commit}'),
  ledgerRows: counter('tollgate.ledger.rows', '{row}', [A.outcome], 16),
  ledgerDrift: counter('tollgate.ledger.drift', '{currency}'),
  anomalies: counter('tollgate.anomalies', '{anomaly}', [A.fault], 24),
  reservationsOpen: gauge('tollgate.reservations.open', '{call}'),
  counters: gauge('tollgate.counters', '{counter}'),
  countersMax: gauge('tollgate.counters.max', '{counter}'),
  policyInfo: gauge('tollgate.policy.info', '{policy}', [A.policyVersion, A.priceVersion], 1),
  policyLoadTime: gauge('tollgate.policy.load_time', 's'),
  policyReloads: counter('tollgate.policy.reloads', '{reload}', [A.outcome], 3),
  policyRefused: gauge('tollgate.policy.refused', '{policy}'),
  startTime: gauge('tollgate.process.start_time', 's'),
  heapUsed: gauge('tollgate.heap.used', 'By'),
  heapLimit: gauge('tollgate.heap.limit', 'By'),
  loopDelayP99: gauge('nodejs.eventloop.delay.p99', 's'),
  loopDelayMax: gauge('nodejs.eventloop.delay.max', 's'),
  telemetryItems: counter('tollgate.telemetry.items', '{item}', [A.signal, A.outcome], 16),
  telemetryQueue: gauge('tollgate.telemetry.queue', '{item}', [A.signal], 4),
  telemetrySeries: gauge('tollgate.telemetry.series', '{series}'),
  telemetryOverflows: counter('tollgate.telemetry.overflows', '{record}'),
  telemetryFaults: counter('tollgate.telemetry.faults', '{fault}'),
  logDropped: counter('tollgate.log.dropped', '{line}'),
} satisfies Readonly<Record<string, MetricSpec>>;
export type MetricKey = keyof typeof METRICS;

const SUFFIX: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes', '1': '_ratio' };

/** What Prometheus calls it, as OpenTelemetry's compatibility page says: unit, then `_total` of a counter. */
export function prometheusName({ name, kind, unit }: MetricSpec): string {
  return `${name.replace(/[^A-Za-z0-9]/g, '_')}${SUFFIX[unit] ?? ''}${kind === 'counter' ? '_total' : ''}`;
}
