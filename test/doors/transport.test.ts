/** Rows T2, T3, T10, T12 of the transport's bad inputs, in short: floods end their connection at most, others are served. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { type Listener, listen } from '../../src/envoy/transport.ts';
import { readCheckRequest } from '../../src/envoy/wire/check-request.ts';
import { call, clientOf } from '../envoy/client.ts';
import { frame as grpcFrame, portOf, send, session } from '../envoy/raw-http2.ts';
import type { Scope } from '../support/scope.ts';

const PATH = '/test.Echo/Say';
const X = Buffer.from('x');

async function serve(scope: Scope): Promise<Listener> {
  const listener = await listen({
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [{ kind: 'unary', path: PATH, handle: (request) => request }],
    receiveBytesMax: 100_000,
    clock: systemClock,
  });
  scope.after(() => listener.close({ deadlineMs: 100 }));
  return listener;
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = 4;
const PING = 6;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;
const HEADERS = 1;
const DATA = 0;

/** One frame of HTTP/2 (RFC 9113 section 4.1). */
function frame(type: number, payload: Buffer, { flags = 0, stream = 0 } = {}): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** POST over HTTP by the static table (RFC 7541 appendix A), all that a stream needs to be open. */
const OPENING = Buffer.concat([Buffer.from([0x83, 0x86, 0x44, PATH.length]), Buffer.from(PATH)]);
const one = Buffer.from([0, 0, 0, 1]);

const FLOODS: readonly (readonly [what: string, before: Buffer, flood: Buffer])[] = [
  [
    'CONTINUATION without an end',
    frame(HEADERS, OPENING, { stream: 1 }),
    frame(
      CONTINUATION,
      Buffer.concat([Buffer.from([0, 1]), Buffer.from('a'), Buffer.from([100]), Buffer.alloc(100, 'b')]),
      {
        stream: 1,
      },
    ),
  ],
  ['SETTINGS', Buffer.alloc(0), frame(SETTINGS, Buffer.from([0, 4, 0, 0, 255, 255]))],
  ['PING', Buffer.alloc(0), frame(PING, Buffer.alloc(8))],
  ['WINDOW_UPDATE', frame(HEADERS, OPENING, { flags: 4, stream: 1 }), frame(WINDOW_UPDATE, one, { stream: 1 })],
  ['DATA of no bytes', frame(HEADERS, OPENING, { flags: 4, stream: 1 }), frame(DATA, Buffer.alloc(0), { stream: 1 })],
];

for (const [what, before, flood] of FLOODS) {
  test(`T12 a flood of ${what} keeps nobody from being served`, async (t) => {
    const listener = await serve(t);
    const client = clientOf(listener.endpoint, t);
    const socket = connect(portOf(listener.endpoint), '127.0.0.1');
    socket.on('error', () => {});
    // What it answers is never read: it may not wait for that either.
    socket.pause();
    await once(socket, 'connect');
    t.after(() => socket.destroy());
    socket.write(Buffer.concat([PREFACE, frame(SETTINGS, Buffer.alloc(0)), before]));
    const many = Buffer.concat(Array.from({ length: 1000 }, () => flood));
    const rssBefore = process.memoryUsage().rss;
    for (let round = 0; round < 20 && !socket.destroyed; round++) {
      socket.write(many);
      assert.deepEqual(await call(client, PATH, X, { deadlineMs: 2000 }), X, `in round ${round}`);
    }
    const grownMiB = (process.memoryUsage().rss - rssBefore) / 2 ** 20;
    t.diagnostic(`20 000 frames of ${flood.length} bytes: ${grownMiB.toFixed(1)} MiB, client included`);
    assert.ok(grownMiB < 64, `${grownMiB} MiB`);
    assert.deepEqual(await call(client, PATH, X, { deadlineMs: 2000 }), X);
  });
}

test('T10 70 kB of metadata are refused; the next connection is served', async (t) => {
  const listener = await serve(t);
  const over = await session(listener.endpoint, t);
  const told = await send(over, { ':path': PATH, 'x-large': 'x'.repeat(70_000) }, grpcFrame(X));
  assert.notEqual(told.grpc, 0);
  const client = clientOf(listener.endpoint, t);
  assert.deepEqual(await call(client, PATH, X, { deadlineMs: 2000 }), X);
});

test('T2 a text whose length passes the end is refused, wherever it stands', () => {
  // attributes.request.http.path of 100 bytes, of which five are there.
  const path = Buffer.concat([Buffer.from([0x22, 100]), Buffer.from('/v1/c')]);
  const within = (field: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([(field << 3) | 2, bytes.length]), bytes]);
  assert.throws(() => readCheckRequest(within(1, within(4, within(2, path))), 0), { code: 'wire_invalid' });
});
