/** How a Tollgate ends, and what is left: P1 (the order), P4 (a fault of ours), P12 (no heap), P14 (no file descriptors). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, clientOf, openStream } from '../envoy/client.ts';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { begin, type Sent, send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

const HEALTH = '/grpc.health.v1.Health/Check';
const ACCESS_LOG = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';
/** HealthCheckResponse: field 1, SERVING or NOT_SERVING. */
const SERVING = Buffer.from([8, 1]);
const NOT_SERVING = Buffer.from([8, 2]);
/** HealthCheckRequest of service `liveness`. */
const LIVENESS = Buffer.concat([Buffer.from([10, 8]), Buffer.from('liveness')]);
const DRAIN_MS = 1_000;
const BURST = 40;

const need = await needEnvoy();

describe('ends of a Tollgate', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': plansWith({ limits: ['{name: year-requests, max: 1M requests per year}'] }),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith({ limits: ['{name: slots, max: 1000 in flight, each: customer}'] }),
    },
    callers: { one: { account: 'acme' } },
    node: ['--max-old-space-size=96', '--import', join(import.meta.dirname, 'drain-faults.ts')],
    gateway: { behaviour: { usage: { input: 5, output: 12 } } },
  });
  const book = bookOf(stack.ledger);
  const sockets = { check: stack.accessLog.replace(/log$/, 'check'), accessLog: stack.accessLog };
  const chat = (body: object = {}): Sent => ({
    url: stack.url,
    path: '/v1/chat/completions',
    headers: { authorization: `Bearer ${stack.key.one}` },
    body: { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 50, ...body },
  });
  const assertBooked = async (answers: readonly { headers: Record<string, unknown> }[]): Promise<void> => {
    for (const { headers } of answers) {
      const { end } = await book.ended(String(headers['x-tollgate-decision']));
      assert.equal(end.kind, 'settled');
    }
  };
  const burst = async () => {
    const answers = await Promise.all(Array.from({ length: BURST }, () => send(chat())));
    for (const { status, text } of answers) assert.equal(status, 200, text);
    return answers;
  };
  afterEach(() => stack.stub.reset());

  test('P4: an exception that nobody caught is told, what was decided is on disk, and the process ends with code 1', async (t) => {
    stack.stub.setBehaviour({ holdAfter: 1 });
    const streams = await Promise.all(Array.from({ length: 5 }, () => begin(chat({ stream: true }))));
    const fromMs = performance.now();
    assert.deepEqual(await stack.tollgate().kill('SIGUSR2'), { code: 1, signal: null });
    assert.match(stack.tollgate().output(), /"level":"fatal".*"code":"uncaught".*a fault that a test has made/);
    for (const { response } of streams) {
      assert.ok(book.allowed(String(response.headers['x-tollgate-decision'])), 'held on disk');
    }
    await stack.restart();
    t.diagnostic(`from the fault to serving again: ${Math.round(performance.now() - fromMs)} ms`);
    stack.stub.release();
    for (const { response } of streams) for await (const _ of response);
    await assertBooked(streams.map(({ response }) => response));
    assert.equal((await send(chat())).status, 200);
  });

  test('P12: a heap that is used up ends the process, as kill -9 does; the ledger is whole', async (t) => {
    const before = await burst();
    await assertBooked(before);
    const fromMs = performance.now();
    const { code, signal } = await stack.tollgate().kill('SIGWINCH');
    const endedMs = performance.now();
    assert.ok(code === 134 || signal === 'SIGABRT' || signal === 'SIGTRAP', `code ${code}, signal ${signal}`);
    assert.match(stack.tollgate().output(), /heap out of memory/);
    await stack.restart();
    t.diagnostic(
      `V8 gave up after ${Math.round(endedMs - fromMs)} ms; serving ${Math.round(performance.now() - endedMs)} ms later`,
    );
    await assertBooked(await burst());
    await until('every hold has its end', () => book.census().open === 0);
    assert.equal(book.census().closes, true);
    assert.equal(
      book.counter(book.everything()[0]!.hold.spends.find(({ limit }) => limit === 'year-requests')!.counter).used,
      book.everything().length,
    );
  });

  test('P14: without file descriptors connections that are there are served, and the ledger is written; it recovers by itself', async (t) => {
    await burst();
    const { pid } = stack.tollgate();
    const limitTo = (files: number): void => void execFileSync('prlimit', ['--pid', String(pid), `--nofile=${files}:`]);
    const soft = Number(
      execFileSync('prlimit', ['--pid', String(pid), '--nofile', '--output', 'SOFT', '--noheadings']).toString(),
    );
    limitTo(60);
    const idle: Socket[] = Array.from({ length: 100 }, () => connect({ path: sockets.check }));
    for (const socket of idle) socket.on('error', () => {});
    await until('no descriptor is left', async () => (await readdir(`/proc/${pid}/fd`)).length >= 60);
    await assertBooked(await burst());
    await assertBooked(await burst());
    for (const socket of idle) socket.destroy();
    await sleep(100);
    await assertBooked(await burst());
    const client = clientOf({ kind: 'unix', path: sockets.check }, t);
    assert.deepEqual(await call(client, HEALTH, Buffer.alloc(0), { deadlineMs: 5_000 }), SERVING);
    limitTo(soft);
    assert.equal(pid, stack.tollgate().pid);
  });

  test('P1: told to end, it says that it is not ready, goes on answering, ends a stream that has no end, exit 0', async (t) => {
    const settings = join(stack.bundle, 'tollgate.yaml');
    const text = await readFile(settings, 'utf8');
    await writeFile(settings, text.replace('drain: 1ms', `drain: ${DRAIN_MS}ms`));
    await stack.tollgate().kill('SIGINT');
    await stack.restart();
    await writeFile(settings, text);

    const client = clientOf({ kind: 'unix', path: sockets.check }, t);
    const endless = openStream(clientOf({ kind: 'unix', path: sockets.accessLog }, t), ACCESS_LOG);
    const ask = (request = Buffer.alloc(0)) => call(client, HEALTH, request, { deadlineMs: 2_000 });
    assert.deepEqual(await ask(), SERVING);
    const fromMs = performance.now();
    const over = stack.tollgate().kill('SIGTERM');
    await until('not serving', async () => NOT_SERVING.equals((await ask()) as Buffer));
    assert.deepEqual(await ask(LIVENESS), SERVING, 'it lives');
    const answers = await burst();
    assert.ok(performance.now() - fromMs < DRAIN_MS, 'the machine is too slow for this test');
    assert.deepEqual(await over, { code: 0, signal: null });
    const tookMs = performance.now() - fromMs;
    assert.ok(tookMs >= DRAIN_MS && tookMs < 12_000, `${tookMs} ms`);
    assert.deepEqual(await endless.ended, Buffer.alloc(0));
    await assertBooked(answers);
    await stack.restart();
    t.diagnostic(`ended after ${Math.round(tookMs)} ms, of which ${DRAIN_MS} ms answering`);
  });

  test('P1: a second signal flushes and ends at once', async () => {
    const settings = join(stack.bundle, 'tollgate.yaml');
    const text = await readFile(settings, 'utf8');
    await writeFile(settings, text.replace('drain: 1ms', 'drain: 1m'));
    await stack.tollgate().kill('SIGINT');
    await stack.restart();
    await writeFile(settings, text);
    stack.stub.setBehaviour({ hold: true });
    const waiting = Promise.all(Array.from({ length: BURST }, () => send(chat())));
    await stack.stub.arrived(BURST);
    const reached = stack.stub.records().map(({ decisionId }) => decisionId ?? '');
    process.kill(stack.tollgate().pid, 'SIGTERM');
    await stack.tollgate().line(/"code":"stopping"/);
    assert.deepEqual(await stack.tollgate().kill('SIGTERM'), { code: 0, signal: null });
    for (const id of reached) assert.ok(book.allowed(id), `${id} is in the ledger`);
    await stack.restart();
    stack.stub.release();
    for (const { status } of await waiting) assert.equal(status, 200);
    for (const id of reached) assert.equal((await book.ended(id)).end.kind, 'settled');
    assert.deepEqual([book.census().open, book.census().closes], [0, true]);
  });
});
