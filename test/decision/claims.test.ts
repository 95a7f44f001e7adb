import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimsOf, classesOf } from '../../src/decision/claims.ts';
import { fileScope } from '../support/scope.ts';
import { policyOf } from './bundle.ts';
import { headersOf } from './desk.ts';

const policy = await policyOf(fileScope());

type Pair = readonly [name: string, value: string];
type Read = readonly [cls: string | undefined, run: string | undefined, refuseDowngrade: boolean];
const BAD = 'header_invalid';

const CLAIMS: readonly [n: number, headers: readonly Pair[], expected: Read | typeof BAD][] = [
  [1, [], [undefined, undefined, false]],
  [2, [['tollgate-class', 'batch']], ['batch', undefined, false]],
  [3, [['tollgate-run', 'r1']], [undefined, 'r1', false]],
  [4, [['tollgate-downgrade', 'refuse']], [undefined, undefined, true]],
  [
    5,
    [
      ['tollgate-class', 'agentic'],
      ['tollgate-run', 'a.B_9:-'],
      ['tollgate-downgrade', 'refuse'],
    ],
    ['agentic', 'a.B_9:-', true],
  ],
  // Unknown, empty, in another case, twice, two in one.
  [6, [['tollgate-class', 'gold']], BAD],
  [7, [['tollgate-class', '']], BAD],
  [8, [['tollgate-class', 'Batch']], BAD],
  [9, [['tollgate-class', ' batch']], BAD],
  [10, [['tollgate-class', 'agentic,batch']], BAD],
  [11, [['tollgate-class', '__proto__']], BAD],
  [
    12,
    [
      ['tollgate-class', 'batch'],
      ['tollgate-class', 'batch'],
    ],
    BAD,
  ],
  [13, [['tollgate-run', 'x'.repeat(128)]], [undefined, 'x'.repeat(128), false]],
  [14, [['tollgate-run', 'x'.repeat(129)]], BAD],
  [15, [['tollgate-run', '']], BAD],
  [16, [['tollgate-run', 'a b']], BAD],
  [17, [['tollgate-run', 'a|b']], BAD],
  [18, [['tollgate-run', 'a/b']], BAD],
  [19, [['tollgate-run', 'ä']], BAD],
  [20, [['tollgate-run', 'a\n']], BAD],
  [
    21,
    [
      ['tollgate-run', 'a'],
      ['tollgate-run', 'b'],
    ],
    BAD,
  ],
  [22, [['tollgate-downgrade', 'allow']], BAD],
  [23, [['tollgate-downgrade', 'REFUSE']], BAD],
  [24, [['tollgate-downgrade', '']], BAD],
  [
    25,
    [
      ['tollgate-downgrade', 'refuse'],
      ['tollgate-downgrade', 'refuse'],
    ],
    BAD,
  ],
  // The prefix x-tollgate- is ours alone: nothing of a client's is read there.
  [
    26,
    [
      ['x-tollgate-class', 'batch'],
      ['x-tollgate-run', 'r1'],
      ['x-tollgate-downgrade', 'refuse'],
    ],
    [undefined, undefined, false],
  ],
];

for (const [n, headers, expected] of CLAIMS) {
  test(`claims ${n}: ${JSON.stringify(headers).slice(0, 80)}`, () => {
    const found = claimsOf(headersOf(headers), policy);
    if ('reason' in found) assert.equal(found.reason, expected);
    else assert.deepEqual([found.class, found.run, found.refuseDowngrade], expected);
  });
}

/** Classes are, freest first: interactive, agentic, batch. */
const CLASSES: readonly [
  n: number,
  bound: string,
  claimed: string | undefined,
  expected: readonly string[] | typeof BAD,
][] = [
  [1, 'interactive', undefined, ['interactive']],
  [2, 'interactive', 'interactive', ['interactive']],
  [3, 'interactive', 'agentic', ['interactive', 'agentic']],
  [4, 'interactive', 'batch', ['interactive', 'batch']],
  [5, 'agentic', 'batch', ['agentic', 'batch']],
  [6, 'agentic', 'interactive', BAD],
  [7, 'batch', 'interactive', BAD],
  [8, 'batch', 'agentic', BAD],
  [9, 'batch', 'batch', ['batch']],
];

for (const [n, bound, claimed, expected] of CLASSES) {
  test(`classes ${n}: bound to ${bound}, claims ${claimed}`, () => {
    const found = classesOf({ bound, claimed }, policy);
    assert.deepEqual('reason' in found ? found.reason : found, expected);
  });
}
