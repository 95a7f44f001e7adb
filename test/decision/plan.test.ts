import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Spend } from '../../src/limits/store.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { fileScope } from '../support/scope.ts';
import { type BundleParts, policyOf } from './bundle.ts';
import { NOW_MS } from './desk.ts';
import { type Planned, planOf, questionOf } from './planned.ts';

const scope = fileScope();
const HOUR_MS = 3_600_000;

/** Spends of the first candidate by limit. */
function spends(policy: Policy, planned: Planned = {}): ReadonlyMap<string, Spend> {
  return new Map(questionOf(policy, planned).ask.candidates[0]!.map((spend) => [spend.limit, spend]));
}

describe('partitions', async () => {
  const policy = await policyOf(scope, {
    limits: [
      '{name: none, max: 5 requests per hour}',
      '{name: account, max: 5 requests per hour, each: account}',
      '{name: credential, max: 5 requests per hour, each: credential}',
      '{name: actor, max: 5 requests per hour, each: actor}',
      '{name: run, max: 5 requests, each: run}',
      '{name: model, max: 5 requests per hour, each: model}',
      '{name: customer, max: 5 requests per hour, each: customer}',
      '{name: runs, max: 5 runs per hour}',
    ],
  });
  const CREDENTIAL = 'credential:k1';
  const of = (account: string, credential: string, actor: string, run?: string): Record<string, string> => ({
    none: '',
    account,
    credential,
    actor,
    ...(run === undefined ? {} : { run, runs: '' }),
    model: 'large',
    customer: 'acme',
  });
  const rows: readonly [n: number, planned: Planned, expected: Record<string, string>][] = [
    [1, { credential: 'k1' }, of('acme', 'k1', CREDENTIAL)],
    [2, { credential: 'k1', account: 'acme/x' }, of('acme/x', 'k1', CREDENTIAL)],
    [3, { credential: 'k1', actor: 'alice' }, of('acme', 'k1', 'actor:alice')],
    // No actor can take a credential's place.
    [4, { credential: 'k1', actor: 'k1' }, of('acme', 'k1', 'actor:k1')],
    // A run lies inside the account that started it.
    [5, { credential: 'k1', run: 'r1' }, of('acme', 'k1', CREDENTIAL, 'acme%007cr1')],
    [6, { credential: 'k1', account: 'acme/x', run: 'r1' }, of('acme/x', 'k1', CREDENTIAL, 'acme/x%007cr1')],
  ];
  for (const [n, planned, expected] of rows) {
    test(`partition ${n}`, () => {
      const found = [...spends(policy, planned)].map(([limit, { counter }]) => [limit, counter.split('|')[3]]);
      assert.deepEqual(Object.fromEntries(found), expected);
    });
  }

  test('every counter of a question lies inside the customer', () => {
    for (const account of ['acme', 'acme/x/y']) {
      const { ask } = questionOf(policy, { account, run: 'r1' });
      assert.equal(ask.customer, 'acme');
      for (const { counter } of ask.candidates.flat()) assert.match(counter, /^acme[|/]/);
    }
  });

  test('a run is marked inside its account, and ends after the idle time of traffic.yaml', async (t) => {
    assert.deepEqual(questionOf(policy, { account: 'acme/x', run: 'r1' }).ask.run, {
      marker: 'acme/x|r1',
      idleMs: HOUR_MS,
    });
    assert.equal(questionOf(policy).ask.run, undefined);
    const short = await policyOf(t, { runsFor: ['agentic'] });
    assert.equal(questionOf(short, { run: 'r1' }).ask.run?.idleMs, 600_000);
  });

  test('the limit on runs is asked once', () => {
    assert.equal(spends(policy, { run: 'r1' }).get('runs')?.once, true);
    assert.equal(spends(policy, { run: 'r1' }).get('none')?.once, false);
  });
});

test('zero spends are left out, the others keep their order', async (t) => {
  const policy = await policyOf(t, {
    limits: [
      '{name: out, max: 5k output_tokens per hour}',
      '{name: calls, max: 5 requests per hour}',
      '{name: in, max: 5k input_tokens per hour}',
    ],
  });
  assert.deepEqual([...spends(policy, { json: { max_tokens: 0 } }).keys()], ['calls', 'in']);
  const { ask, candidates } = questionOf(policy, { json: { max_tokens: 0 } });
  assert.deepEqual(
    candidates[0]?.lines.map(({ bound }) => bound.limit.name),
    ask.candidates[0]?.map(({ limit }) => limit),
  );
});

/** When a question asked at NOW_MS (12:00 UTC, 13:00 in Berlin) holds. */
const day = (iso: string): number => Date.parse(iso);
const WINDOWS: readonly [n: number, limits: readonly string[], from: number, until: number][] = [
  [1, [], 0, Number.MAX_SAFE_INTEGER],
  [2, ['5 requests per minute'], NOW_MS, NOW_MS + 60_000],
  [3, ['5 requests per hour'], NOW_MS, NOW_MS + HOUR_MS],
  [4, ['5 requests per day'], day('2026-11-23T23:00Z'), day('2026-11-24T23:00Z')],
  [5, ['5 requests per month'], day('2026-10-31T23:00Z'), day('2026-11-30T23:00Z')],
  [
    6,
    ['5 requests per 7h'],
    Math.floor(NOW_MS / (7 * HOUR_MS)) * 7 * HOUR_MS,
    (Math.floor(NOW_MS / (7 * HOUR_MS)) + 1) * 7 * HOUR_MS,
  ],
  // The intersection, whichever is first.
  [7, ['5 requests per month', '5 requests per minute'], NOW_MS, NOW_MS + 60_000],
  [8, ['5 requests per hour', '5 requests per day'], NOW_MS, NOW_MS + HOUR_MS],
];
for (const [n, limits, from, until] of WINDOWS) {
  test(`window ${n}: ${limits.join(' and ') || 'none'}`, async (t) => {
    const policy = await policyOf(t, { limits: limits.map((max, index) => `{name: w${index}, max: ${max}}`) });
    const { ask } = questionOf(policy);
    assert.deepEqual([ask.from, ask.until], [from, until]);
    for (const spend of ask.candidates[0]!) assert.ok(spend.end! >= until);
  });
}

test('windows of a candidate further down narrow the question too', async (t) => {
  const policy = await policyOf(t, {
    limits: ['{name: spend, max: 500 USD per month}', '{name: minute, max: 5 requests per minute, models: [small]}'],
    ladder: ['{at: 80% of spend, from: large, use: small}'],
  });
  const { ask } = questionOf(policy);
  assert.equal(ask.candidates.length, 2);
  assert.equal(ask.until, NOW_MS + 60_000);
});

test('a reservation lasts as the route does, and the grace', async (t) => {
  const policy = await policyOf(t);
  const lasting = (route: string): number => questionOf(policy, { route }).ask.expiresAt - NOW_MS;
  assert.equal(lasting('chat'), 600_000 + 60_000);
  assert.equal(lasting('strict'), 900_000 + 60_000);
  assert.equal(lasting('models'), 60_000 + 60_000);
});

const CEILING = '{name: slots, max: 50 in flight, each: customer, ceiling: {agentic: 81%, batch: 60%}}';
const CEILINGS: readonly [n: number, classes: readonly string[], ceiling: number][] = [
  [1, ['interactive'], 50],
  [2, ['agentic'], 40],
  [3, ['batch'], 30],
  [4, ['interactive', 'batch'], 30],
  [5, ['agentic', 'batch'], 30],
];
for (const [n, classes, ceiling] of CEILINGS) {
  test(`ceiling ${n}: ${classes.join(' + ')} may fill ${ceiling} of 50`, async (t) => {
    const policy = await policyOf(t, { trafficLimits: [CEILING] });
    assert.equal(spends(policy, { classes }).get('slots')?.ceiling, ceiling);
  });
}

describe('candidates that cannot be priced', () => {
  const row = (model: string, year: number): string =>
    `${model}: [{from: ${year}-01-01, per: 1M tokens, input: 1, output: 10}]`;
  const parts = (years: Readonly<Record<string, number>>): BundleParts => ({
    entitlements: ['{routes: [chat], models: [large, small, tiny], classes: [interactive]}'],
    prices: Object.entries(years).map(([model, year]) => row(model, year)),
    costs: Object.keys(years).map((model) => row(model, 2026)),
    limits: ['{name: spend, max: 500 USD per month}'],
    ladder: ['{at: 80% of spend, from: large, use: small}', '{at: 90% of spend, from: small, use: tiny}'],
  });
  const rows: readonly [n: number, years: Readonly<Record<string, number>>, expected: string][] = [
    [1, { large: 2026, small: 2026, tiny: 2026 }, 'large@400 small@450 tiny'],
    // Left out; the ladder goes on below it.
    [2, { large: 2026, small: 2027, tiny: 2026 }, 'large@400 tiny'],
    [3, { large: 2026, small: 2026, tiny: 2027 }, 'large@400 small'],
    // No step is left: its percents do not apply.
    [4, { large: 2026, small: 2027, tiny: 2027 }, 'large'],
    [5, { large: 2027, small: 2026, tiny: 2026 }, 'price_missing'],
  ];
  for (const [n, years, expected] of rows) {
    test(`unpriced ${n}: ${expected}`, async (t) => {
      const found = planOf(await policyOf(t, parts(years)));
      const shown =
        'reason' in found
          ? found.reason
          : found.candidates.map(({ model }, index) => {
              const yields = found.ask.candidates[index]![0]!.yields;
              return yields === undefined ? model?.name : `${model?.name}@${yields.spentMax / 1e9}`;
            });
      assert.equal(typeof shown === 'string' ? shown : shown.join(' '), expected);
    });
  }
});
