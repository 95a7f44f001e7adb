import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/core/clock.ts';
import type { Awaitable } from '../../src/core/units.ts';
import { serveAccessLog } from '../../src/envoy/access-log-service.ts';
import { type Listener, listen } from '../../src/envoy/transport.ts';
import type { LogEntry } from '../../src/metering/entry.ts';
import type { Scope } from '../support/scope.ts';
import { clientOf, openStream } from './client.ts';
import { encode } from './protos.ts';

const STREAM = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

function message(...statuses: number[]): Buffer {
  return encode('envoy.service.accesslog.v3.StreamAccessLogsMessage', {
    http_logs: {
      log_entry: statuses.map((value) => ({
        common_properties: { access_log_type: 6 },
        response: { response_code: { value } },
      })),
    },
  });
}

async function serve(scope: Scope, take: (entries: readonly LogEntry[]) => Awaitable<void>) {
  const faults: [string, unknown][] = [];
  const listener: Listener = await listen({
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [serveAccessLog({ take, onFault: (...fault) => faults.push(fault) })],
    receiveBytesMax: 4_194_304,
    clock: systemClock,
    rotate: false,
  });
  scope.after(() => listener.close({ deadlineMs: 100 }));
  return { listener, faults, ...openStream(clientOf(listener.endpoint, scope), STREAM) };
}

async function until(true_: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !true_(); i++) await sleep(5);
  assert.ok(true_(), 'did not come true within 2 s');
}

test('entries are taken in order, over many messages, on a stream that stays open', async (t) => {
  const taken: number[] = [];
  const { stream, ended, faults } = await serve(t, (entries) => {
    taken.push(...entries.map(({ status }) => status));
  });
  stream.write(message(200, 429));
  stream.write(message());
  stream.write(message(503));
  await until(() => taken.length === 3);
  assert.deepEqual(taken, [200, 429, 503]);
  assert.equal(await Promise.race([ended, sleep(30, 'open')]), 'open');
  assert.deepEqual(faults, []);
});

test('bytes that cannot be read, and a taker that fails, do not end the stream', async (t) => {
  const taken: number[] = [];
  const { stream, ended, faults } = await serve(t, (entries) => {
    const status = entries[0]!.status;
    taken.push(status);
    if (status === 1) throw new Error('sync');
    return status === 2 ? Promise.reject(new Error('async')) : undefined;
  });
  stream.write(Buffer.from([0x12, 0x7f]));
  for (const status of [1, 2, 3]) stream.write(message(status));
  await until(() => taken.length === 3 && faults.length === 3);
  assert.deepEqual(
    faults.map(([fault]) => fault),
    ['undecodable', 'failed', 'failed'],
  );
  assert.equal(await Promise.race([ended, sleep(30, 'open')]), 'open');
});

test('a slow taker holds its stream back', async (t) => {
  let together = 0;
  let running = 0;
  let taken = 0;
  const { stream } = await serve(t, async () => {
    together = Math.max(together, ++running);
    await sleep(3);
    running--;
    taken++;
  });
  for (let i = 0; i < 10; i++) stream.write(message(200));
  await until(() => taken === 10);
  assert.equal(together, 1);
});

test('shutdown ends the stream with an answer', async (t) => {
  let taken = 0;
  const { stream, ended, listener } = await serve(t, () => {
    taken++;
  });
  stream.write(message(200));
  await until(() => taken === 1);
  await listener.close({ deadlineMs: 2000 });
  assert.deepEqual(await ended, Buffer.alloc(0));
});
