import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, lstat, mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@grpc/grpc-js';
import { systemClock } from '../../src/core/clock.ts';
import { TollgateError } from '../../src/core/errors.ts';
import type { Method, UnaryCall } from '../../src/envoy/rpc.ts';
import { type Listener, type ListenOptions, listen } from '../../src/envoy/transport.ts';
import type { Endpoint } from '../../src/policy/endpoint.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';
import { until } from '../support/until.ts';
import { call, clientOf, openStream, watch } from './client.ts';
import { frame, session } from './raw-http2.ts';

const FREE: Endpoint = { kind: 'tcp', host: '127.0.0.1', port: 0 };
const ECHO: Method = { kind: 'unary', path: '/test.Echo/Say', handle: (request) => Buffer.from(request) };

async function serve(
  scope: Scope,
  options: Partial<ListenOptions> = {},
): Promise<{ listener: Listener; client: Client }> {
  const listener = await listen({
    endpoint: FREE,
    methods: [ECHO],
    receiveBytesMax: 1_048_576,
    clock: systemClock,
    ...options,
  });
  scope.after(() => listener.close({ deadlineMs: 100 }));
  return { listener, client: clientOf(listener.endpoint, scope) };
}

const code = (answer: unknown): unknown => (answer as { code?: unknown }).code;

test('bytes go and come over TCP', async (t) => {
  const { client, listener } = await serve(t);
  assert.ok(listener.endpoint.kind === 'tcp' && listener.endpoint.port > 0);
  assert.deepEqual(await call(client, ECHO.path, Buffer.from('hello')), Buffer.from('hello'));
  assert.deepEqual(await call(client, ECHO.path, Buffer.alloc(0)), Buffer.alloc(0));
});

test('P19: bytes go and come over a Unix socket that only the group may use, in a directory made for it', async (t) => {
  const directory = join(await tempDir(t), 'run');
  const path = join(directory, 'authz.sock');
  const mask = process.umask();
  const { client } = await serve(t, { endpoint: { kind: 'unix', path } });
  assert.equal(process.umask(), mask);
  assert.equal((await stat(directory)).mode & 0o777, 0o750);
  assert.equal((await lstat(path)).mode & 0o777, 0o660);
  assert.deepEqual(await call(client, ECHO.path, Buffer.from('hello')), Buffer.from('hello'));
});

test('P19: a socket that nobody listens on is replaced', async (t) => {
  const path = join(await tempDir(t), 'stale.sock');
  const dead = await listenOn(path);
  // Closing would unlink it: what a killed process leaves behind is made by moving it away and back.
  await rename(path, `${path}.kept`);
  dead.close();
  await once(dead, 'close');
  await rename(`${path}.kept`, path);
  const { client } = await serve(t, { endpoint: { kind: 'unix', path } });
  assert.deepEqual(await call(client, ECHO.path, Buffer.from('x')), Buffer.from('x'));
});

test('a port in use says what to do', async (t) => {
  const { listener } = await serve(t);
  await assert.rejects(
    listen({ endpoint: listener.endpoint, methods: [], receiveBytesMax: 1, clock: systemClock }),
    (error) =>
      error instanceof TollgateError && error.code === 'port_in_use' && /stop the other process/.test(error.message),
  );
});

test('P19: a socket in use says so, and is left alone', async (t) => {
  const path = join(await tempDir(t), 'taken.sock');
  const other = await listenOn(path);
  t.after(() => other.close());
  await assert.rejects(
    listen({ endpoint: { kind: 'unix', path }, methods: [], receiveBytesMax: 1, clock: systemClock }),
    (error) => error instanceof TollgateError && error.code === 'port_in_use',
  );
  assert.ok((await lstat(path)).isSocket());
});

test('a file that is no socket is left alone', async (t) => {
  const path = join(await tempDir(t), 'file');
  await writeFile(path, 'kept');
  await assert.rejects(
    listen({ endpoint: { kind: 'unix', path }, methods: [], receiveBytesMax: 1, clock: systemClock }),
    /exists and is not a socket/,
  );
  assert.equal((await stat(path)).size, 4);
});

test('a directory that everybody may write to is refused', async (t) => {
  const directory = join(await tempDir(t), 'open');
  await mkdir(directory);
  await chmod(directory, 0o777);
  await assert.rejects(
    listen({
      endpoint: { kind: 'unix', path: join(directory, 's') },
      methods: [],
      receiveBytesMax: 1,
      clock: systemClock,
    }),
    /must not be writable by everybody/,
  );
});

test('an unknown method and a message too large are refused; the server lives', async (t) => {
  const { client } = await serve(t, { receiveBytesMax: 1000 });
  assert.equal(code(await call(client, '/test.Echo/Shout', Buffer.from('x'))), 12);
  assert.equal(code(await call(client, ECHO.path, Buffer.alloc(1001))), 8);
  assert.deepEqual(await call(client, ECHO.path, Buffer.alloc(1000)), Buffer.alloc(1000));
});

test('a handler that throws or rejects ends its call, and shows nothing', async (t) => {
  const broken = (path: string, handle: () => Promise<Buffer>): Method => ({ kind: 'unary', path, handle });
  const { client } = await serve(t, {
    methods: [
      broken('/test.Bad/Throws', () => {
        throw new Error('secret one');
      }),
      broken('/test.Bad/Rejects', () => Promise.reject(new Error('secret two'))),
    ],
  });
  for (const path of ['/test.Bad/Throws', '/test.Bad/Rejects']) {
    const answer = await call(client, path, Buffer.from('x'));
    assert.equal(code(answer), 13);
    assert.doesNotMatch((answer as unknown as Error).message, /secret/);
  }
});

test('the deadline of a call is on the monotonic clock, and at most the 150 ms of the listener', async (t) => {
  const left: number[] = [];
  const { client } = await serve(t, {
    methods: [
      {
        kind: 'unary',
        path: '/test.Time/Left',
        handle: (request, { deadlineMs }) => {
          left.push(deadlineMs - systemClock.monotonicMs());
          return request;
        },
      },
    ],
  });
  const saysMs = [100, 5000, undefined];
  for (const deadlineMs of saysMs) {
    await call(client, '/test.Time/Left', Buffer.from('x'), deadlineMs === undefined ? {} : { deadlineMs });
  }
  for (const [place, maxMs] of [101, 150, 150].entries()) {
    assert.ok(left[place]! > 0 && left[place]! <= maxMs, `${left[place]} of ${saysMs[place]}`);
  }
});

test('a cancelled call is told to its handler; one that was answered is not', async (t) => {
  const cancelled: string[] = [];
  let begun: (seen: UnaryCall) => void = () => {};
  const first = new Promise<UnaryCall>((resolve) => {
    begun = resolve;
  });
  const { client } = await serve(t, {
    methods: [
      {
        kind: 'unary',
        path: '/test.Slow/Wait',
        handle: (request, seen) => {
          const name = Buffer.from(request).toString();
          seen.onCancelled(() => cancelled.push(name));
          begun(seen);
          return sleep(name === 'fast' ? 1 : 300, Buffer.from(request));
        },
      },
    ],
  });
  let cancel: () => void = () => {};
  const answer = call(client, '/test.Slow/Wait', Buffer.from('slow'), {
    cancel: (how) => {
      cancel = how;
    },
  });
  const seen = await first;
  assert.equal(seen.cancelled, false);
  cancel();
  assert.equal(code(await answer), 1);
  assert.deepEqual(await call(client, '/test.Slow/Wait', Buffer.from('fast')), Buffer.from('fast'));
  await sleep(20);
  assert.equal(seen.cancelled, true);
  assert.deepEqual(cancelled, ['slow']);
});

test('a deadline that passes cancels the call', async (t) => {
  const cancelled = new Promise<void>((resolve, reject) => {
    serve(t, {
      methods: [
        {
          kind: 'unary',
          path: '/test.Slow/Wait',
          handle: (request, seen) => {
            seen.onCancelled(resolve);
            return sleep(500, request);
          },
        },
      ],
    })
      .then(({ client }) => call(client, '/test.Slow/Wait', Buffer.from('x'), { deadlineMs: 60 }))
      .then((answer) => assert.equal(code(answer), 4))
      .catch(reject);
  });
  await cancelled;
});

test('an inbound stream stays open, is held back by a promise, and is answered when its client ends it', async (t) => {
  const taken: string[] = [];
  let running = 0;
  let together = 0;
  const { client } = await serve(t, {
    methods: [
      {
        kind: 'inbound',
        path: '/test.Log/Stream',
        answer: Buffer.from('done'),
        open: () => ({
          message: async (bytes) => {
            together = Math.max(together, ++running);
            await sleep(2);
            running--;
            taken.push(Buffer.from(bytes).toString());
          },
        }),
      },
    ],
  });
  const { stream, ended } = openStream(client, '/test.Log/Stream');
  for (let i = 0; i < 5; i++) stream.write(Buffer.from(`m${i}`));
  await sleep(80);
  assert.equal(await Promise.race([ended, 'open']), 'open');
  stream.end();
  assert.deepEqual(await ended, Buffer.from('done'));
  assert.deepEqual(taken, ['m0', 'm1', 'm2', 'm3', 'm4']);
  assert.equal(together, 1);
});

test('messages of a stream that is cut are kept', async (t) => {
  const taken: string[] = [];
  const { client } = await serve(t, {
    methods: [
      {
        kind: 'inbound',
        path: '/test.Log/Stream',
        answer: Buffer.alloc(0),
        open: () => ({
          message: (bytes) => {
            taken.push(Buffer.from(bytes).toString());
          },
        }),
      },
    ],
  });
  const { stream, ended } = openStream(client, '/test.Log/Stream');
  stream.write(Buffer.from('kept'));
  while (taken.length === 0) await sleep(5);
  stream.cancel();
  assert.equal(code(await ended), 1);
  assert.deepEqual(taken, ['kept']);
});

test('what a client sends until it sees that its stream was ended is taken', async (t) => {
  const taken: string[] = [];
  const { listener } = await serve(t, {
    methods: [
      {
        kind: 'inbound',
        path: '/test.Log/Stream',
        answer: Buffer.from('bye'),
        open: () => ({ message: (bytes) => void taken.push(Buffer.from(bytes).toString()) }),
      },
    ],
  });
  const over = await session(listener.endpoint, t);
  const stream = over.request({
    ':method': 'POST',
    ':path': '/test.Log/Stream',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.write(frame(Buffer.from('before')));
  await until('the first', () => taken.length === 1);
  const closed = listener.close({ deadlineMs: 3000 });
  const [trailers] = (await once(stream.resume(), 'trailers')) as [Record<string, string>];
  assert.equal(trailers['grpc-status'], '0');
  // On its way when the end came the other way.
  stream.write(frame(Buffer.from('crossed')));
  await until('the second', () => taken.length === 2);
  stream.close(8);
  await closed;
  assert.deepEqual(taken, ['before', 'crossed']);
});

test('closing ends streams, lets calls finish, and takes no new ones', async (t) => {
  let answered = false;
  const { client, listener } = await serve(t, {
    methods: [
      { kind: 'inbound', path: '/test.Log/Stream', answer: Buffer.from('bye'), open: () => ({ message: () => {} }) },
      {
        kind: 'outbound',
        path: '/test.Watch/Now',
        open: (_request, send) => {
          send(Buffer.from('now'));
          return () => {};
        },
      },
      {
        kind: 'unary',
        path: '/test.Slow/Wait',
        handle: async (request) => {
          await sleep(100);
          answered = true;
          return request;
        },
      },
    ],
  });
  const { stream, ended } = openStream(client, '/test.Log/Stream');
  stream.write(Buffer.from('x'));
  const watching = watch(client, '/test.Watch/Now', Buffer.alloc(0));
  await once(watching, 'data');
  const watchEnded = once(watching, 'end');
  watching.resume();
  const slow = call(client, '/test.Slow/Wait', Buffer.from('x'), { deadlineMs: 2000 });
  await sleep(30);
  const begun = performance.now();
  await Promise.all([listener.close({ deadlineMs: 3000 }), listener.close({ deadlineMs: 3000 })]);
  assert.ok(performance.now() - begun < 2500, 'closed by draining, not by the deadline');
  assert.deepEqual(await ended, Buffer.from('bye'));
  await watchEnded;
  assert.deepEqual(await slow, Buffer.from('x'));
  assert.equal(answered, true);
  assert.equal(code(await call(client, '/test.Slow/Wait', Buffer.from('x'), { deadlineMs: 300 })), 14);
});

test('closing cuts what does not finish in time', async (t) => {
  const { client, listener } = await serve(t, {
    methods: [{ kind: 'unary', path: '/test.Slow/Never', handle: () => new Promise(() => {}) }],
  });
  const never = call(client, '/test.Slow/Never', Buffer.from('x'), { deadlineMs: 5000 });
  await sleep(50);
  await listener.close({ deadlineMs: 50 });
  assert.ok([1, 13, 14].includes(code(await never) as number));
});

async function listenOn(path: string): Promise<Server> {
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  return server;
}
