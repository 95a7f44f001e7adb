import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Client } from '@grpc/grpc-js';
import { systemClock } from '../../src/core/clock.ts';
import { Health } from '../../src/envoy/health.ts';
import { listen } from '../../src/envoy/transport.ts';
import type { Scope } from '../support/scope.ts';
import { call, clientOf, watch } from './client.ts';
import { decode, encode } from './protos.ts';

const SERVICE = 'envoy.service.auth.v3.Authorization';

async function serve(scope: Scope): Promise<{ health: Health; client: Client }> {
  const health = new Health([SERVICE]);
  const listener = await listen({
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [health.check, health.watch],
    receiveBytesMax: 4096,
    clock: systemClock,
  });
  scope.after(() => listener.close({ deadlineMs: 100 }));
  return { health, client: clientOf(listener.endpoint, scope) };
}

const request = (service: string): Buffer => encode('grpc.health.v1.HealthCheckRequest', { service });
const status = (answer: unknown): unknown => {
  assert.ok(Buffer.isBuffer(answer), String(answer));
  return decode('grpc.health.v1.HealthCheckResponse', answer)['status'];
};

test('Check tells whether the server, or a service of it, serves', async (t) => {
  const { health, client } = await serve(t);
  const ask = (service: string) => call(client, '/grpc.health.v1.Health/Check', request(service), { deadlineMs: 1000 });
  for (const [serving, told] of [
    [false, 2],
    [true, 1],
    [false, 2],
  ] as const) {
    health.set(serving);
    assert.equal(status(await ask('')), told);
    assert.equal(status(await ask(SERVICE)), told);
  }
  assert.equal(((await ask('other.Service')) as { code?: number }).code, 5);
});

test('liveness is served whatever else is not, and by name alone', async (t) => {
  const { health, client } = await serve(t);
  const ask = () => call(client, '/grpc.health.v1.Health/Check', request('liveness'), { deadlineMs: 1000 });
  assert.equal(status(await ask()), 1);
  health.set(true);
  health.set(false);
  assert.equal(status(await ask()), 1);
});

test('Watch tells each change once, and stays', async (t) => {
  const { health, client } = await serve(t);
  const told: unknown[] = [];
  const stream = watch(client, '/grpc.health.v1.Health/Watch', request(SERVICE));
  stream.on('error', () => {});
  stream.on('data', (bytes) => told.push(status(bytes)));
  await once(stream, 'data');
  for (const serving of [true, true, false]) health.set(serving);
  while (told.length < 3) await once(stream, 'data');
  assert.deepEqual(told, [2, 1, 2]);
  stream.cancel();
});

test('Watch of an unknown service says so', async (t) => {
  const { client } = await serve(t);
  const stream = watch(client, '/grpc.health.v1.Health/Watch', request('other.Service'));
  stream.on('error', () => {});
  const [bytes] = await once(stream, 'data');
  assert.equal(status(bytes), 3);
  stream.cancel();
});
