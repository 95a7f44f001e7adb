import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NO_QUANTITIES } from '../../src/core/units.ts';
import type { HeldSpend } from '../../src/ledger/hold.ts';
import { moneyOf, settlementsOf, zerosOf } from '../../src/metering/settlement.ts';
import { priceUsage } from '../../src/metering/usage.ts';
import { holdOf, MODELS, spendOf, TABLES } from './fixtures.ts';

const USED = {
  ...NO_QUANTITIES,
  input: 1,
  cache_read: 2,
  cache_write_5m: 4,
  cache_write_1h: 8,
  output: 16,
  reasoning: 3,
};
const LINES = [
  { meter: 'input', quantity: 15, charge: 100n, cost: 50n },
  { meter: 'output', quantity: 16, charge: 7n, cost: 3n },
] as const;

// What one spend settles at, where the request was served, failed at the provider, or was never sent.
const ROWS: readonly {
  readonly spend: Partial<HeldSpend> & Pick<HeldSpend, 'unit' | 'reserved'>;
  readonly served: number;
  readonly failed: number;
  readonly released: number;
}[] = [
  { spend: { unit: 'requests', reserved: 1 }, served: 1, failed: 1, released: 0 },
  { spend: { unit: 'requests', reserved: 1, kind: 'bucket', n: 1, p: 50 }, served: 1, failed: 1, released: 0 },
  { spend: { unit: 'requests', reserved: 1, kind: 'slots' }, served: 0, failed: 0, released: 0 },
  { spend: { unit: 'tokens', reserved: 300 }, served: 31, failed: 0, released: 0 },
  { spend: { unit: 'tokens', reserved: 300, kind: 'total' }, served: 31, failed: 0, released: 0 },
  { spend: { unit: 'input_tokens', reserved: 100, kind: 'bucket', n: 1, p: 1 }, served: 15, failed: 0, released: 0 },
  { spend: { unit: 'output_tokens', reserved: 200 }, served: 16, failed: 0, released: 0 },
  { spend: { unit: 'charge', reserved: 2202 }, served: 107, failed: 0, released: 0 },
  { spend: { unit: 'cost', reserved: 1102 }, served: 53, failed: 0, released: 0 },
  { spend: { unit: 'runs', reserved: 1 }, served: 1, failed: 1, released: 1 },
];

ROWS.forEach(({ spend, served, failed, released }, row) => {
  const held = spendOf(spend);
  const hold = holdOf({ spends: [held] });
  const nothing = { quantities: NO_QUANTITIES, lines: [] };
  test(`settle ${row + 1}: ${held.kind} of ${held.unit}`, () => {
    const actual = (outcome: Parameters<typeof settlementsOf>[1]) => settlementsOf(hold, outcome).map((s) => s.actual);
    assert.deepEqual(actual({ released: false, quantities: USED, lines: LINES }), [served]);
    assert.deepEqual(actual({ released: false, ...nothing }), [failed]);
    assert.deepEqual(actual({ released: true, ...nothing }), [released]);
    assert.deepEqual(
      zerosOf(hold).map((s) => s.actual),
      [0],
    );
  });
});

test('a settlement names its counter as the hold does, and how it moves', () => {
  const window = spendOf({ unit: 'tokens', reserved: 300 });
  const bucket = spendOf({ unit: 'requests', reserved: 1, kind: 'bucket', n: 1, p: 50, onExpiry: 'release' });
  const refs = zerosOf(holdOf({ spends: [window, bucket] })).map((s) => s.ref);
  assert.deepEqual(refs, [
    { counter: window.counter, kind: 'window', unit: 'tokens', onExpiry: 'keep', end: window.end },
    { counter: bucket.counter, kind: 'bucket', unit: 'requests', onExpiry: 'release', n: 1, p: 50 },
  ]);
});

test('what is beyond a safe integer fills any counter', () => {
  assert.equal(
    moneyOf([{ meter: 'input', quantity: 1, charge: 2n ** 60n, cost: 0n }], 'charge'),
    Number.MAX_SAFE_INTEGER,
  );
});

test('the charge settled is the sum of the lines', () => {
  const tokens = fc.nat(100_000);
  fc.assert(
    fc.property(fc.tuple(tokens, tokens, tokens, tokens, tokens), fc.boolean(), (counts, billed) => {
      const [input, cache_read, cache_write_5m, cache_write_1h, output] = counts;
      const quantities = { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning: output >> 1 };
      const hold = holdOf({
        spends: [spendOf({ unit: 'charge', reserved: 9 }), spendOf({ unit: 'cost', reserved: 9 })],
      });
      const { lines } = priceUsage({ quantities, answeredModel: undefined, billed }, hold, {
        tables: TABLES,
        models: MODELS,
      });
      const [charge, cost] = settlementsOf(hold, { released: false, quantities, lines });
      assert.equal(
        BigInt(charge?.actual ?? -1),
        lines.reduce((sum, line) => sum + line.charge, 0n),
      );
      assert.equal(
        BigInt(cost?.actual ?? -1),
        lines.reduce((sum, line) => sum + line.cost, 0n),
      );
    }),
    { numRuns: 500 },
  );
});
