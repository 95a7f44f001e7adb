import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { METERS, type Meter } from '../../src/core/units.ts';
import { amountsText, type BookLine, book, normalised } from '../../src/ledger/booking.ts';

const line = (meter: Meter, quantity: number, charge: bigint, model = 'gpt-5'): BookLine => ({
  meter,
  model,
  quantity,
  charge,
  cost: charge / 2n,
});
const text = (lines: readonly BookLine[]): readonly string[] =>
  lines.map((each) => `${each.meter} ${each.model} ${each.quantity} ${each.charge} ${each.cost}`);

const INPUT = line('input', 10, 100n);
const OUTPUT = line('output', 5, 60n);

/** What is booked (rank → amounts), the end's rank and amounts, the outcome and the lines it appends. */
const ROWS: readonly [
  booked: Record<number, BookLine[]>,
  rank: number,
  lines: BookLine[],
  outcome: string,
  added: string[],
][] = [
  [{}, 2, [OUTPUT, INPUT], 'booked', ['input gpt-5 10 100 50', 'output gpt-5 5 60 30']],
  [{}, 0, [], 'booked', []],
  [{}, 2, [INPUT, INPUT], 'booked', ['input gpt-5 20 200 100']],
  [{}, 2, [line('input', 0, 0n)], 'booked', []],
  [{}, 2, [line('input', 0, 4n)], 'booked', ['input gpt-5 0 4 2']],
  [{ 0: [INPUT] }, 2, [INPUT], 'booked', []],
  [{ 0: [INPUT] }, 2, [line('input', 4, 40n)], 'booked', ['input gpt-5 -6 -60 -30']],
  [{ 0: [INPUT] }, 2, [], 'booked', ['input gpt-5 -10 -100 -50']],
  [{ 0: [INPUT] }, 2, [OUTPUT], 'booked', ['input gpt-5 -10 -100 -50', 'output gpt-5 5 60 30']],
  [{ 2: [INPUT] }, 3, [line('input', 10, 20n, 'mini')], 'booked', ['input gpt-5 -10 -100 -50', 'input mini 10 20 10']],
  [{ 2: [INPUT] }, 2, [INPUT], 'repeated', []],
  [{ 2: [INPUT, OUTPUT] }, 2, [OUTPUT, line('input', 0, 0n), INPUT], 'repeated', []],
  [{ 2: [] }, 2, [], 'repeated', []],
  [{ 0: [INPUT], 2: [] }, 0, [INPUT], 'repeated', []],
  [{ 2: [INPUT] }, 2, [line('input', 10, 101n)], 'conflict', []],
  [{ 2: [INPUT] }, 2, [line('input', 10, 100n, 'mini')], 'conflict', []],
  [{ 2: [INPUT] }, 2, [], 'conflict', []],
  [{ 0: [INPUT], 2: [] }, 0, [OUTPUT], 'conflict', []],
  [{ 2: [INPUT] }, 0, [OUTPUT], 'superseded', []],
  [{ 4: [INPUT] }, 3, [], 'superseded', []],
];

for (const [index, [booked, rank, lines, outcome, added]] of ROWS.entries()) {
  test(`booking ${index + 1}: rank ${rank} is ${outcome}`, () => {
    const ranks = Object.entries(booked);
    const booking = book(
      {
        ends: new Map(ranks.map(([key, amounts]) => [Number(key), amountsText(amounts)])),
        sums: ranks.at(-1)?.[1] ?? [],
      },
      { rank, lines },
    );
    assert.equal(booking.outcome, outcome);
    assert.deepEqual(booking.outcome === 'booked' ? text(booking.lines) : [], added);
  });
}

const anyLine = fc.record({
  meter: fc.constantFrom(...METERS),
  model: fc.constantFrom('a', 'b'),
  quantity: fc.integer({ min: -3, max: 3 }),
  charge: fc.bigInt({ min: -5n, max: 5n }),
  cost: fc.bigInt({ min: -5n, max: 5n }),
});

test('what is booked plus the difference is the end, for any two sets of lines', () => {
  fc.assert(
    fc.property(fc.array(anyLine), fc.array(anyLine), (from, to) => {
      const booking = book({ ends: new Map([[0, amountsText(from)]]), sums: normalised(from) }, { rank: 2, lines: to });
      assert.equal(booking.outcome, 'booked');
      assert.equal(amountsText([...from, ...(booking as { lines: readonly BookLine[] }).lines]), amountsText(to));
    }),
    { seed: 3, numRuns: 300 },
  );
});

test('amounts are the same text in any order and partition', () => {
  fc.assert(
    fc.property(fc.array(anyLine), (lines) => {
      assert.equal(amountsText(lines.toReversed()), amountsText(lines));
      assert.equal(amountsText(normalised(lines)), amountsText(lines));
    }),
    { seed: 5, numRuns: 200 },
  );
});
