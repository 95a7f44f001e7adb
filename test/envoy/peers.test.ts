/** What one peer may take of a server, and how long one that is gone is waited for: P15, P17, P18. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/core/clock.ts';
import type { Method } from '../../src/envoy/rpc.ts';
import { type Listener, type ListenOptions, listen } from '../../src/envoy/transport.ts';
import type { Scope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { call, clientOf } from './client.ts';
import { portOf, session } from './raw-http2.ts';

const ECHO: Method = { kind: 'unary', path: '/test.Echo/Say', handle: (request) => request };
const STREAM_PATH = '/test.Log/Stream';
const X = Buffer.from('x');
/** 10,000 streams of the issue, over as many connections as that takes. */
const STREAMS = 10_000;
const PER_CONNECTION = 2_000;

async function serve(scope: Scope, options: Partial<ListenOptions>): Promise<Listener> {
  const listener = await listen({
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [ECHO],
    receiveBytesMax: 1_048_576,
    clock: systemClock,
    ...options,
  });
  scope.after(() => listener.close({ deadlineMs: 100 }));
  return listener;
}

/** HTTP/2 as far as a server needs it to take a connection for one: preface, empty SETTINGS. */
const HELLO = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

async function dial(listener: Listener, scope: Scope): Promise<Socket> {
  const socket = connect(portOf(listener.endpoint), '127.0.0.1');
  socket.on('error', () => {});
  scope.after(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** An access log that reads nothing and counts the streams that were opened. */
function countedLog(): { readonly method: Method; opened(): number } {
  let count = 0;
  const open = () => {
    count += 1;
    return { message: () => {} };
  };
  return { method: { kind: 'inbound', path: STREAM_PATH, answer: Buffer.alloc(0), open }, opened: () => count };
}

test(`P15: ${STREAMS} open streams: ${PER_CONNECTION} a connection, the rest is refused; calls are answered beside them`, async (t) => {
  const log = countedLog();
  const listener = await serve(t, { methods: [ECHO, log.method] });
  const beside = clientOf(listener.endpoint, t);
  const slowest = async (): Promise<number> => {
    const tookMs: number[] = [];
    for (let i = 0; i < 200; i++) {
      const fromMs = performance.now();
      assert.deepEqual(await call(beside, ECHO.path, X, { deadlineMs: 5_000 }), X);
      tookMs.push(performance.now() - fromMs);
    }
    return tookMs.sort((a, b) => a - b)[197]!;
  };
  await slowest();
  const [quietMs, quietBytes] = [await slowest(), process.memoryUsage.rss()];
  const headers = { ':method': 'POST', ':path': STREAM_PATH, 'content-type': 'application/grpc', te: 'trailers' };
  for (let taken = 0; taken < STREAMS; taken += PER_CONNECTION) {
    const over = await session(listener.endpoint, t);
    if (over.remoteSettings.maxConcurrentStreams !== PER_CONNECTION) await once(over, 'remoteSettings');
    assert.equal(over.remoteSettings.maxConcurrentStreams, PER_CONNECTION, 'every peer is told');
    for (let i = 0; i < PER_CONNECTION + 10; i++) over.request(headers).on('error', () => {});
    await until('a connection full of streams', () => log.opened() === taken + PER_CONNECTION);
  }
  const besideMs = await slowest();
  assert.equal(log.opened(), STREAMS);
  t.diagnostic(
    `p99 of a call: ${quietMs.toFixed(2)} ms alone, ${besideMs.toFixed(2)} ms beside; RSS +${Math.round((process.memoryUsage.rss() - quietBytes) / 2 ** 20)} MiB with its clients`,
  );
});

/** HEADERS that open a stream of gRPC (RFC 9113, and RFC 7541 with the static table and literals without indexing). */
function opening(stream: number, path: string): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  const literal = (name: string, value: string): Buffer => Buffer.concat([Buffer.from([0]), text(name), text(value)]);
  const post = Buffer.concat([Buffer.from([0x83, 0x86, 0x41]), text('x'), Buffer.from([0x44])]);
  const block = Buffer.concat([
    post,
    text(path),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ]);
  return frame(1, { flags: 4, stream, payload: block });
}

function frame(type: number, { flags, stream, payload }: { flags: number; stream: number; payload: Buffer }): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.set([type, flags], 3);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

test('P15: a peer that does not keep to the bound is refused stream by stream, or cut; others are served', async (t) => {
  const log = countedLog();
  const listener = await serve(t, { methods: [ECHO, log.method] });
  const socket = await dial(listener, t);
  socket.resume();
  socket.write(HELLO);
  for (let stream = 1; stream < 2 * (PER_CONNECTION + 500); stream += 2) socket.write(opening(stream, STREAM_PATH));
  await until('streams up to the bound', () => log.opened() === PER_CONNECTION);
  await sleep(100);
  assert.equal(log.opened(), PER_CONNECTION);
  assert.deepEqual(await call(clientOf(listener.endpoint, t), ECHO.path, X, { deadlineMs: 5_000 }), X);
});

test('P17: 3,000 calls of one connection that are cancelled, within seconds: it survives, and answers', async (t) => {
  const listener = await serve(t, {
    methods: [ECHO, { kind: 'unary', path: '/test.Slow/Wait', handle: (request) => sleep(100, request) }],
  });
  const over = await session(listener.endpoint, t);
  let goaways = 0;
  over.on('goaway', () => {
    goaways += 1;
  });
  const client = clientOf(listener.endpoint, t);
  for (let i = 0; i < 3_000; i++) {
    const stream = over.request({
      ':method': 'POST',
      ':path': '/test.Slow/Wait',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => {});
    stream.end(Buffer.from([0, 0, 0, 0, 1, 65]));
    setTimeout(() => stream.close(8), 10);
    if (i % 10 === 0) await sleep(5);
  }
  await sleep(50);
  assert.deepEqual([goaways, over.closed, over.destroyed], [0, false, false]);
  assert.deepEqual(await call(client, ECHO.path, X, { deadlineMs: 1_000 }), X);
});

test('P18: a peer that answers no ping is closed, and its streams with it; one that answers is not', async (t) => {
  let gone = 0;
  let open = 0;
  const watch: Method = {
    kind: 'outbound',
    path: '/test.Watch/Now',
    open: () => {
      open += 1;
      return () => {
        gone += 1;
      };
    },
  };
  const listener = await serve(t, { methods: [ECHO, watch], keepalive: { everyMs: 200, timeoutMs: 100 } });
  const alive = await session(listener.endpoint, t);
  // A peer whose node is lost: it has opened a stream, and says nothing more.
  const socket = await dial(listener, t);
  socket.write(Buffer.concat([HELLO, opening(1, '/test.Watch/Now')]));
  const fromMs = performance.now();
  socket.write(frame(0, { flags: 1, stream: 1, payload: Buffer.alloc(5) }));
  await until('its stream', () => open === 1);
  await until('its end', () => gone === 1);
  const tookMs = performance.now() - fromMs;
  t.diagnostic(`closed after ${Math.round(tookMs)} ms, at 200 + 100; 20 s + 5 s where the options say nothing`);
  assert.ok(tookMs >= 200, `${tookMs} ms: not by its silence`);
  await sleep(600);
  assert.deepEqual([alive.closed, alive.destroyed], [false, false]);
  assert.deepEqual(await call(clientOf(listener.endpoint, t), ECHO.path, X, { deadlineMs: 1_000 }), X);
});
