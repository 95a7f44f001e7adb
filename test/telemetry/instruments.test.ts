import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { METRICS, type MetricSpec, prometheusName } from '../../src/telemetry/names.ts';
import { SERIES_MAX } from '../../src/telemetry/registry.ts';
import { clock, DECISION, instrumentsOf, NAMES, seriesOf, USAGE } from './facts.ts';

const timing = () => ({ startMs: clock.monotonicMs() - 1, watch: undefined });

async function read(instruments: ReturnType<typeof instrumentsOf>): Promise<(series: string) => number | undefined> {
  const series = seriesOf(await instruments.metrics());
  return (name) => series.get(name);
}

describe('what is measured', () => {
  test('1 a decision, by what, where, for whom and how long', async () => {
    const of = instrumentsOf();
    of.decided(DECISION, timing());
    of.decided({ ...DECISION, outcome: 'deny', reason: 'budget_spent', account: 'acme/team' }, timing());
    const at = await read(of);
    const labels = 'tollgate_route="chat",gen_ai_request_model="gpt-5",tollgate_class="interactive"';
    assert.equal(at(`tollgate_decisions_total{tollgate_outcome="allow",tollgate_reason="allowed",${labels}}`), 1);
    assert.equal(at(`tollgate_decisions_total{tollgate_outcome="deny",tollgate_reason="budget_spent",${labels}}`), 1);
    // An account below a declared one counts as that one.
    assert.equal(at('tollgate_account_decisions_total{tollgate_account="acme",tollgate_outcome="deny"}'), 1);
    assert.equal(at('tollgate_decision_duration_seconds_count{tollgate_outcome="allow"}'), 1);
    assert.equal(at('tollgate_decision_duration_seconds_bucket{tollgate_outcome="allow",le="0.0005"}'), 0);
    assert.equal(at('tollgate_decision_duration_seconds_bucket{tollgate_outcome="allow",le="+Inf"}'), 1);
  });

  test('2 the steps of one decision in 16, the last one up to its end', async () => {
    const of = instrumentsOf();
    for (let i = 0; i < 32; i++) {
      const startMs = clock.monotonicMs();
      const watch = of.begin();
      for (const step of ['identify', 'read', 'reserve'] as const) watch?.mark(step);
      of.decided(DECISION, { startMs, watch });
    }
    const at = await read(of);
    for (const step of ['identify', 'read', 'reserve', 'conclude']) {
      assert.equal(at(`tollgate_decision_step_duration_seconds_count{tollgate_step="${step}"}`), 2, step);
    }
  });

  test('3 an end: tokens, money, attempts, by account and key; GenAI’s histograms', async () => {
    const of = instrumentsOf();
    of.ended(USAGE);
    of.ended({ ...USAGE, kind: 'failed', status: 500, tokens: { ...USAGE.tokens, input: 0 }, charge: 0, attempts: 3 });
    of.ended({ ...USAGE, kind: 'unreconciled', flags: ['unpriced_model'], attempts: 0, credential: 'no-key' });
    const at = await read(of);
    const of_ = 'tollgate_route="chat",gen_ai_request_model="gpt-5"';
    assert.equal(at(`tollgate_usage_ends_total{tollgate_end="settled",${of_}}`), 1);
    assert.equal(at(`tollgate_usage_ends_total{tollgate_end="unreconciled",${of_}}`), 1);
    assert.equal(at(`tollgate_usage_attempts_total{${of_}}`), 4);
    assert.equal(at(`tollgate_usage_tokens_total{tollgate_meter="input",${of_}}`), 800);
    assert.equal(at(`tollgate_usage_charge_total{tollgate_currency="USD",${of_}}`), 0.005);
    assert.equal(at('tollgate_account_charge_total{tollgate_currency="USD",tollgate_account="acme"}'), 0.005);
    assert.equal(at('tollgate_credential_calls_total{tollgate_credential="key1"}'), 2);
    assert.equal(at('tollgate_credential_calls_total{tollgate_credential="other"}'), 1);
    assert.equal(at('tollgate_usage_flags_total{tollgate_flag="unpriced_model"}'), 1);
    const genAi =
      'gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt-5",gen_ai_response_model="gpt-5"';
    assert.equal(at(`gen_ai_client_token_usage_sum{${genAi},gen_ai_token_type="input"}`), 500);
    assert.equal(at(`gen_ai_client_operation_duration_seconds_count{${genAi},error_type="500"}`), 1);
    assert.equal(at(`gen_ai_client_operation_duration_seconds_sum{${genAi},error_type="none"}`), 0.9);
  });

  test('4 every limit is there from the start, at 0; one that is no more is gone', async () => {
    const of = instrumentsOf();
    of.asked({ limit: 'burst', owner: 'acme', spent: 1, ceiling: 2 }, undefined);
    of.limitRefused('burst');
    of.limitWarned('budget');
    let at = await read(of);
    assert.equal(at('tollgate_limit_checks_total{tollgate_limit="burst"}'), 1);
    assert.equal(at('tollgate_limit_refusals_total{tollgate_limit="burst"}'), 1);
    assert.equal(at('tollgate_limit_checks_total{tollgate_limit="budget"}'), 0);
    assert.equal(at('tollgate_limit_warnings_total{tollgate_limit="budget"}'), 1);
    of.policyLoaded({ ...NAMES, version: 'cccccccccccccccc', limits: new Set(['burst', 'fresh']) }, 1);
    at = await read(of);
    assert.equal(at('tollgate_limit_checks_total{tollgate_limit="burst"}'), 1);
    assert.equal(at('tollgate_limit_checks_total{tollgate_limit="fresh"}'), 0);
    assert.equal(at('tollgate_limit_checks_total{tollgate_limit="budget"}'), undefined);
    assert.equal(at('tollgate_limit_warnings_total{tollgate_limit="budget"}'), undefined);
    const info = 'tollgate_policy_version="cccccccccccccccc",tollgate_price_version="bbbbbbbbbbbbbbbb"';
    assert.equal(at(`tollgate_policy_info{${info}}`), 1);
  });

  test('5 how much of a budget is spent, until its window is over', async () => {
    let nowMs = 1_000;
    const of = instrumentsOf({ clock: { nowMs: () => nowMs, monotonicMs: () => nowMs } });
    of.asked({ limit: 'budget', owner: 'acme', spent: 90, ceiling: 100 }, 5_000);
    const series = 'tollgate_budget_spent_ratio{tollgate_limit="budget",tollgate_account="acme"}';
    assert.equal((await read(of))(series), 0.9);
    of.asked({ limit: 'budget', owner: 'acme', spent: undefined, ceiling: 100 }, 5_000);
    assert.equal((await read(of))(series), 0.9);
    nowMs = 5_000;
    assert.equal((await read(of))(series), 0);
  });

  test('6 policies that are taken and refused', async () => {
    const of = instrumentsOf();
    of.policyRefused('refused');
    let at = await read(of);
    assert.deepEqual([at('tollgate_policy_refused'), of.isPolicyRefused], [1, true]);
    of.policyLoaded(NAMES, 1);
    at = await read(of);
    assert.equal(at('tollgate_policy_refused'), 0);
    assert.equal(at('tollgate_policy_reloads_total{tollgate_outcome="loaded"}'), 2);
    assert.equal(at('tollgate_policy_reloads_total{tollgate_outcome="refused"}'), 1);
  });

  test('7 what cannot be measured is missing, and counted; the rest is there', async () => {
    const of = instrumentsOf();
    of.observe('heapUsed', () => {
      throw new Error('no such file');
    });
    of.observe('heapLimit', () => [[[], 7]]);
    const at = await read(of);
    assert.deepEqual([at('tollgate_heap_used_bytes'), at('tollgate_heap_limit_bytes')], [undefined, 7]);
    // Told with the next reading.
    assert.equal((await read(of))('tollgate_telemetry_faults_total'), 1);
  });

  test('O3: a million made-up accounts, keys, routes, models and classes make no series', async () => {
    const of = instrumentsOf({ accountsMax: 50 });
    of.policyLoaded({ ...NAMES, declared: (account) => account, isKey: () => true }, 1);
    for (let i = 0; i < 1_000_000; i++) {
      const word = `made-up-${i}`;
      of.decided(
        { ...DECISION, route: word, model: word, class: word, account: word },
        { startMs: 0, watch: undefined },
      );
      if (i % 10 === 0) {
        const seen = { account: word, credential: word, route: word, model: word, answeredName: word, run: word };
        of.ended({ ...USAGE, ...seen });
        of.asked({ limit: word, owner: word, spent: 1, ceiling: 2 }, Number.POSITIVE_INFINITY);
        of.limitRefused(word);
      }
    }
    const text = await of.metrics();
    const series = seriesOf(text);
    assert.ok(series.size < 500, `${series.size} series`);
    assert.ok(of.series <= SERIES_MAX);
    // Of accounts and keys, which the policy says are known, the first 50.
    const accounts = [...series.keys()].filter((name) => name.startsWith('tollgate_account_decisions'));
    assert.equal(accounts.length, 51);
    assert.equal(
      [...series].reduce((sum, [name, n]) => (name.startsWith('tollgate_account_decisions') ? sum + n : sum), 0),
      1_000_000,
    );
    const made = new Set(text.match(/made-up-\d+/g));
    assert.ok(made.size <= 100, `${made.size} made-up words`);
    assert.equal(
      series.get(
        'tollgate_decisions_total{tollgate_outcome="allow",tollgate_reason="allowed",tollgate_route="other",gen_ai_request_model="other",tollgate_class="other"}',
      ),
      1_000_000,
    );
  });

  test('O3: with every word of a large policy in use there are at most 5000', async () => {
    const many = (what: string) => new Set(Array.from({ length: 300 }, (_, i) => `${what}${i}`));
    const [routes, models, limits] = [many('r'), many('m'), many('l')];
    const of = instrumentsOf({ accountsMax: 500 });
    of.policyLoaded({ ...NAMES, routes, models, limits, declared: (account) => account, isKey: () => true }, 1);
    const [route, model, limit] = [[...routes], [...models], [...limits]];
    for (let i = 0; i < 20_000; i++) {
      const n = (by: number) => (i * by) % 300;
      of.decided({ ...DECISION, route: route[n(7)]!, model: model[n(11)]!, account: `a${i % 600}` }, timing());
      of.ended({
        ...USAGE,
        route: route[n(7)]!,
        model: model[n(11)]!,
        account: `a${i % 600}`,
        credential: `k${i % 600}`,
      });
      of.asked({ limit: limit[n(3)]!, owner: `a${i % 600}`, spent: 1, ceiling: 2 }, Number.POSITIVE_INFINITY);
      of.limitRefused(limit[n(3)]!);
      of.limitWarned(limit[n(3)]!);
      of.limitStepped(limit[n(3)]!);
    }
    const series = seriesOf(await of.metrics());
    assert.ok(series.size <= SERIES_MAX, `${series.size} series`);
    assert.ok(of.series <= SERIES_MAX, `${of.series} kept`);
    assert.ok([...series.keys()].some((name) => name.includes('otel_metric_overflow="true"')));
  });

  test('8 every name of Prometheus is one of ours, and valid', async () => {
    const names = new Set(Object.values<MetricSpec>(METRICS).map(prometheusName));
    assert.equal(names.size, Object.keys(METRICS).length);
    for (const name of names) assert.match(name, /^[a-z][a-z0-9_]*$/);
    const of = instrumentsOf();
    of.decided(DECISION, timing());
    of.ended(USAGE);
    for (const line of (await of.metrics()).split('\n').filter((each) => each.startsWith('# TYPE'))) {
      const name = line.split(' ')[2]!;
      assert.ok(names.has(name) || name === 'target_info', name);
    }
  });
});
