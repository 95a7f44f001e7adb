import type { UsageFields } from '../dialects/dialect.ts';

/** One access-log entry, decoded: what really happened to one request. */
export interface LogEntry {
  /** Only `end` is billed; `periodic` is a heartbeat; `attempt` is one upstream attempt; the rest is ignored. */
  readonly kind: 'start' | 'periodic' | 'end' | 'attempt' | 'other';
  /** Our struct of strings from ext_authz's dynamic metadata; undefined: the request was never decided by us. */
  readonly decision: ReadonlyMap<string, string> | undefined;
  /** Namespace `tollgate.usage`; empty if the filters wrote nothing. */
  readonly usage: UsageFields;
  /** HTTP status sent downstream; 0 if none was. */
  readonly status: number;
  readonly details: string;
  /** The client went away before the answer was complete. */
  readonly clientGone: boolean;
  /** Attempts that the router started; 0: nothing was sent upstream. */
  readonly attempts: number;
  /** Bytes sent upstream in all attempts together, headers included; 0: no attempt found a connection. */
  readonly upstreamBytes: number;
  /** Whether any byte of a response came from upstream. */
  readonly firstByte: boolean;
  /** Response body bytes sent downstream. */
  readonly responseBytes: number;
  readonly responseContentType: string | undefined;
  readonly startMs: number;
  readonly durationMs: number | undefined;
}
