import type { Quantities } from '../core/units.ts';
import { NO_QUANTITIES } from '../core/units.ts';
import type { Dialect, ReportedUsage } from '../dialects/dialect.ts';
import type { Hold } from '../ledger/hold.ts';
import type { EndKind } from '../ledger/ledger.ts';
import type { LogEntry } from './entry.ts';
import { isFaulty } from './usage.ts';

/** How one admitted request ended, in tokens; prices come later. Exactly one kind for every request (docs/money.md). */
export interface Ending {
  readonly kind: Extract<EndKind, 'released' | 'settled' | 'estimated' | 'failed'>;
  readonly quantities: Quantities;
  /** The model that the provider says answered; undefined: it did not say. */
  readonly answeredModel: string | undefined;
  readonly flags: readonly string[];
}

const NO_USAGE: ReportedUsage = Object.freeze({ model: undefined, quantities: undefined, faulty: false });

/**
 * Judges an `end` entry by the hold of its decision. `dialect` is the hold's; undefined where the route has none. A hold
 * without a model is of a route that is not metered: whatever its answer reports is nobody's tokens. Pure.
 *
 * In this order: nothing sent upstream → released; usage reported → settled, whatever the status; usage that cannot be
 * → estimated; no byte of an answer → estimated without output; the provider refused → failed; else estimated from
 * what came.
 */
export function endOf(entry: LogEntry, hold: Hold, dialect: Dialect | undefined): Ending {
  if (!wasSent(entry)) return { kind: 'released', quantities: NO_QUANTITIES, answeredModel: undefined, flags: [] };
  const reported = hold.model === undefined ? NO_USAGE : (dialect?.usage(entry.usage) ?? NO_USAGE);
  const faulty = isFaulty(reported, hold);
  const answeredModel = reported.model;
  if (reported.quantities !== undefined && !faulty) {
    return { kind: 'settled', quantities: reported.quantities, answeredModel, flags: [] };
  }
  if (faulty) {
    return { kind: 'estimated', quantities: estimateOf(entry, hold, dialect), answeredModel, flags: ['usage_faulty'] };
  }
  if (entry.firstByte && entry.status >= 300 && !wasReplaced(entry)) {
    return { kind: 'failed', quantities: NO_QUANTITIES, answeredModel, flags: [] };
  }
  if (hold.model === undefined) return { kind: 'settled', quantities: NO_QUANTITIES, answeredModel, flags: [] };
  return { kind: 'estimated', quantities: estimateOf(entry, hold, dialect), answeredModel, flags: [] };
}

/**
 * Whether the provider may have seen the request. Envoy counts an attempt before it has a connection; where the last
 * attempt ended without one (response code details of its router) and those before it sent nothing either, nothing was
 * sent.
 */
function wasSent({ firstByte, attempts, details, upstreamBytes }: LogEntry): boolean {
  if (firstByte || attempts === 0) return firstByte;
  return !NOT_SENT.test(details) || (attempts > 1 && upstreamBytes > 0);
}

/** No host, no connection, or no key to show to the provider. */
const NOT_SENT =
  /^(no_healthy_upstream|cluster_not_found|maintenance_mode|failed_to_inject_credential|upstream_reset_before_response_started\{(local_connection_failure|remote_connection_failure|connection_timeout|overflow|(local|remote)_refused_stream_reset)\b)/;

/** Envoy could not hold the provider's answer and sent an error of its own instead: the work was done. */
function wasReplaced(entry: LogEntry): boolean {
  return entry.details === 'response_payload_too_large';
}

/** SSE, and Bedrock's binary frames. */
const STREAM_TYPE = /^(?:text\/event-stream|application\/vnd\.amazon\.eventstream)/;

/** Input as reserved; output by the bytes that came, and as reserved where they say nothing of what the provider sent. */
function estimateOf(entry: LogEntry, hold: Hold, dialect: Dialect | undefined): Quantities {
  return { ...NO_QUANTITIES, input: hold.estimate.inputTokens, output: outputOf(entry, hold, dialect) };
}

function outputOf(entry: LogEntry, hold: Hold, dialect: Dialect | undefined): number {
  if (!entry.firstByte) return 0;
  if (dialect === undefined || wasReplaced(entry)) return hold.estimate.outputTokens;
  const stream = entry.responseContentType === undefined ? hold.stream : STREAM_TYPE.test(entry.responseContentType);
  return Math.min(dialect.outputTokens(entry.responseBytes, { stream }), hold.estimate.outputMax);
}
