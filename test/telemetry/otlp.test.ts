import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Collector, ExportFailure, parseHeaders } from '../../src/telemetry/collector.ts';
import { resourceOf } from '../../src/telemetry/resource.ts';
import { ASKED_PER_SECOND, type TracedBy, Tracing } from '../../src/telemetry/tracing.ts';
import { freePort } from '../support/ports.ts';
import { fileScope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { startCollector } from './collector.ts';
import { clock, DECISION, instrumentsOf, USAGE } from './facts.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

const scope = fileScope();

function sending(url: string, options: { traces?: number; timeoutMs?: number; headers?: Record<string, string> } = {}) {
  const failures: string[] = [];
  const of = instrumentsOf({
    otlp: {
      url,
      headers: options.headers ?? {},
      timeoutMs: options.timeoutMs ?? 5_000,
      everyMs: 1_000,
      traces: options.traces ?? 0,
      onFailure: (signal, why) => failures.push(`${signal}: ${why}`),
    },
  });
  const decide = (traceparent: readonly string[]) => {
    const startMs = clock.monotonicMs();
    const watch = of.begin(traceparent);
    for (const step of ['identify', 'read', 'reserve'] as const) watch?.mark(step);
    of.decided(DECISION, { startMs, watch });
    return watch?.place;
  };
  return { of, failures, decide };
}

/** Of `tollgate_telemetry_items_total`, by signal and outcome. */
async function items(of: ReturnType<typeof instrumentsOf>): Promise<Record<string, number>> {
  const found = [
    ...(await of.metrics()).matchAll(
      /^tollgate_telemetry_items_total\{tollgate_signal="(\w+)",tollgate_outcome="(\w+)"\} (\d+)$/gm,
    ),
  ];
  return Object.fromEntries(found.map(([, signal, outcome, count]) => [`${signal} ${outcome}`, Number(count)]));
}

describe('OTLP', () => {
  test('1 a traced decision, the call it allows, and the usage are one trace, below the caller’s span', async () => {
    const collector = await startCollector(scope);
    const { of, decide } = sending(collector.url);
    decide([`00-${TRACE}-${PARENT}-01`]);
    of.ended({ ...USAGE, run: 'run tg_prod_abcdefgh_secretsecret' });
    await of.close();
    const [check, call] = collector.spans;
    assert.deepEqual(
      [collector.spans.length, check?.name, check?.kind, call?.name, call?.kind],
      [2, 'tollgate.check', 2, 'chat gpt-5', 3],
    );
    assert.deepEqual(
      [check?.traceId, check?.parentId, call?.traceId, call?.parentId],
      [TRACE, PARENT, TRACE, check?.spanId],
    );
    assert.deepEqual(check?.events, ['tollgate.step.identify', 'tollgate.step.read', 'tollgate.step.reserve']);
    assert.equal(check?.attributes['tollgate.reason'], 'allowed');
    assert.equal(call?.attributes['gen_ai.provider.name'], 'openai');
    assert.ok(Math.abs(check!.endMs - Date.now()) < 60_000 && check!.endMs >= check!.startMs);
    const [usage] = collector.records;
    assert.deepEqual([usage?.name, usage?.severity, usage?.traceId], ['tollgate.usage', 'INFO', TRACE]);
    assert.deepEqual(
      {
        account: usage?.attributes['tollgate.account'],
        credential: usage?.attributes['tollgate.credential'],
        route: usage?.attributes['tollgate.route'],
        model: usage?.attributes['gen_ai.request.model'],
        answered: usage?.attributes['gen_ai.response.model'],
        input: usage?.attributes['gen_ai.usage.input_tokens'],
        cached: usage?.attributes['gen_ai.usage.cache_read.input_tokens'],
        latency: usage?.attributes['tollgate.duration_ms'],
        attempts: usage?.attributes['tollgate.attempts'],
        charge: usage?.attributes['tollgate.charge'],
        cost: usage?.attributes['tollgate.cost'],
      },
      {
        account: 'acme',
        credential: 'key1',
        route: 'chat',
        model: 'gpt-5',
        answered: 'gpt-5-2025-08-07',
        input: 500,
        cached: 100,
        latency: 900,
        attempts: 1,
        charge: 0.0025,
        cost: 0.002,
      },
    );
    assert.equal(usage?.attributes['tollgate.run'], 'run [redacted]');
    assert.equal(collector.resource['service.name'], 'tollgate');
    const decisions = [...(collector.metrics.get('tollgate.decisions')?.values() ?? [])];
    assert.deepEqual(decisions, [1]);
  });

  test('2 whose traceparent is traced', () => {
    const { decide } = sending('http://127.0.0.1:1');
    const rows: readonly [traceparents: readonly string[], traced: boolean][] = [
      [[`00-${TRACE}-${PARENT}-01`], true],
      [[`00-${TRACE}-${PARENT}-00`], false],
      [[], false],
      [['nonsense'], false],
      [[`00-${TRACE}-${PARENT}-01`, `00-${TRACE}-${PARENT}-01`], false],
    ];
    for (const [index, [traceparents, traced]] of rows.entries()) {
      assert.equal(decide(traceparents) !== undefined, traced, `row ${index}`);
    }
  });

  test('2 what callers ask for is bounded by the second, what Envoy asks for is not', () => {
    let monotonicMs = 5_000;
    const tracing = new Tracing({
      resource: resourceOf({ version: '0.0.0', instance: 'test' }),
      version: '0.0.0',
      share: 0,
      random: () => 0.5,
      clock: { nowMs: () => 0, monotonicMs: () => monotonicMs },
      send: () => {},
    });
    const traced = (by: TracedBy): number =>
      Array.from({ length: 1_000 }, () => tracing.begin([`00-${TRACE}-${PARENT}-01`], by)).filter(Boolean).length;
    assert.equal(traced('caller'), ASKED_PER_SECOND);
    assert.equal(traced('envoy'), 1_000);
    monotonicMs += 999;
    assert.equal(traced('caller'), 0);
    monotonicMs += 1;
    assert.equal(traced('caller'), ASKED_PER_SECOND);
  });

  test('3 a share of the others is traced, in the caller’s trace where there is one', () => {
    // `random` says 0.5.
    assert.equal(sending('http://127.0.0.1:1', { traces: 0.5 }).decide([]), undefined);
    const { decide } = sending('http://127.0.0.1:1', { traces: 0.51 });
    assert.match(decide([])?.traceId ?? '', /^[0-9a-f]{32}$/);
    assert.equal(decide([`00-${TRACE}-${PARENT}-00`])?.traceId, TRACE);
  });

  test('4 headers go along; answers other than 2xx, and redirects, are failures', async () => {
    const collector = await startCollector(scope, 302);
    const { of, failures } = sending(collector.url, { headers: { 'x-tenant': 'a' } });
    of.ended(USAGE);
    await of.close();
    assert.deepEqual(failures.toSorted(), [
      'logs: expected status 200, found 302',
      'metrics: expected status 200, found 302',
    ]);
    assert.deepEqual(collector.requests.map(({ path }) => path).toSorted(), ['/v1/logs', '/v1/metrics']);
    assert.equal(collector.requests[0]?.headers['x-tenant'], 'a');
    assert.equal((await items(of))['logs failed'], 1);
  });

  test('5 refusals and events are told now and then, without secrets', async () => {
    const collector = await startCollector(scope);
    const { of } = sending(collector.url);
    for (let i = 0; i < 20; i++)
      of.decided({ ...DECISION, outcome: 'deny', reason: 'rate_limited' }, { startMs: 0, watch: undefined });
    of.decided({ ...DECISION, outcome: 'deny', account: undefined }, { startMs: 0, watch: undefined });
    of.events('warn', 'anomalies', { orphans: 1, authorization: 'secret', text: 'tg_prod_abcdefgh_secretsecret' });
    of.events('warn', 'telemetry_export_failed', {});
    await of.close();
    const names = collector.records.map(({ name }) => name);
    assert.deepEqual(names, [...Array<string>(5).fill('tollgate.denial'), 'tollgate.log']);
    assert.ok(!JSON.stringify(collector.records).includes('secret'), 'a secret was sent');
  });

  test('6 files of headers', () => {
    const rows: readonly [text: string, headers: Record<string, string> | undefined][] = [
      ['authorization: Bearer abc\n# a comment\n\nX-Tenant:  a b \n', undefined],
      [
        'authorization: Bearer abc\n# a comment\n\nX-Tenant:  a b\n',
        { authorization: 'Bearer abc', 'x-tenant': 'a b' },
      ],
      ['', {}],
      ['no colon', undefined],
      ['a: b\u00e9', undefined],
      ['__proto__: x', { ['__proto__']: 'x' }],
    ];
    for (const [index, [text, headers]] of rows.entries()) {
      const found = parseHeaders(text);
      assert.deepEqual(found && Object.entries(found), headers && Object.entries(headers), `row ${index}`);
    }
  });

  for (const behaviour of ['refused', 'silent', 'slow'] as const) {
    test(`O1: a collector that is ${behaviour}: what is lost is counted, and the end takes less than 2 s`, async () => {
      const collector = behaviour === 'refused' ? undefined : await startCollector(scope, behaviour);
      const { of } = sending(collector?.url ?? `http://127.0.0.1:${await freePort()}`);
      for (let i = 0; i < 6000; i++) of.ended({ ...USAGE, decisionId: `${i}` });
      await sleep(50);
      const before = performance.now();
      await of.close();
      assert.ok(performance.now() - before < 2_000, `${performance.now() - before} ms`);
      await until('all is accounted for', async () => {
        const counts = await items(of);
        const all = ['sent', 'full', 'failed', 'rejected'].reduce(
          (sum, outcome) => sum + (counts[`logs ${outcome}`] ?? 0),
          0,
        );
        return all === 6000 && counts;
      });
      const counts = await items(of);
      assert.ok(counts['logs full']! >= 6000 - 4096 - 256, JSON.stringify(counts));
      assert.ok(counts['logs failed']! > 0, JSON.stringify(counts));
      assert.equal(counts['logs sent']! > 0, behaviour === 'slow', JSON.stringify(counts));
      assert.equal(collector?.records.length ?? 0, counts['logs sent'], 'the counter is what arrived');
    });
  }

  test('7 a post has its deadline', async () => {
    const { url } = await startCollector(scope, 'silent');
    const before = performance.now();
    await assert.rejects(
      new Collector({ url, headers: {}, timeoutMs: 100 }).post('logs', new Uint8Array(1)),
      (error) => {
        assert.ok(error instanceof ExportFailure);
        assert.equal(error.message, 'no answer within 100 ms');
        return true;
      },
    );
    assert.ok(performance.now() - before < 2_000);
  });
});
