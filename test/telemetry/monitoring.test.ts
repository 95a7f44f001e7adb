/** Dashboard and alert rules ask for what is there. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { METRICS, type MetricSpec, prometheusName } from '../../src/telemetry/names.ts';
import { needPromtool, PROMTOOL } from '../support/promtool.ts';
import { DECISION, instrumentsOf, seriesOf, USAGE } from './facts.ts';
import { alerts, groupsOf, MONITORING, panels, readsOf } from './queries.ts';

const labelOf = (attribute: string): string => attribute.replace(/[^A-Za-z0-9]/g, '_');
/** Prometheus' own, and the bound of a bucket. */
const COMMON = ['instance', 'le'];

/** Labels by the names of time series. */
const SERIES = new Map(
  Object.values<MetricSpec>(METRICS).flatMap((spec) => {
    const labels = [...spec.labels.map(labelOf), ...COMMON];
    const name = prometheusName(spec);
    return spec.kind === 'histogram'
      ? ['_bucket', '_sum', '_count'].map((part) => [`${name}${part}`, labels] as const)
      : [[name, labels] as const];
  }),
);

describe('queries', () => {
  for (const [what, queries] of [
    ['alerts', alerts()],
    ['dashboard', panels()],
  ] as const) {
    test(`${what}: every series is one of ours, asked and grouped by its own labels`, () => {
      assert.ok(queries.length > 15);
      for (const { where, expr } of queries) {
        const reads = readsOf(expr);
        assert.ok(reads.length > 0, `${where} reads nothing`);
        const known = new Set<string>();
        for (const { series, labels } of reads) {
          const own = SERIES.get(series);
          assert.ok(own !== undefined, `${where}: no series \`${series}\``);
          for (const label of labels)
            assert.ok(own.includes(label), `${where}: \`${series}\` has no label \`${label}\``);
          for (const label of own) known.add(label);
        }
        for (const label of groupsOf(expr)) assert.ok(known.has(label), `${where}: grouped by \`${label}\``);
      }
    });
  }

  test('every metric that is not a plain count of traffic is in the dashboard or an alert', () => {
    const read = new Set([...alerts(), ...panels()].flatMap(({ expr }) => readsOf(expr).map(({ series }) => series)));
    const unseen = [...SERIES.keys()].filter((series) => !read.has(series) && !/_(?:bucket|sum|count)$/.test(series));
    assert.deepEqual(unseen, [
      'tollgate_tls_turned_away_total',
      'tollgate_usage_attempts_total',
      'tollgate_account_tokens_total',
      'tollgate_account_cost_total',
      'tollgate_credential_charge_total',
      'tollgate_telemetry_queue',
      'tollgate_telemetry_faults_total',
    ]);
  });

  test('the text that Prometheus gets has the series that are counted here', async () => {
    const of = instrumentsOf();
    of.decided(DECISION, { startMs: 0, watch: undefined });
    of.ended(USAGE);
    const names = new Set([...seriesOf(await of.metrics()).keys()].map((series) => series.replace(/\{.*/, '')));
    for (const name of ['tollgate_decisions_total', 'tollgate_usage_charge_total', 'tollgate_policy_info']) {
      assert.ok(names.has(name), name);
    }
    for (const name of names) assert.ok(SERIES.has(name) || name === 'target_info', name);
  });
});

const need = needPromtool();

describe('promtool', need, () => {
  const run = (...args: string[]): string =>
    execFileSync(PROMTOOL, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  test('the rules are rules', () => {
    assert.match(
      run('check', 'rules', join(MONITORING, 'alerts.yaml')),
      new RegExp(`SUCCESS: ${alerts().length} rules`),
    );
  });

  test('they fire when they should, and not before', () => {
    run('test', 'rules', join(MONITORING, 'alerts.test.yaml'), join(MONITORING, 'alerts-of-weeks.test.yaml'));
  });

  test('the text of the metrics is one, its names as they should be', async () => {
    const of = instrumentsOf();
    of.decided(DECISION, { startMs: 0, watch: undefined });
    of.ended(USAGE);
    const { status, stdout, stderr } = spawnSync(PROMTOOL, ['check', 'metrics'], {
      input: await of.metrics(),
      encoding: 'utf8',
    });
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
  });
});
