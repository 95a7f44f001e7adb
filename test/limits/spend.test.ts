import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openValidity, type SpendInput, shareOf, spendOf } from '../../src/limits/spend.ts';
import type { Spend } from '../../src/limits/store.ts';
import type { BoundLimit } from '../../src/policy/policy.ts';
import { aBound, month } from './limits.ts';

const NOW = Date.parse('2026-03-15T12:00:00Z');
const MARCH = Date.parse('2026-02-28T23:00:00Z');
const APRIL = Date.parse('2026-03-31T22:00:00Z');
const bucket = { kind: 'bucket', n: 1, p: 50, burst: 40, periodMs: 1000 } as const;

function ask(bound: BoundLimit, input: Partial<SpendInput> = {}): { spend: Spend; from: number; until: number } {
  const validity = openValidity();
  const defaults = { partition: '', amount: 1, nowMs: NOW, classes: [], yieldsAt: undefined, observe: false };
  const spend = spendOf(bound, { ...defaults, ...input }, validity);
  return { spend, ...validity };
}

describe('a share of a capacity', () => {
  const rows: readonly [capacity: number, percent: number, share: number][] = [
    /* 1 */ [50, 80, 40],
    /* 2: rounds down */ [3, 50, 1],
    /* 3 */ [7, 100, 7],
    /* 4 */ [99, 0, 0],
    /* 5: exact up to the largest */ [Number.MAX_SAFE_INTEGER, 99, 8_917_127_262_193_581],
    /* 6 */ [Number.MAX_SAFE_INTEGER, 100, Number.MAX_SAFE_INTEGER],
  ];
  for (const [index, [capacity, percent, share]] of rows.entries()) {
    it(`${index + 1}: ${percent} % of ${capacity}`, () => assert.equal(shareOf(capacity, percent), share));
  }
});

describe('from a limit to a spend', () => {
  it('1: a window of a month', () => {
    const { spend, from, until } = ask(aBound({ name: 'spend', warn: [50, 80] }), { amount: 7 });
    assert.deepEqual(spend, {
      counter: `acme|spend|window,charge,month,Europe/Berlin||${MARCH}`,
      kind: 'window',
      unit: 'charge',
      onExpiry: 'keep',
      limit: 'spend',
      amount: 7,
      ceiling: 1000,
      observe: false,
      once: false,
      end: APRIL,
      warn: [500, 800],
    });
    assert.deepEqual([from, until], [MARCH, APRIL]);
  });

  it('2: a bucket: its capacity is its burst', () => {
    const { spend, from, until } = ask(aBound({ unit: 'requests', shape: bucket, max: 20 }), {
      partition: 'k1',
      yieldsAt: 80,
    });
    assert.deepEqual([spend.n, spend.p, spend.ceiling, spend.yields], [1, 50, 40, { spentMax: 32 }]);
    assert.equal(spend.counter, 'acme|limit|bucket,requests,1000,|k1|');
    assert.deepEqual([from, until], [0, Number.MAX_SAFE_INTEGER]);
  });

  it('3: ceilings of several classes: the lowest', () => {
    const bound = aBound({
      shape: { kind: 'slots' },
      max: 50,
      ceiling: new Map([
        ['agentic', 80],
        ['batch', 60],
      ]),
    });
    const ceilings = [[], ['interactive'], ['agentic'], ['agentic', 'batch'], ['batch', 'agentic']].map(
      (classes) => ask(bound, { classes }).spend.ceiling,
    );
    assert.deepEqual(ceilings, [50, 50, 40, 30, 30]);
  });

  it('4: `runs` is asked once a run', () => {
    assert.equal(ask(aBound({ unit: 'runs' })).spend.once, true);
  });

  it('5: observed', () => {
    assert.equal(ask(aBound({}), { observe: true }).spend.observe, true);
  });

  it('6: a total has neither rate nor end', () => {
    const { spend } = ask(aBound({ shape: { kind: 'total' } }), { partition: 'r' });
    assert.deepEqual([spend.n, spend.p, spend.end], [undefined, undefined, undefined]);
  });

  it('7: the next question is in the next window, of another counter', () => {
    const bound = aBound({});
    const first = ask(bound, { nowMs: APRIL - 1 });
    const next = ask(bound, { nowMs: APRIL });
    assert.equal(first.until, next.from);
    assert.notEqual(first.spend.counter, next.spend.counter);
    // And back: a clock that is set back finds the old one.
    assert.equal(ask(bound, { nowMs: APRIL - 1 }).spend.counter, first.spend.counter);
  });

  it('8: other partitions are other counters, the same one is the same', () => {
    const bound = aBound({ each: 'credential' });
    const counters = ['a', 'b', 'a'].map((partition) => ask(bound, { partition }).spend.counter);
    assert.notEqual(counters[0], counters[1]);
    assert.equal(counters[0], counters[2]);
  });

  it('9: a threshold of nothing does not warn', () => {
    assert.deepEqual(ask(aBound({ max: 50, warn: [1, 50] })).spend.warn, [25]);
    assert.equal(ask(aBound({ max: 50, warn: [1] })).spend.warn, undefined);
  });

  it('10: validity is the intersection of all windows', () => {
    const validity = openValidity();
    const input = { partition: '', amount: 1, nowMs: NOW, classes: [], yieldsAt: undefined, observe: false };
    spendOf(aBound({ shape: month }), input, validity);
    spendOf(aBound({ shape: { kind: 'window', period: { kind: 'fixed', ms: 60_000 } } }), input, validity);
    spendOf(aBound({ shape: bucket }), input, validity);
    assert.deepEqual(validity, { from: NOW, until: NOW + 60_000 });
  });
});

describe('an override', () => {
  const override = { max: 300, burst: undefined, untilMs: NOW + 1000 };

  it('1: stands until it ends, with its percents, and the question with it', () => {
    const bound = aBound({ warn: [50] }, { override });
    const during = ask(bound, { yieldsAt: 10 });
    assert.deepEqual([during.spend.ceiling, during.spend.warn, during.spend.yields], [300, [150], { spentMax: 30 }]);
    assert.deepEqual([during.from, during.until], [MARCH, NOW + 1000]);
    const after = ask(bound, { nowMs: NOW + 1000, yieldsAt: 10 });
    assert.deepEqual([after.spend.ceiling, after.spend.warn, after.spend.yields], [1000, [500], { spentMax: 100 }]);
    assert.deepEqual([after.from, after.until], [NOW + 1000, APRIL]);
    assert.equal(after.spend.counter, during.spend.counter);
  });

  it('2: of a bucket: another rate, and another burst where it has one', () => {
    const limit = { unit: 'requests', shape: bucket, max: 20 } as const;
    const slower = ask(aBound(limit, { override: { ...override, max: 15 } })).spend;
    assert.deepEqual([slower.n, slower.p, slower.ceiling], [3, 200, 40]);
    const wider = ask(aBound(limit, { override: { ...override, max: 20, burst: 90 } })).spend;
    assert.deepEqual([wider.n, wider.p, wider.ceiling], [1, 50, 90]);
    assert.equal(slower.counter, wider.counter);
  });
});
