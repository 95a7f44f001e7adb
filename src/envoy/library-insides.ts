/**
 * What grpc-js (1.14.7) keeps to itself and we cannot do without: the options of its HTTP/2 servers, and the stream below a
 * call. Where its insides have changed each of these does nothing, or says so, and a test fails.
 */
import type { ServerHttp2Stream } from 'node:http2';
import type { Server, ServerReadableStream, ServerUnaryCall } from '@grpc/grpc-js';

/**
 * Stream resets of one connection: so many at once, and so many a second after them. Beyond that nghttp2 ends the connection
 * with GOAWAY, and every call on it. Its defaults (1000, 33) are for servers that strangers reach; Envoy sends all of a
 * worker's Checks over one connection and resets each whose client has left. One core decides less than this a second.
 */
const RESETS = { streamResetBurst: 20_000, streamResetRate: 10_000 } as const;

/** Node has the options, grpc-js does not hand them on: they are put beside those that it makes its servers with. */
export function liftResets(server: Server): void {
  const { commonServerOptions } = server as unknown as { readonly commonServerOptions?: object };
  if (commonServerOptions !== undefined) Object.assign(commonServerOptions, RESETS);
}

type Inside = { readonly call?: { readonly stream?: ServerHttp2Stream } };

/**
 * Whether the caller reset the stream while the answer was on its way: after a stall a request and its cancellation come in
 * one read, one frame behind the other, and the answer to the first is dropped silently.
 */
export function wasReset(call: ServerUnaryCall<Uint8Array, Uint8Array>): boolean {
  return ((call as unknown as Inside).call?.stream?.rstCode ?? 0) !== 0;
}

/**
 * Answers a stream whose client has not ended it, and goes on reading until the client sees that and closes: the library would
 * drop what comes in between. False: it cannot.
 */
export function answerEarly(call: ServerReadableStream<Uint8Array, Uint8Array>, answer: Uint8Array): boolean {
  const stream = (call as unknown as Inside).call?.stream;
  if (stream === undefined || stream.headersSent || stream.destroyed) return false;
  const head = Buffer.alloc(5);
  head.writeUInt32BE(answer.length, 1);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.concat([head, answer]));
  return true;
}
