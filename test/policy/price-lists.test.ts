import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { PriceTables } from '../../src/policy/policy.ts';
import { loadWith, policyOf } from './bundles.ts';

async function tables(t: TestContext, prices: string): Promise<PriceTables> {
  const plans = `owner: f@acme.example\ncurrency: USD\nplans: {}\nprices:\n${prices}`;
  return policyOf(
    await loadWith(t, {
      'plans.yaml': plans,
      'accounts/acme.yaml': 'acme: {owner: a@b.example, timezone: UTC, unlisted: allow}\n',
    }),
  ).prices;
}

async function rules(t: TestContext, prices: string): Promise<string[]> {
  const plans = `owner: f@acme.example\ncurrency: USD\nplans: {}\nprices:\n${prices}`;
  const { problems } = await loadWith(t, {
    'plans.yaml': plans,
    'accounts/acme.yaml': 'acme: {owner: a@b.example, timezone: UTC}\n',
  });
  return problems.map(({ rule, line }) => `${line} ${rule}`);
}

test('a price is an integer of 10^-9 per million, whatever measure it is written in', async (t) => {
  const { charge } = await tables(
    t,
    `  a:
    large: [{from: 2026-01-01, per: 1M tokens, input: 1.25, output: 0.000000001}]
    small: [{from: 2026-01-01, per: 1k tokens, input: 0.00125, output: 3}]
    tiny: [{from: 2026-01-01, per: 500k tokens, input: 0, output: 0.1}]
`,
  );
  assert.deepEqual(charge['a']?.['large']?.[0]?.prices, { input: 1_250_000_000, output: 1 });
  assert.deepEqual(charge['a']?.['small']?.[0]?.prices, { input: 1_250_000_000, output: 3_000_000_000_000 });
  assert.deepEqual(charge['a']?.['tiny']?.[0]?.prices, { input: 0, output: 200_000_000 });
});

test('like and discount are worked out step by step, each price half to even', async (t) => {
  const { charge } = await tables(
    t,
    `  base: {large: [{from: 2026-01-01, per: 1M tokens, input: 0.000000005, cache_read: 0.000000015, output: 10}]}
  half: {like: base, discount: 50%}
  again: {like: half, discount: 12.5%}
  free: {like: base, discount: 100%}
  same: {like: base, discount: 0%}
`,
  );
  // 2.5 → 2, 7.5 → 8; then 2·0.875 = 1.75 → 2, 8·0.875 = 7.
  assert.deepEqual(charge['half']?.['large']?.[0]?.prices, { input: 2, cache_read: 8, output: 5_000_000_000 });
  assert.deepEqual(charge['again']?.['large']?.[0]?.prices, { input: 2, cache_read: 7, output: 4_375_000_000 });
  assert.deepEqual(charge['free']?.['large']?.[0]?.prices, { input: 0, cache_read: 0, output: 0 });
  assert.deepEqual(charge['same'], charge['base']);
});

test('rows ascend by band, then by date; the order in the file does not matter', async (t) => {
  const { charge } = await tables(
    t,
    `  a:
    large:
      - {from: 2026-07-01, per: 1M tokens, input_over: 200k, input: 4, output: 8}
      - {from: 2026-07-01, per: 1M tokens, input: 2, output: 4}
      - {from: 2026-01-01, per: 1M tokens, input_over: 200k, input: 3, output: 6}
      - {from: 2026-01-01, per: 1M tokens, input: 1, output: 2}
`,
  );
  assert.deepEqual(
    charge['a']?.['large']?.map(({ inputOver, fromMs }) => [inputOver, new Date(fromMs).toISOString().slice(0, 10)]),
    [
      [0, '2026-01-01'],
      [0, '2026-07-01'],
      [200_000, '2026-01-01'],
      [200_000, '2026-07-01'],
    ],
  );
});

test('price lists that cannot be are errors at their rows', async (t) => {
  const row = '{from: 2026-01-01, per: 1M tokens, input: 1, output: 2}';
  const rows: readonly [prices: string, expected: string[]][] = [
    ['  a: {like: b, discount: 1%}\n  b: {like: a, discount: 1%}\n', ['5 price-cycle', '6 price-cycle']],
    ['  a: {like: c, discount: 1%}\n  b: {like: a, discount: 1%}\n', ['5 name-unknown']],
    [`  a: {large: [${row}, ${row}]}\n`, ['5 price-overlap']],
    ['  a: {large: [{from: 2026-01-01, per: 1M tokens, input_over: 1k, input: 1, output: 2}]}\n', ['5 price-gap']],
    ['  a: {large: [{from: 2026-01-01, per: 7 tokens, input: 1, output: 7}]}\n', ['5 price-inexact']],
    ['  a: {large: [{from: 2026-01-01, per: 1M tokens, input: 9007200, output: 1}]}\n', ['5 amount-range']],
    ['  a: {large: [{from: 2026-01-01, per: 1M tokens, input: -1, output: 1}]}\n', ['5 value-wrong']],
    ['  a: {large: [{from: 2026-01-01, per: 1M tokens, input: "1", output: 1}]}\n', ['5 type-wrong']],
    ['  a: {like: b, discount: 101%}\n', ['5 value-wrong']],
    ['  a: {like: b, discont: 1%}\n', ['5 key-missing', '5 key-unknown']],
    ['  a: {large: []}\n', ['5 value-wrong']],
  ];
  for (const [index, [prices, expected]] of rows.entries()) {
    assert.deepEqual(await rules(t, prices), expected, `row ${index}`);
  }
});

test('the price version is of the prices alone', async (t) => {
  const base = await loadWith(t, {});
  const other = await loadWith(t, { 'models.yaml': 'owner: x@acme.example\nproviders: {}\nmodels: {}\n' });
  assert.notEqual(base.version, other.version);
  assert.equal(policyOf(base).priceVersion, policyOf(other).priceVersion);
});
