/** Tollgate away, slow, or back again: never a 200 that was not decided. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { gatewayFor, needEnvoy } from '../support/envoy.ts';
import { send } from '../support/http.ts';
import { freePort } from '../support/ports.ts';
import { startDouble } from './tollgate-double.ts';

const PATH = '/v1/chat/completions';
const body = { model: 'gpt-5', messages: [] };

describe('outages', await needEnvoy(), () => {
  test('Tollgate is not there, comes, goes, and comes back', async (t) => {
    const port = await freePort();
    const gateway = await gatewayFor(t, { check: { port }, checkTimeoutMs: 300 });
    const statusOf = async (): Promise<number> => (await send({ url: gateway.url, path: PATH, body })).status;
    assert.equal(await statusOf(), 503);
    for (let round = 0; round < 2; round++) {
      const tollgate = await startDouble(t, { port });
      const until = performance.now() + 5000;
      while ((await statusOf()) !== 200) {
        assert.ok(performance.now() < until, 'Envoy does not find Tollgate again');
        await sleep(50);
      }
      const served = gateway.stub.records().length;
      tollgate.stop();
      for (let i = 0; i < 5; i++) assert.equal(await statusOf(), 503);
      assert.equal(gateway.stub.records().length, served);
    }
  });

  test('a Check that is not answered in time is 503', async (t) => {
    const tollgate = await startDouble(t);
    const gateway = await gatewayFor(t, { check: { port: tollgate.port }, checkTimeoutMs: 50 });
    tollgate.decide(() => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
      return { allow: {} };
    });
    const answer = await send({ url: gateway.url, path: PATH, body });
    assert.equal(answer.status, 503);
    assert.equal(gateway.stub.records().length, 0);
  });

  for (const code of [status.UNAVAILABLE, status.INTERNAL, status.RESOURCE_EXHAUSTED, status.PERMISSION_DENIED]) {
    test(`a Check that fails with ${status[code]} is 503`, async (t) => {
      const tollgate = await startDouble(t);
      const gateway = await gatewayFor(t, { check: { port: tollgate.port } });
      tollgate.decide(() => ({ fail: code }));
      const answer = await send({ url: gateway.url, path: PATH, body });
      assert.equal(answer.status, 503);
      assert.equal(gateway.stub.records().length, 0);
    });
  }

  test('what Tollgate cannot decide is answered in its own words', async (t) => {
    const tollgate = await startDouble(t);
    const gateway = await gatewayFor(t, { check: { port: tollgate.port } });
    tollgate.decide(() => ({ undecided: '{"error":{"code":"limits_unavailable"}}' }));
    const answer = await send({ url: gateway.url, path: PATH, body });
    assert.equal(answer.status, 503);
    assert.equal(answer.text, '{"error":{"code":"limits_unavailable"}}');
    assert.equal(answer.headers['retry-after'], '1');
    const entry = await tollgate.entryOf(tollgate.checks[0]!.id);
    assert.equal(entry.attempts, 0);
    assert.equal(entry.details, 'ext_authz_error');
  });

  test('500 calls at once, all held by the provider: each is decided once and logged once', async (t) => {
    const tollgate = await startDouble(t);
    // Clients, double and provider share one thread here: the deadline is not what this is about.
    const gateway = await gatewayFor(t, {
      check: { port: tollgate.port },
      checkTimeoutMs: 10_000,
      behaviour: { hold: true },
    });
    const calls = Array.from({ length: 500 }, () => send({ url: gateway.url, path: PATH, body }));
    await gateway.stub.arrived(500);
    assert.equal(gateway.stub.held(), 500);
    gateway.stub.release();
    assert.deepEqual([...new Set((await Promise.all(calls)).map((answer) => answer.status))], [200]);
    for (const { id } of tollgate.checks) await tollgate.entryOf(id);
    assert.equal(tollgate.checks.length, 500);
    assert.equal(tollgate.entries.length, 500);
  });

  test('the access log away: requests are served all the same', async (t) => {
    const tollgate = await startDouble(t);
    const gateway = await gatewayFor(t, { check: { port: tollgate.port }, accessLog: { port: await freePort() } });
    assert.equal((await send({ url: gateway.url, path: PATH, body })).status, 200);
  });

  test("retries off: one attempt, and the provider's 503 goes to the client", async (t) => {
    const tollgate = await startDouble(t);
    const gateway = await gatewayFor(t, { check: { port: tollgate.port }, retries: 0, behaviour: { failures: 1 } });
    const answer = await send({ url: gateway.url, path: PATH, body });
    assert.equal(answer.status, 503);
    assert.match(answer.text, /stub failure/);
    assert.equal(gateway.stub.records().length, 1);
  });

  test('the attempt log, if asked for, has an entry for each attempt with the decision id', async (t) => {
    const tollgate = await startDouble(t);
    const gateway = await gatewayFor(t, {
      check: { port: tollgate.port },
      upstreamLog: true,
      behaviour: { failures: 2 },
    });
    const answer = await send({ url: gateway.url, path: PATH, body });
    assert.equal(answer.status, 200);
    const id = String(answer.headers['x-tollgate-decision']);
    await tollgate.entryOf(id);
    const attempts = tollgate.entries.filter((entry) => entry.type === 'UpstreamEnd');
    assert.deepEqual(
      attempts.map((entry) => entry.status),
      [503, 503, 200],
    );
    for (const attempt of attempts) assert.equal(attempt.requestHeaders['x-tollgate-decision'], id);
  });

  test('Tollgate and its access log on Unix sockets', async (t) => {
    const tollgate = await startDouble(t, { socket: true });
    const gateway = await gatewayFor(t, { check: { path: tollgate.socketPath } });
    const answer = await send({ url: gateway.url, path: PATH, body });
    assert.equal(answer.status, 200);
    assert.equal((await tollgate.entryOf(String(answer.headers['x-tollgate-decision']))).attempts, 1);
  });
});
