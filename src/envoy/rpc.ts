/** The seam between services and what carries them: bytes in, bytes out. Nothing here, or above it, knows gRPC's library. */
import type { Awaitable } from '../core/units.ts';

/** What a unary handler is told of its call. */
export interface UnaryCall {
  /** When the caller stops waiting, on the monotonic clock, ms. */
  readonly deadlineMs: number;
  /** The caller stopped waiting: whatever is answered goes nowhere. */
  readonly cancelled: boolean;
  /**
   * Called once, if the caller stops waiting before it has the whole answer: while the handler works on it, or behind its
   * back, when it has answered. One listener; the last one given counts.
   */
  onCancelled(listener: () => void): void;
  /** What the caller sent beside the request under `name`, lower case; texts alone. */
  metadata?(name: string): readonly string[];
}

/** One request, one answer. A handler that throws or rejects ends the call with a gRPC error, without its text. */
export interface UnaryMethod {
  readonly kind: 'unary';
  /** `/package.Service/Method`. */
  readonly path: string;
  handle(request: Uint8Array, call: UnaryCall): Awaitable<Uint8Array>;
}

/** A client streams messages; nothing is answered until it ends, or the server shuts down. */
export interface InboundMethod {
  readonly kind: 'inbound';
  readonly path: string;
  /** What is answered when the stream ends. */
  readonly answer: Uint8Array;
  /** A client opened a stream. */
  open(): InboundStream;
}

export interface InboundStream {
  /** Messages come one at a time; the next waits for a promise, and so, by HTTP/2's window, does the sender. */
  message(bytes: Uint8Array): Awaitable<void>;
}

/** One request, then messages until either side ends. */
export interface OutboundMethod {
  readonly kind: 'outbound';
  readonly path: string;
  /** Sends through `send`; answers how to stop when the client is gone. */
  open(request: Uint8Array, send: (message: Uint8Array) => void): () => void;
}

export type Method = UnaryMethod | InboundMethod | OutboundMethod;

/** gRPC status codes that a handler may end a call with. */
export const RPC_CODE = { notFound: 5, internal: 13 } as const;

/** Ends a call with a gRPC status. `message` is shown to the caller. For decisions it is never used: those are answers. */
export class RpcError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'RpcError';
    this.status = status;
  }
}
