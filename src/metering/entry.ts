import type { UsageFields } from '../dialects/dialect.ts';

/** One access-log entry, decoded: what really happened to one request. */
export interface LogEntry {
  /** Only `end` is billed; `periodic` is a heartbeat; the rest is ignored. */
  readonly kind: 'periodic' | 'end' | 'other';
  /** Our struct of strings from ext_authz's dynamic metadata; undefined: the request was never decided by us. */
  readonly decision: ReadonlyMap<string, string> | undefined;
  /** Envoy's own `x-request-id`; undefined: it sent none. */
  readonly requestId: string | undefined;
  /** Namespace `tollgate.usage`; empty if the filters wrote nothing. */
  readonly usage: UsageFields;
  /** HTTP status sent downstream; 0 if none was. */
  readonly status: number;
  /** Envoy's response code details. */
  readonly details: string;
  /** Attempts that the router started; 0: nothing was sent upstream. */
  readonly attempts: number;
  /** Bytes sent upstream in all attempts together, headers included; 0: no attempt found a connection. */
  readonly upstreamBytes: number;
  /** Whether any byte of a response came from upstream. */
  readonly firstByte: boolean;
  /** Response body bytes sent downstream. */
  readonly responseBytes: number;
  readonly responseContentType: string | undefined;
  /** 0 to 24 h; undefined: not said. */
  readonly durationMs: number | undefined;
}
