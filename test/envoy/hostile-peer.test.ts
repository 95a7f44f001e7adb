/** Peers that are not Envoy, or have gone mad: rows T4 to T13 of the transport's bad inputs. The server lives through each. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants, type OutgoingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import { systemClock } from '../../src/core/clock.ts';
import { type Listener, listen } from '../../src/envoy/transport.ts';
import type { Scope } from '../support/scope.ts';
import { call, clientOf } from './client.ts';
import { frame, HeldConnection, portOf, send, session, type Told } from './raw-http2.ts';

const PATH = '/test.Echo/Say';
const MAX_BYTES = 100_000;

interface Served {
  readonly listener: Listener;
  /** Calls that reached the handler, and those it was told had been cancelled. */
  readonly counts: { handled: number; cancelled: number };
}

async function serve(scope: Scope, answerAfterMs?: number): Promise<Served> {
  const counts = { handled: 0, cancelled: 0 };
  const listener = await listen({
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [
      {
        kind: 'unary',
        path: PATH,
        handle: (request, seen) => {
          counts.handled++;
          seen.onCancelled(() => counts.cancelled++);
          return answerAfterMs === undefined ? request : sleep(answerAfterMs, request);
        },
      },
    ],
    receiveBytesMax: MAX_BYTES,
    clock: systemClock,
  });
  scope.after(() => listener.close({ deadlineMs: 100 }));
  return { listener, counts };
}

const X = Buffer.from('x');
const ROWS: readonly [row: string, what: string, headers: OutgoingHttpHeaders, body: Buffer, told: Told][] = [
  ['T4', 'a message above the limit', {}, frame(Buffer.alloc(MAX_BYTES + 1)), { status: 200, grpc: 8 }],
  ['T4', 'a length that is never sent', {}, Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), { status: 200, grpc: 8 }],
  [
    'T5',
    'a gzip bomb',
    { 'grpc-encoding': 'gzip' },
    frame(gzipSync(Buffer.alloc(50_000_000)), true),
    { status: 200, grpc: 8 },
  ],
  ['T6', 'gzip that is none', { 'grpc-encoding': 'gzip' }, frame(X, true), { status: 200, grpc: 13 }],
  ['T6', 'an unknown encoding', { 'grpc-encoding': 'zstd' }, frame(X, true), { status: 200, grpc: 12 }],
  ['T6', 'deflate', { 'grpc-encoding': 'deflate' }, frame(deflateSync(X), true), { status: 200, grpc: 0 }],
  ['T7', 'no message', {}, Buffer.alloc(0), { status: 200, grpc: 12 }],
  ['T7', 'two messages', {}, Buffer.concat([frame(X), frame(X)]), { status: 200, grpc: 12 }],
  ['T8', 'a timeout that is none', { 'grpc-timeout': 'soon' }, frame(X), { status: 200, grpc: 13 }],
  ['T9', 'another content type', { 'content-type': 'application/json' }, frame(X), { status: 415, grpc: undefined }],
  ['T9', 'an unknown method', { ':path': '/test.Echo/Shout' }, frame(X), { status: 200, grpc: 12 }],
  [
    'T15',
    'reflection',
    { ':path': '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo' },
    frame(X),
    { status: 200, grpc: 12 },
  ],
];

test('T4 T5 T6 T7 T8 T9 T15 bad calls are refused one by one, and the connection lives', async (t) => {
  const { listener } = await serve(t);
  const over = await session(listener.endpoint, t);
  for (const [row, what, headers, body, told] of ROWS) {
    assert.deepEqual(await send(over, { ':path': PATH, ...headers }, body), told, `${row}: ${what}`);
    assert.deepEqual(await send(over, { ':path': PATH }, frame(X)), { status: 200, grpc: 0 }, `after ${row}: ${what}`);
  }
});

for (const [when, answerAfterMs] of [
  ['at once', undefined],
  ['later', 40],
] as const) {
  test(`a handler that answers ${when} is told of each call that was cancelled in the same read, and of no other`, async (t) => {
    const { listener, counts } = await serve(t, answerAfterMs);
    const connection = new HeldConnection(portOf(listener.endpoint));
    const over = await session(listener.endpoint, t, connection);
    for (let i = 0; i < 20; i++) await send(over, { ':path': PATH }, frame(X));
    await sleep(20);
    assert.deepEqual(counts, { handled: 20, cancelled: 0 });
    connection.hold();
    const streams = Array.from({ length: 10 }, () => {
      const stream = over.request({
        ':method': 'POST',
        ':path': PATH,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      stream.on('error', () => {});
      stream.end(frame(X));
      return stream;
    });
    await sleep(20);
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    await sleep(20);
    connection.release();
    await sleep(150);
    assert.equal(counts.cancelled, counts.handled - 20);
    for (let i = 0; i < 5; i++) await send(over, { ':path': PATH }, frame(X));
    assert.equal(counts.cancelled, counts.handled - 25);
  });
}

test('T13 bytes of another protocol close their connection only', async (t) => {
  const { listener } = await serve(t);
  const client = clientOf(listener.endpoint, t);
  for (const bytes of [
    'GET / HTTP/1.1\r\nhost: x\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    '\0'.repeat(100),
  ]) {
    const socket = connect(portOf(listener.endpoint), '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    socket.write(Buffer.from(bytes, 'latin1'));
    await once(socket, 'close');
    assert.deepEqual(await call(client, PATH, X, { deadlineMs: 1000 }), X);
  }
});

test('T11 a storm of resets ends its connection at most; others are served', async (t) => {
  const { listener } = await serve(t);
  const client = clientOf(listener.endpoint, t);
  const over = await session(listener.endpoint, t);
  for (let i = 0; i < 1500 && !over.destroyed; i++) {
    const stream = over.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => {});
    stream.close(constants.NGHTTP2_CANCEL);
    if (i % 100 === 0) await sleep(1);
  }
  for (let i = 0; i < 10; i++) assert.deepEqual(await call(client, PATH, X, { deadlineMs: 1000 }), X);
});
