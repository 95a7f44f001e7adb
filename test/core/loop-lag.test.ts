import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoopLag } from '../../src/core/loop-lag.ts';

/** A timer every 10 ms, begun at 0. */
const ROWS: readonly (readonly [what: string, ticks: readonly number[], atMs: number, lagMs: number])[] = [
  ['before the first ring', [], 9, 0],
  ['a ring that does not come', [], 210, 200],
  ['rings in time', [10, 20], 25, 0],
  ['a late ring is seen after it', [10, 220], 221, 200],
  ['and forgotten with the next', [10, 220, 230], 231, 0],
  ['late, and late again already', [10, 75], 180, 95],
  ['a ring that comes early is no lag', [10, 12], 13, 0],
  ['time that stands still', [10, 10], 10, 0],
];

for (const [number, [what, ticks, atMs, lagMs]] of ROWS.entries()) {
  test(`${number + 1} ${what}`, () => {
    const lag = new LoopLag({ everyMs: 10, nowMs: 0 });
    for (const tick of ticks) lag.tick(tick);
    assert.equal(lag.lagMs(atMs), lagMs);
  });
}
