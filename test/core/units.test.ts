import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputTokens, METERS, NO_QUANTITIES, type Quantities, totalTokens, UNITS } from '../../src/core/units.ts';

const ROWS: [quantities: Partial<Quantities>, input: number, total: number][] = [
  [{}, 0, 0],
  [{ input: 10 }, 10, 10],
  [{ output: 7 }, 0, 7],
  [{ input: 10, output: 7 }, 10, 17],
  [{ input: 10, cache_read: 1, cache_write_5m: 2, cache_write_1h: 3 }, 16, 16],
  // Reasoning lies inside output and is not counted twice.
  [{ input: 10, output: 7, reasoning: 5 }, 10, 17],
];

for (const [i, [quantities, input, total]] of ROWS.entries()) {
  test(`1.${i + 1} ${JSON.stringify(quantities)}: ${input} in, ${total} in all`, () => {
    const all = { ...NO_QUANTITIES, ...quantities };
    assert.deepEqual([inputTokens(all), totalTokens(all)], [input, total]);
  });
}

test('2 no quantities: each meter once, all 0, and nobody can change that', () => {
  assert.deepEqual(Object.keys(NO_QUANTITIES).sort(), [...METERS].sort());
  assert.ok(Object.values(NO_QUANTITIES).every((quantity) => quantity === 0));
  assert.ok(Object.isFrozen(NO_QUANTITIES));
});

test('3 every unit once', () => {
  assert.equal(new Set(UNITS).size, UNITS.length);
});
