/** Token counts that the stub reports instead of the computed ones. Non-negative integers. */
export interface StubUsage {
  /** Input without caches. */
  readonly input?: number;
  readonly cacheRead?: number;
  readonly cacheWrite5m?: number;
  readonly cacheWrite1h?: number;
  /** Output with reasoning. */
  readonly output?: number;
  readonly reasoning?: number;
}

/** How the stub answers. Set for all requests by `setBehaviour`, or for one by its `stub-behaviour` header (JSON of these fields). */
export interface StubBehaviour {
  /** Answers wait until `release()`. Default false. */
  readonly hold: boolean;
  /** How many requests are answered `failStatus` before the rest succeed. In a header: attempts of one decision id. Default 0. */
  readonly failures: number;
  /** 4xx or 5xx. Default 503. */
  readonly failStatus: number;
  /** Before each event of a stream, and before a JSON answer. Default 0. */
  readonly delayMs: number;
  /** Content events of a stream, ≥ 1. Default 4. */
  readonly chunks: number;
  /** A stream waits until `release()` after this many content events; undefined (default): never. */
  readonly holdAfter: number | undefined;
  /** A stream is cut by closing the connection after this many content events; undefined (default): never. */
  readonly cutAfter: number | undefined;
  /** Bytes of content text added to a JSON answer, or to the last content event of a stream. Default 0. */
  readonly padBytes: number;
  /** Answers carry no usage at all. Default false. */
  readonly omitUsage: boolean;
  /** Overrides of the computed usage. Default none. */
  readonly usage: StubUsage;
  /** The answered model; undefined (default): the requested one. */
  readonly model: string | undefined;
  /** Content type of JSON answers. Default `application/json`. */
  readonly jsonType: string;
}

export const DEFAULT_BEHAVIOUR: StubBehaviour = Object.freeze({
  hold: false,
  failures: 0,
  failStatus: 503,
  delayMs: 0,
  chunks: 4,
  holdAfter: undefined,
  cutAfter: undefined,
  padBytes: 0,
  omitUsage: false,
  usage: {},
  model: undefined,
  jsonType: 'application/json',
});
