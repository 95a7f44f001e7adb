import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Overload } from '../../src/decision/overload.ts';

const ORDER = ['interactive', 'agentic', 'batch'];
/** Past the time in which a cold process may be slow. */
const WARM_MS = 10_000;

/** Which classes are served, each asked twice. */
function served(overload: Overload): string {
  return ORDER.map((name) =>
    [0, 1].map(() => (overload.sheds([name], { order: ORDER, random: 0 }) === undefined ? name[0] : '-')).join(''),
  ).join(' ');
}

type Seen = readonly [atMs: number, lagMs: number, inFlight?: number];
const ROWS: readonly (readonly [what: string, seen: readonly Seen[], served: string])[] = [
  ['nothing seen', [], 'ii aa bb'],
  ['lag at the bound', [[0, 50]], 'ii aa bb'],
  ['lag beyond it, seen once', [[0, 51]], 'ii aa bb'],
  [
    'seen for 99 ms',
    [
      [0, 51],
      [99, 199],
    ],
    'ii aa bb',
  ],
  [
    'for 100 ms: the last class',
    [
      [0, 51],
      [100, 51],
    ],
    'ii aa --',
  ],
  ['a stall of 200 ms, seen once: the last class', [[0, 200]], 'ii aa --'],
  ['500 under way', [[0, 0, 500]], 'ii aa bb'],
  ['501 under way', [[0, 0, 501]], 'ii aa --'],
  [
    'a second look at the same stall goes no deeper',
    [
      [0, 200],
      [1, 200],
      [199, 200],
    ],
    'ii aa --',
  ],
  [
    'it lasts: one class more',
    [
      [0, 200],
      [200, 60],
    ],
    'ii -- --',
  ],
  [
    'it lasts on: every other call of the first',
    [
      [0, 200],
      [200, 60],
      [400, 60],
    ],
    '-i -- --',
  ],
  [
    'no deeper than that',
    [
      [0, 200],
      [200, 60],
      [400, 60],
      [600, 999],
      [800, 999],
    ],
    '-i -- --',
  ],
  [
    'stall after stall, each over at the next look: the last class',
    [
      [0, 200],
      [10, 0],
      [500, 200],
      [510, 0],
      [900, 200],
    ],
    'ii aa --',
  ],
  [
    'well for less than a second',
    [
      [0, 200],
      [999, 0],
    ],
    'ii aa --',
  ],
  [
    'well for a second',
    [
      [0, 200],
      [1000, 0],
    ],
    'ii aa bb',
  ],
  [
    'one class a second comes back',
    [
      [0, 200],
      [200, 60],
      [1200, 0],
      [1300, 0],
    ],
    'ii aa --',
  ],
  [
    'and then the other',
    [
      [0, 200],
      [200, 60],
      [1200, 0],
      [2200, 0],
    ],
    'ii aa bb',
  ],
  [
    'between well and pressed nothing changes',
    [
      [0, 200],
      [500, 40],
      [1200, 26],
      [2100, 0],
    ],
    'ii aa --',
  ],
  [
    'until it is well',
    [
      [0, 200],
      [500, 40],
      [1200, 26],
      [2200, 0],
    ],
    'ii aa bb',
  ],
];

for (const [number, [what, seen, expected]] of ROWS.entries()) {
  test(`${number + 1} ${what}`, () => {
    const overload = new Overload({ nowMs: 0 });
    for (const [atMs, lagMs, inFlight = 0] of seen)
      overload.observe({ nowMs: WARM_MS + atMs, lagMs, inFlight }, ORDER.length);
    assert.equal(served(overload), expected);
  });
}

test('a process that has just started sheds by what is under way, not by lag', () => {
  const overload = new Overload({ nowMs: 0 });
  overload.observe({ nowMs: 4_999, lagMs: 900, inFlight: 500 }, ORDER.length);
  assert.equal(overload.depth, 0);
  overload.observe({ nowMs: 4_999, lagMs: 0, inFlight: 501 }, ORDER.length);
  assert.equal(overload.depth, 1);
});

test('a call is of the last of its classes, waits 1 to 4 s, and is counted', () => {
  const overload = new Overload({ nowMs: 0 });
  overload.observe({ nowMs: WARM_MS, lagMs: 200, inFlight: 0 }, ORDER.length);
  const asked = (classes: readonly string[], random: number) => overload.sheds(classes, { order: ORDER, random });
  assert.equal(asked(['interactive', 'agentic'], 0), undefined);
  assert.equal(asked(['interactive', 'batch'], 0), 1_000);
  assert.equal(asked(['batch'], 0.999_999), 3_999);
  assert.deepEqual([...overload.counts()], [['batch', 2]]);
});

test('a policy of one class serves every other call', () => {
  const overload = new Overload({ nowMs: 0 });
  for (const atMs of [0, 300, 600]) overload.observe({ nowMs: WARM_MS + atMs, lagMs: 200, inFlight: 0 }, 1);
  assert.equal(overload.depth, 1);
  const passed = Array.from({ length: 10 }, () => overload.sheds(['all'], { order: ['all'], random: 0 }));
  assert.equal(passed.filter((waitMs) => waitMs === undefined).length, 5);
});
