/** HTTP/2 as no well-behaved gRPC client speaks it. */
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import type { Endpoint } from '../../src/policy/endpoint.ts';
import type { Scope } from '../support/scope.ts';

/** A connection whose bytes can be held back and then sent at once, so that the server reads them as one. */
export class HeldConnection extends Duplex {
  readonly #socket;
  #held: Buffer[] | undefined;

  constructor(port: number) {
    super();
    this.#socket = connect(port, '127.0.0.1').setNoDelay();
    this.#socket.on('data', (bytes) => this.push(bytes));
    this.#socket.on('end', () => this.push(null));
    this.#socket.on('error', () => this.destroy());
    this.#socket.on('close', () => this.destroy());
  }

  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#socket.write(Buffer.concat(held));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#held === undefined) this.#socket.write(chunk);
    else this.#held.push(Buffer.from(chunk));
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

export function portOf(endpoint: Endpoint): number {
  if (endpoint.kind !== 'tcp') throw new TypeError('not tcp');
  return endpoint.port;
}

export async function session(endpoint: Endpoint, scope: Scope, over?: Duplex): Promise<ClientHttp2Session> {
  const options = over === undefined ? {} : { createConnection: () => over };
  const opened = connectHttp2(`http://127.0.0.1:${portOf(endpoint)}`, options);
  opened.on('error', () => {});
  await once(opened, 'connect');
  scope.after(() => opened.destroy());
  return opened;
}

/** One gRPC frame. */
export function frame(message: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

export interface Told {
  /** HTTP status; undefined: the stream ended without one. */
  readonly status: number | undefined;
  readonly grpc: number | undefined;
}

/** Sends `body` and answers how the call ended, within 3 s. */
export function send(over: ClientHttp2Session, headers: OutgoingHttpHeaders, body: Uint8Array): Promise<Told> {
  return new Promise((resolve) => {
    let status: number | undefined;
    let grpc: number | undefined;
    const take = (found: Record<string, unknown>): void => {
      if (found[':status'] !== undefined) status = Number(found[':status']);
      if (found['grpc-status'] !== undefined) grpc = Number(found['grpc-status']);
    };
    const stream = over.request({ ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers', ...headers });
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('error', () => {});
    stream.once('close', () => resolve({ status, grpc }));
    stream.setTimeout(3000, () => stream.close());
    stream.resume();
    stream.end(body);
  });
}
