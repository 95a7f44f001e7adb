/** What a real Tollgate tells of itself, and what it does where nobody listens: rows O1, O3, O4. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { checkRequest } from '../envoy/checks.ts';
import { call, clientOf } from '../envoy/client.ts';
import { decode } from '../envoy/protos.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { send } from '../support/http.ts';
import { freePort } from '../support/ports.ts';
import { ROOT, spawnNode } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';
import { stackFor, writeBundle } from '../support/tollgate.ts';
import { until } from '../support/until.ts';
import { startCollector } from '../telemetry/collector.ts';
import { seriesOf } from '../telemetry/facts.ts';
import { alerts, panels, readsOf } from '../telemetry/queries.ts';

const CHECK = '/envoy.service.auth.v3.Authorization/Check';
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const need = await needEnvoy();

describe('telemetry, through the real Envoy', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const collector = await startCollector(scope);
  const stack = await stackFor(scope, {
    callers: { one: { account: 'acme' } },
    settings: `telemetry: {otlp: "${collector.url}", every: 1s}\n`,
    gateway: { behaviour: { usage: { input: 30, output: 12 } } },
  });
  const chat = (model: string, headers: Record<string, string> = {}) =>
    send({
      url: stack.url,
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${stack.key.one}`, ...headers },
      body: { model, messages: [{ role: 'user', content: 'hello' }], max_tokens: 50 },
    });

  test('the caller’s trace goes on; its usage says who, what, how often, how long, how much', async () => {
    const answer = await chat('gpt-5-mini', { traceparent: TRACEPARENT });
    assert.equal(answer.status, 200);
    const id = answer.headers['x-tollgate-decision'];
    const usage = await until('the usage event', () =>
      collector.records.find(
        ({ name, attributes }) => name === 'tollgate.usage' && attributes['tollgate.decision.id'] === id,
      ),
    );
    assert.equal(usage.traceId, TRACE);
    const { attributes } = usage;
    assert.deepEqual(
      [
        attributes['tollgate.account'],
        attributes['tollgate.credential'],
        attributes['tollgate.route'],
        attributes['gen_ai.request.model'],
        attributes['gen_ai.usage.input_tokens'],
        attributes['gen_ai.usage.output_tokens'],
        attributes['tollgate.attempts'],
        attributes['tollgate.end'],
      ],
      ['acme', stack.keyId.one, 'chat', 'gpt-5-mini', 30, 12, 1, 'settled'],
    );
    assert.ok(Number(attributes['tollgate.duration_ms']) >= 0);
    assert.ok(Number(attributes['tollgate.charge']) > Number(attributes['tollgate.cost']));
    await until('both spans', () => collector.spans.length >= 2);
    const names = collector.spans.filter(({ traceId }) => traceId === TRACE).map(({ name }) => name);
    assert.deepEqual(names.toSorted(), ['chat gpt-5-mini', 'tollgate.check']);
  });

  test('where Envoy traces, its own span is the nearer one', async () => {
    const client = clientOf({ kind: 'unix', path: stack.accessLog.replace(/log$/, 'check') }, scope);
    const metadata = new Metadata();
    metadata.set('traceparent', `00-${'b'.repeat(32)}-${'c'.repeat(16)}-01`);
    const same = (bytes: Buffer): Buffer => bytes;
    const request = checkRequest({
      headerMap: [
        [':method', 'GET'],
        ['traceparent', TRACEPARENT],
      ],
      method: 'GET',
      path: '/v1/models',
    });
    await new Promise((resolve) => client.makeUnaryRequest(CHECK, same, same, request, metadata, resolve));
    const span = await until('the span', () => collector.spans.find(({ traceId }) => traceId === 'b'.repeat(32)));
    assert.deepEqual([span.parentId, span.attributes['tollgate.reason']], ['c'.repeat(16), 'credential_missing']);
  });

  test('calls that nobody traces leave no span; refusals are counted by their reason', async () => {
    const before = collector.spans.length;
    assert.equal((await chat('gpt-5-mini')).status, 200);
    assert.equal((await chat('made-up-model')).status, 404);
    const refused = '"tollgate.reason":"model_unknown","tollgate.route":"chat","gen_ai.request.model":"other"';
    await until('the refusal among the metrics', () =>
      [...(collector.metrics.get('tollgate.decisions') ?? [])].some(
        ([labels, n]) => labels.includes(refused) && n === 1,
      ),
    );
    await until(
      'the usage of both',
      () => collector.records.filter(({ name }) => name === 'tollgate.usage').length === 2,
    );
    assert.equal(collector.spans.length, before);
    const denial = collector.records.find(({ name }) => name === 'tollgate.denial');
    assert.equal(denial?.attributes['tollgate.reason'], 'model_unknown');
  });

  test('counters and ledger agree, every limit has its series, and no secret was sent', async () => {
    const at = (name: string) => [...(collector.metrics.get(name) ?? [])];
    await until('the ends among the metrics', () => at('tollgate.usage.ends').some(([, n]) => n === 2));
    assert.deepEqual(at('tollgate.ledger.drift'), [['{}', 0]]);
    assert.ok(at('tollgate.limit.checks').some(([, n]) => n > 0));
    assert.ok(at('tollgate.budget.spent').length > 0);
    assert.deepEqual(
      at('tollgate.mode').filter(([, n]) => n === 1),
      [['{"tollgate.mode":"normal"}', 1]],
    );
    const text = JSON.stringify([collector.records, collector.spans, [...collector.metrics]]);
    assert.ok(!text.includes(stack.key.one.split('_')[3]!), 'a key was sent');
  });

  test('what dashboard and alerts read is in the text that Prometheus gets', async () => {
    const names = new Set(
      [...(await scrape(stack.accessLog.replace(/log$/, 'admin'))).keys()].map((series) => series.replace(/\{.*/, '')),
    );
    const asked = new Set([...alerts(), ...panels()].flatMap(({ expr }) => readsOf(expr).map(({ series }) => series)));
    // What has not happened here: a class that was shed, a ladder's step, a threshold. Each is a test of its own.
    const rare = ['tollgate_check_shed_total', 'tollgate_limit_steps_total', 'tollgate_limit_warnings_total'];
    assert.deepEqual(
      [...asked].filter((series) => !names.has(series) && !rare.includes(series)),
      [],
    );
  });

  test('a policy that is refused is seen: the older one is in force, mode `stale`', async () => {
    const admin = stack.accessLog.replace(/log$/, 'admin');
    await writeFile(join(stack.bundle, 'plans.yaml'), 'owner: [not a bundle\n');
    const seen = await until('the refusal', async () => {
      const series = await scrape(admin);
      // Each metric has a turn of its own, so that what happens meanwhile is in some of them.
      const refused = series.get('tollgate_policy_reloads_total{tollgate_outcome="refused"}') ?? 0;
      const all = [
        refused >= 1,
        series.get('tollgate_policy_refused') === 1,
        series.get('tollgate_mode{tollgate_mode="stale"}') === 1,
      ];
      return all.every(Boolean) && series;
    });
    assert.equal(seen.get('tollgate_mode{tollgate_mode="normal"}'), 0);
    assert.equal((await chat('gpt-5-mini')).status, 200);
  });

  test('O3: thousands of made-up keys, models, classes, runs, paths and traces make no series', async () => {
    const before = (await scrape(stack.accessLog.replace(/log$/, 'admin'))).size;
    const client = clientOf({ kind: 'unix', path: stack.accessLog.replace(/log$/, 'check') }, scope);
    const ask = (n: number) =>
      call(
        client,
        CHECK,
        checkRequest({
          path: n % 5 === 0 ? `/v1/made-up-${n}` : '/v1/chat/completions',
          headerMap: [
            [':method', n % 7 === 0 ? `MADE${n}` : 'POST'],
            ['content-type', 'application/json'],
            ['authorization', `Bearer ${n % 3 === 0 ? `tg_prod_made${n}_${'x'.repeat(43)}` : stack.key.one}`],
            ['tollgate-class', n % 2 === 0 ? `made-up-${n}` : 'batch'],
            ['tollgate-run', `made-up-${n}`],
            ['traceparent', `00-${n.toString(16).padStart(32, 'a')}-00f067aa0ba902b7-00`],
          ],
          body: Buffer.from(JSON.stringify({ model: `made-up-${n}`, messages: [], user: `made-up-${n}` })),
        }),
        { deadlineMs: 5_000 },
      );
    for (let n = 0; n < 3_000; n += 100) await Promise.all(Array.from({ length: 100 }, (_, i) => ask(n + i)));
    const after = await scrape(stack.accessLog.replace(/log$/, 'admin'));
    const text = [...after.keys()].join('\n');
    assert.ok(!/made-?up|MADE|made\d/.test(text), 'a word of a client is a label');
    assert.ok(after.size < before + 60, `${before} series, then ${after.size}`);
    const decided = [...after].reduce(
      (sum, [name, n]) => (name.startsWith('tollgate_decisions_total') ? sum + n : sum),
      0,
    );
    assert.ok(decided >= 3_000, `${decided}`);
  });
});

/** GET /metrics of the admin port. */
async function scrape(socketPath: string): Promise<Map<string, number>> {
  const asked = get({ socketPath, path: '/metrics' });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  assert.equal(response.statusCode, 200);
  return seriesOf(Buffer.concat(parts).toString());
}

/** Nothing refuses a call: their ends are never told. */
const UNLIMITED = {
  'plans.yaml': plansWith({ limits: ['{name: year-requests, max: 1M requests per year}'] }),
  'accounts/acme.yaml': ONE_CUSTOMER,
  'accounts/globex.yaml': undefined,
  'traffic.yaml': trafficWith({ limits: ['{name: slots, max: 100k in flight, each: customer}'] }),
};

/** A bundle, and a way to ask a process that serves it. `ask` answers whether the call is allowed. */
async function bundleBeside(settings: string) {
  const scope = fileScope();
  const dir = await tempDir(scope);
  const bundle = join(dir, 'bundle');
  const { key } = await writeBundle(bundle, {
    files: UNLIMITED,
    callers: { one: { account: 'acme' } },
    settings,
  });
  const client = clientOf({ kind: 'unix', path: join(dir, 'run', 'check') }, scope);
  const ask = async (headers: readonly (readonly [string, string])[] = []): Promise<boolean> => {
    const body = Buffer.from(
      JSON.stringify({ model: 'gpt-5-mini', messages: [{ role: 'user', content: 'x' }], max_tokens: 5 }),
    );
    const answer = await call(
      client,
      CHECK,
      checkRequest({
        headerMap: [
          [':method', 'POST'],
          [':path', '/v1/chat/completions'],
          ['content-type', 'application/json'],
          ['authorization', `Bearer ${key.one}`],
          ...headers,
        ],
        body,
      }),
      { deadlineMs: 2_000 },
    );
    if (!Buffer.isBuffer(answer)) throw answer;
    return 'ok_response' in decode('envoy.service.auth.v3.CheckResponse', answer);
  };
  return { scope, bundle, ask };
}

describe('a collector that is down', async () => {
  for (const behaviour of ['refused', 'silent', 'slow'] as const) {
    const beside = fileScope();
    test(`O1: ${behaviour}: calls are decided as ever, and the end comes in time, with code 0`, async () => {
      const url =
        behaviour === 'refused'
          ? `http://127.0.0.1:${await freePort()}`
          : (await startCollector(beside, behaviour)).url;
      const settings = `telemetry: {otlp: "${url}", every: 1s, traces: 100%}\n`;
      const { scope, bundle, ask } = await bundleBeside(settings);
      const child = spawnNode(scope, ['src/cli/main.ts', 'serve', '--config', bundle]);
      await child.line(/"code":"serving"/);
      for (let i = 0; i < 300; i++) assert.ok(await ask([['traceparent', TRACEPARENT]]));
      const fromMs = performance.now();
      assert.deepEqual(await child.kill(), { code: 0, signal: null });
      const tookMs = performance.now() - fromMs;
      // `drain`, and the 2 s that telemetry may take; the rest takes a fraction of one.
      assert.ok(tookMs < 4_500, `${tookMs} ms`);
      if (behaviour === 'refused') assert.match(child.stderr(), /"code":"telemetry_export_failed"/);
    });
  }
});

test('O4: the reader of the log is stopped: lines are dropped and counted, and the loop goes on', async (t) => {
  const scope = fileScope();
  const script = `
    const { createLog, droppedLines } = await import(${JSON.stringify(join(ROOT, 'src/telemetry/log.ts'))});
    const log = createLog();
    let longest = 0;
    for (let round = 0; round < 120; round++) {
      const from = performance.now();
      await new Promise((resolve) => setImmediate(resolve));
      longest = Math.max(longest, performance.now() - from);
      for (let i = 0; i < 200; i++) log.info({ text: 'x'.repeat(300) }, 'line');
    }
    console.log(JSON.stringify({ dropped: droppedLines(), longest }));
    process.kill(process.pid, 'SIGKILL');
  `;
  const reader = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  scope.after(() => void reader.kill('SIGKILL'));
  await once(reader, 'spawn');
  reader.kill('SIGSTOP');
  const writer = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', reader.stdin],
  });
  scope.after(() => void writer.kill('SIGKILL'));
  const [text] = (await once(writer.stdout!, 'data')) as [Buffer];
  const { dropped, longest } = JSON.parse(String(text)) as { dropped: number; longest: number };
  t.diagnostic(`${dropped} of 24000 lines dropped, the loop waited ${longest.toFixed(1)} ms at most`);
  // 4 MiB wait, the pipe holds 64 KiB; 24,000 lines are some 10 MiB.
  assert.ok(dropped > 5_000, `${dropped}`);
});

test('O4: decisions go on while the reader of the log is stopped', async () => {
  const { scope, bundle, ask } = await bundleBeside('log: trace\n');
  const reader = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  scope.after(() => void reader.kill('SIGKILL'));
  await once(reader, 'spawn');
  reader.kill('SIGSTOP');
  const child = spawn(process.execPath, ['src/cli/main.ts', 'serve', '--config', bundle], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', reader.stdin],
  });
  scope.after(() => void child.kill('SIGKILL'));
  await until('the first decision', () => ask().catch(() => false));
  for (let i = 0; i < 100; i++) {
    assert.ok(await ask());
    await ask([['authorization', 'Bearer nonsense']]);
  }
});
