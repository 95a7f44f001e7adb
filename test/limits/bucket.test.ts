import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  drained,
  drainMs,
  filled,
  type Level,
  lowered,
  P_MAX,
  type Rate,
  rateOf,
  refunded,
  rescaled,
  unitsUp,
} from '../../src/limits/bucket.ts';

const DAY = 86_400_000;
const BIG = Number.MAX_SAFE_INTEGER;

describe('a rate is reduced by its greatest common divisor', () => {
  const rows: readonly [amount: number, periodMs: number, n: number, p: number][] = [
    /* 1 */ [20, 1000, 1, 50],
    /* 2 */ [100_000, 60_000, 5, 3],
    /* 3 */ [7, DAY, 7, DAY],
    /* 4 */ [1, 1, 1, 1],
    /* 5 */ [2 ** 52, DAY, 2 ** 42, 84_375],
  ];
  for (const [index, [amount, periodMs, n, p]] of rows.entries()) {
    it(`${index + 1}: ${amount} per ${periodMs} ms`, () => assert.deepEqual(rateOf({ amount, periodMs }), { n, p }));
  }
});

describe('a level drains', () => {
  const rows: readonly [level: [number, number], rate: Rate, elapsedMs: number, after: [number, number]][] = [
    /* 1: 20 per second */ [[40, 0], { n: 1, p: 50 }, 50, [39, 0]],
    /* 2: less than a unit */ [[40, 0], { n: 1, p: 50 }, 1, [39, 49]],
    /* 3: parts borrow from units */ [[3, 10], { n: 1, p: 50 }, 11, [2, 49]],
    /* 4: never below 0 */ [[3, 0], { n: 1, p: 50 }, 1_000_000, [0, 0]],
    /* 5: to exactly 0 */ [[3, 0], { n: 1, p: 50 }, 150, [0, 0]],
    /* 6: no time */ [[3, 7], { n: 1, p: 50 }, 0, [3, 7]],
    /* 7: time went back */ [[3, 7], { n: 1, p: 50 }, -500, [3, 7]],
    /* 8: 5/3 per ms */ [[10, 0], { n: 5, p: 3 }, 2, [6, 2]],
    /* 9: past 2^53 parts, exact */ [[BIG, 0], { n: 2 ** 53 - 3, p: P_MAX }, 1, [9_007_199_150_490_999, 54_059_011]],
    /* 10: past every level */ [[BIG, 0], { n: 2 ** 53 - 3, p: P_MAX }, 10 * P_MAX, [0, 0]],
  ];
  for (const [index, [[units, parts], rate, elapsedMs, [unitsAfter, partsAfter]]] of rows.entries()) {
    it(`${index + 1}: ${units}+${parts}/${rate.p} after ${elapsedMs} ms`, () => {
      const after = drained({ units, parts, at: 1000, p: rate.p }, rate, 1000 + elapsedMs);
      assert.deepEqual([after.units, after.parts], [unitsAfter, partsAfter]);
      assert.equal(after.at, Math.max(1000, 1000 + elapsedMs));
    });
  }

  it('exactly as BigInt says, for every rate, level and time', () => {
    fc.assert(
      fc.property(levelAndRate(), fc.maxSafeNat(), ([level, rate], elapsedMs) => {
        const after = drained(level, rate, elapsedMs);
        const exact = partsOf(level) - BigInt(rate.n) * BigInt(elapsedMs);
        assert.equal(partsOf(after), exact > 0n ? exact : 0n);
        assert.ok(after.parts >= 0 && after.parts < after.p);
      }),
      { seed: 5, numRuns: 2000 },
    );
  });

  it('in two steps as in one', () => {
    fc.assert(
      fc.property(levelAndRate(), fc.nat(10 * DAY), fc.nat(10 * DAY), ([level, rate], first, second) => {
        const once = drained(level, rate, first + second);
        assert.deepEqual(drained(drained(level, rate, first), rate, first + second), once);
      }),
      { seed: 6, numRuns: 1000 },
    );
  });
});

describe('another p rescales a level, rounding up', () => {
  const rows: readonly [level: [number, number, number], p: number, after: [number, number]][] = [
    /* 1: the same */ [[3, 7, 50], 50, [3, 7]],
    /* 2: finer */ [[3, 1, 2], 50, [3, 25]],
    /* 3: coarser, up */ [[3, 1, 50], 2, [3, 1]],
    /* 4: up to a whole unit */ [[3, 49, 50], 2, [4, 0]],
    /* 5: nothing stays nothing */ [[3, 0, 50], 7, [3, 0]],
    /* 6: the largest */ [[0, P_MAX - 2, P_MAX - 1], P_MAX, [0, P_MAX - 1]],
  ];
  for (const [index, [[units, parts, p], newP, [unitsAfter, partsAfter]]] of rows.entries()) {
    it(`${index + 1}: ${units}+${parts}/${p} to /${newP}`, () => {
      const after = rescaled({ units, parts, at: 0, p }, { n: 1, p: newP });
      assert.deepEqual([after.units, after.parts, after.p], [unitsAfter, partsAfter, newP]);
    });
  }
});

describe('a refund gives back at most what has not drained since', () => {
  const rate = { n: 1, p: 1000 };
  const rows: readonly [level: number, amount: number, entered: number, heldMs: number, after: [number, number]][] = [
    /* 1: at once */ [10, 1, 1, 0, [9, 0]],
    /* 2: half has drained */ [10, 1, 1, 500, [9, 500]],
    /* 3: all has drained */ [10, 1, 1, 1000, [10, 0]],
    /* 4: long ago */ [10, 1, 1, 1_000_000, [10, 0]],
    /* 5: a part of it, while enough is left */ [10, 3, 5, 2000, [7, 0]],
    /* 6: a part of it, more than is left */ [10, 3, 5, 3000, [8, 0]],
    /* 7: never below 0 */ [2, 5, 5, 0, [0, 0]],
    /* 8: minted after now */ [10, 1, 1, -5, [9, 0]],
  ];
  for (const [index, [units, amount, entered, heldMs, [unitsAfter, partsAfter]]] of rows.entries()) {
    it(`${index + 1}: ${amount} of ${entered} after ${heldMs} ms`, () => {
      const after = refunded({ units, parts: 0, at: 0, p: 1000 }, rate, { amount, entered, heldMs });
      assert.deepEqual([after.units, after.parts], [unitsAfter, partsAfter]);
    });
  }
});

describe('the time until there is room', () => {
  const rows: readonly [level: [number, number], rate: Rate, room: number, waitMs: number][] = [
    /* 1 */ [[40, 0], { n: 1, p: 50 }, 39, 50],
    /* 2: rounds up */ [[40, 0], { n: 3, p: 50 }, 39, 17],
    /* 3: parts count */ [[39, 1], { n: 1, p: 50 }, 39, 1],
    /* 4: room now */ [[39, 0], { n: 1, p: 50 }, 39, 0],
    /* 5: more room than level */ [[3, 4], { n: 1, p: 50 }, 39, 0],
    /* 6: less than nothing */ [[3, 0], { n: 1, p: 50 }, -2, 250],
    /* 7: past 2^53 parts */ [[BIG, 1], { n: 2 ** 53 - 3, p: P_MAX }, 0, 86_400_001],
    /* 8: longer than a number */ [[BIG, 0], { n: 1, p: P_MAX }, 0, BIG],
  ];
  for (const [index, [[units, parts], rate, room, waitMs]] of rows.entries()) {
    it(`${index + 1}: ${units}+${parts}/${rate.p} to ${room}`, () => {
      assert.equal(drainMs({ units, parts, at: 0, p: rate.p }, rate, room), waitMs);
    });
  }

  it('is enough, and one ms less is not', () => {
    fc.assert(
      fc.property(levelAndRate(), fc.nat(1000), ([level, rate], room) => {
        const waitMs = drainMs(level, rate, room);
        if (waitMs >= BIG) return;
        assert.ok(unitsUp(drained(level, rate, waitMs)) <= room);
        if (waitMs > 0) assert.ok(unitsUp(drained(level, rate, waitMs - 1)) > room);
      }),
      { seed: 7, numRuns: 2000 },
    );
  });
});

describe('filling and lowering', () => {
  it('keep the parts', () => {
    const level = { units: 3, parts: 7, at: 5, p: 50 };
    assert.deepEqual(filled(level, 4), { units: 7, parts: 7, at: 5, p: 50 });
    assert.deepEqual(lowered(level, 2), { units: 1, parts: 7, at: 5, p: 50 });
    assert.deepEqual(lowered(level, 4), { units: 0, parts: 0, at: 5, p: 50 });
    assert.equal(unitsUp(level), 4);
    assert.equal(unitsUp({ ...level, parts: 0 }), 3);
  });
});

function partsOf({ units, parts, p }: Level): bigint {
  return BigInt(units) * BigInt(p) + BigInt(parts);
}

/** Levels at 0 ms, from small to the largest, with a rate of the same p. */
function levelAndRate(): fc.Arbitrary<[Level, Rate]> {
  const size = (max: number) => fc.oneof(fc.integer({ min: 1, max: Math.min(50, max) }), fc.integer({ min: 1, max }));
  return fc.tuple(size(P_MAX), size(BIG), fc.oneof(fc.nat(200), fc.maxSafeNat())).chain(([p, n, units]) =>
    fc.nat(p - 1).map((parts): [Level, Rate] => [
      { units, parts, at: 0, p },
      { n, p },
    ]),
  );
}
