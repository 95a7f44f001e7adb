/** Carries the methods of rpc.ts over gRPC. With binding.ts the only file that knows grpc-js. */
import {
  logVerbosity,
  type Metadata,
  Server,
  type ServerOptions,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Endpoint } from '../policy/endpoint.ts';
import { type Bound, bind } from './binding.ts';
import { answerEarly, liftResets, wasReset } from './library-insides.ts';
import {
  type InboundMethod,
  type Method,
  type OutboundMethod,
  RPC_CODE,
  RpcError,
  type UnaryCall,
  type UnaryMethod,
} from './rpc.ts';
import type { TlsDoor } from './tls.ts';

/** Longest a call may take, ms, where the options say no other. */
const DEADLINE_MS = 150;

export interface ListenOptions {
  readonly endpoint: Endpoint;
  /** Who may connect; undefined: whoever can. */
  readonly door?: TlsDoor | undefined;
  readonly methods: readonly Method[];
  /** Largest message received, bytes; a larger one is RESOURCE_EXHAUSTED. For Check: Envoy's max_request_bytes + 1 MiB. */
  readonly receiveBytesMax: number;
  readonly clock: Clock;
  /** How long a call may take that names no deadline, or a later one, ms. Default 150. */
  readonly deadlineMs?: number;
  /** Whether connections are closed gently after half an hour, so that they spread again. False for streams that last. */
  readonly rotate?: boolean;
  /** When a silent peer is asked whether it is there, and how long it may take to say so, ms. Default 20000 and 5000. */
  readonly keepalive?: { readonly everyMs: number; readonly timeoutMs: number };
}

const KEEPALIVE = { everyMs: 20_000, timeoutMs: 5_000 } as const;

/** A server that listens. */
export interface Listener {
  /** With the real port, where 0 was asked for. */
  readonly endpoint: Endpoint;
  /**
   * Drains: takes no new connection, ends streams, lets calls finish; after `deadlineMs` cuts what is left. Idempotent.
   */
  close(options: { readonly deadlineMs: number }): Promise<void>;
}

type Respond = sendUnaryData<Uint8Array>;

/**
 * Listens. Throws `port_in_use` with what to do about it, `settings_invalid` for a socket path that cannot be used.
 * A second call on a path, a method nobody registered, a message too large are answered by the library with gRPC errors.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  // What it would write to stderr comes to us as errors, or is a peer's doing.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server(serverOptions(options));
  liftResets(server);
  const streams = new Streams();
  for (const method of options.methods)
    register(server, { method, streams, clock: options.clock, deadlineMs: options.deadlineMs ?? DEADLINE_MS });
  const bound = await bind(server, options.endpoint, options.door);
  let closing: Promise<void> | undefined;
  return {
    endpoint: bound.endpoint,
    close: ({ deadlineMs }) => {
      closing ??= drain(server, { bound, streams, deadlineMs });
      return closing;
    },
  };
}

/** Pinned: the library's own defaults leave streams, memory and age without a bound. */
function serverOptions({ receiveBytesMax, rotate = true, keepalive = KEEPALIVE }: ListenOptions): ServerOptions {
  return {
    'grpc.max_receive_message_length': receiveBytesMax,
    'grpc.max_concurrent_streams': 2000,
    'grpc-node.max_session_memory': 64,
    // Its per-session records leaked (grpc/grpc-node#2068).
    'grpc.enable_channelz': 0,
    'grpc.keepalive_time_ms': keepalive.everyMs,
    'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
    ...(rotate ? { 'grpc.max_connection_age_ms': 30 * 60_000, 'grpc.max_connection_age_grace_ms': 10_000 } : {}),
  };
}

async function drain(
  server: Server,
  { bound, streams, deadlineMs }: { bound: Bound; streams: Streams; deadlineMs: number },
): Promise<void> {
  streams.endAll();
  // Without channelz the library's forceShutdown (1.14.7) knows no connections, so that cutting them is left to its drain.
  bound.drain(deadlineMs);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, deadlineMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Streams that only end when we end them; a graceful shutdown waits for them for ever. */
class Streams {
  readonly #ends = new Set<() => void>();
  #ending = false;

  add(end: () => void): void {
    this.#ends.add(end);
    if (this.#ending) end();
  }

  has(end: () => void): boolean {
    return this.#ends.has(end);
  }

  delete(end: () => void): void {
    this.#ends.delete(end);
  }

  endAll(): void {
    this.#ending = true;
    for (const end of [...this.#ends]) {
      this.#ends.delete(end);
      end();
    }
  }
}

interface Registration<M> {
  readonly method: M;
  readonly streams: Streams;
  readonly clock: Clock;
  readonly deadlineMs: number;
}

function register(server: Server, { method, streams, clock, deadlineMs }: Registration<Method>): void {
  const identity = (bytes: Uint8Array): Buffer =>
    Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (method.kind) {
    case 'unary':
      server.register(method.path, unary({ method, clock, deadlineMs }), identity, identity, 'unary');
      return;
    case 'inbound':
      server.register(method.path, inbound({ method, streams, clock, deadlineMs }), identity, identity, 'clientStream');
      return;
    case 'outbound':
      server.register(
        method.path,
        outbound({ method, streams, clock, deadlineMs }),
        identity,
        identity,
        'serverStream',
      );
  }
}

class Call implements UnaryCall {
  readonly deadlineMs: number;
  cancelled: boolean;
  readonly #metadata: Metadata;
  #listener: (() => void) | undefined;

  constructor(call: { readonly cancelled: boolean; readonly metadata: Metadata }, deadlineMs: number) {
    this.deadlineMs = deadlineMs;
    this.cancelled = call.cancelled;
    this.#metadata = call.metadata;
  }

  metadata(name: string): readonly string[] {
    return this.#metadata.get(name).filter((value) => typeof value === 'string');
  }

  onCancelled(listener: () => void): void {
    this.#listener = listener;
    if (this.cancelled) listener();
  }

  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.#listener?.();
  }
}

function unary({ method, clock, deadlineMs }: Omit<Registration<UnaryMethod>, 'streams'>) {
  return (call: ServerUnaryCall<Uint8Array, Uint8Array>, respond: Respond): void => {
    const seen = new Call(call, deadlineOf(call.getDeadline(), { clock, deadlineMs }));
    let answered = false;
    // The library says `cancelled` after every call, answered ones too.
    call.once('cancelled', () => {
      if (!answered || wasReset(call)) seen.cancel();
    });
    const settle = (error: unknown, bytes?: Uint8Array): void => {
      answered = true;
      if (bytes === undefined) respond(statusOf(error));
      else respond(null, bytes);
    };
    try {
      const answer = method.handle(call.request, seen);
      if (answer instanceof Promise) answer.then((bytes) => settle(undefined, bytes), settle);
      else settle(undefined, answer);
    } catch (error) {
      settle(error);
    }
  };
}

/** The library counts deadlines on the wall clock, from when the call began, a moment ago. */
function deadlineOf(
  deadline: Date | number,
  { clock, deadlineMs }: { readonly clock: Clock; readonly deadlineMs: number },
): number {
  const leftMs = Number(deadline) - systemClock.nowMs();
  return clock.monotonicMs() + Math.min(leftMs, deadlineMs);
}

function statusOf(error: unknown): { code: number; details: string } {
  if (error instanceof RpcError) return { code: error.status, details: error.message };
  return { code: RPC_CODE.internal, details: 'the request cannot be handled' };
}

function inbound({ method, streams }: Registration<InboundMethod>) {
  return (call: ServerReadableStream<Uint8Array, Uint8Array>, respond: Respond): void => {
    const stream = method.open();
    // Before its client has: what is under way then is still taken.
    const endEarly = (): void => {
      if (!answerEarly(call, method.answer)) respond(null, method.answer);
    };
    const end = (): void => {
      if (!streams.has(endEarly)) return;
      streams.delete(endEarly);
      respond(null, method.answer);
    };
    call.on('data', (bytes: Uint8Array) => {
      const taken = stream.message(bytes);
      if (!(taken instanceof Promise)) return;
      call.pause();
      taken.then(
        () => call.resume(),
        () => call.resume(),
      );
    });
    call.once('end', end);
    call.once('cancelled', () => streams.delete(endEarly));
    call.on('error', () => streams.delete(endEarly));
    streams.add(endEarly);
  };
}

function outbound({ method, streams }: Registration<OutboundMethod>) {
  return (call: ServerWritableStream<Uint8Array, Uint8Array>): void => {
    let stop: () => void = () => {};
    const end = (): void => {
      stop();
      call.end();
    };
    const gone = (): void => {
      stop();
      streams.delete(end);
    };
    call.once('cancelled', gone);
    try {
      stop = method.open(call.request, (bytes) => call.write(bytes));
      streams.add(end);
    } catch (error) {
      call.emit('error', statusOf(error));
    }
  };
}
