import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Breaker, type BreakerState } from '../../src/redis/breaker.ts';

type Event = 'ok' | 'fail' | 'ask';
type Row = readonly [atMs: number, event: Event, allowed: boolean | undefined, state: BreakerState];

/** With `random` at 1 it stays open for all of 250, 500, 1000, 2000 ms. */
const rows = new Map<string, readonly Row[]>([
  [
    'five failures in a row open it; a probe decides; each one that fails doubles the time',
    [
      /* 1 */ [0, 'fail', undefined, 'closed'],
      /* 2 */ [1, 'fail', undefined, 'closed'],
      /* 3 */ [2, 'fail', undefined, 'closed'],
      /* 4 */ [3, 'fail', undefined, 'closed'],
      /* 5 */ [4, 'fail', undefined, 'open'],
      /* 6 */ [5, 'ask', false, 'open'],
      /* 7: old news */ [6, 'ok', undefined, 'open'],
      /* 8 */ [253, 'ask', false, 'open'],
      /* 9: the probe */ [254, 'ask', true, 'half_open'],
      /* 10: no other */ [255, 'ask', false, 'half_open'],
      /* 11 */ [260, 'fail', undefined, 'open'],
      /* 12 */ [759, 'ask', false, 'open'],
      /* 13 */ [760, 'ask', true, 'half_open'],
      /* 14 */ [761, 'ok', undefined, 'closed'],
      /* 15 */ [762, 'ask', true, 'closed'],
      /* 16: counted anew */ [763, 'fail', undefined, 'closed'],
    ],
  ],
  [
    'a success between failures starts the row anew',
    [
      /* 1 */ [0, 'fail', undefined, 'closed'],
      /* 2 */ [0, 'fail', undefined, 'closed'],
      /* 3 */ [0, 'fail', undefined, 'closed'],
      /* 4 */ [0, 'fail', undefined, 'closed'],
      /* 5 */ [0, 'ok', undefined, 'closed'],
      /* 6 */ [0, 'fail', undefined, 'closed'],
      /* 7 */ [0, 'ask', true, 'closed'],
    ],
  ],
  [
    'a probe that nobody reports is given up',
    [
      ...Array.from({ length: 5 }, (_, i): Row => [i, 'fail', undefined, i === 4 ? 'open' : 'closed']),
      /* 6 */ [254, 'ask', true, 'half_open'],
      /* 7 */ [2253, 'ask', false, 'half_open'],
      /* 8 */ [2254, 'ask', true, 'half_open'],
    ],
  ],
  [
    'half of twenty calls within a second open it, half of nineteen do not',
    [
      ...Array.from({ length: 19 }, (_, i): Row => [i * 40, i % 2 === 0 ? 'ok' : 'fail', undefined, 'closed']),
      /* 20 */ [760, 'fail', undefined, 'open'],
    ],
  ],
  [
    'failures of more than a second ago do not count',
    [
      ...Array.from({ length: 19 }, (_, i): Row => [i, i % 2 === 0 ? 'ok' : 'fail', undefined, 'closed']),
      /* 20 */ [1000, 'fail', undefined, 'closed'],
    ],
  ],
]);

describe('the breaker', () => {
  for (const [name, story] of rows) {
    it(name, () => {
      const breaker = new Breaker({ random: () => 1 });
      for (const [i, [atMs, event, allowed, state]] of story.entries()) {
        if (event === 'ask') assert.equal(breaker.allows(atMs), allowed, `row ${i + 1}`);
        else if (event === 'ok') breaker.succeeded(atMs);
        else breaker.failed(atMs);
        assert.equal(breaker.state, state, `row ${i + 1}`);
      }
    });
  }

  it('R3: never keeps a server that answers waiting longer than 2 s, whatever came before', () => {
    const anEvent = fc.record({ waitMs: fc.nat(400), event: fc.constantFrom('ok', 'fail', 'ask') });
    fc.assert(
      fc.property(
        fc.array(anEvent, { maxLength: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (events, chance) => {
          const breaker = new Breaker({ random: () => chance });
          let now = 0;
          for (const { waitMs, event } of events) {
            now += waitMs;
            if (event === 'ask') breaker.allows(now);
            else if (event === 'ok') breaker.succeeded(now);
            else breaker.failed(now);
          }
          now += 2000;
          assert.equal(breaker.allows(now), true);
          breaker.succeeded(now);
          assert.equal(breaker.state, 'closed');
        },
      ),
      { seed: 5, numRuns: 300 },
    );
  });
});
