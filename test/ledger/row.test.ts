import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  decodeEnd,
  decodeHold,
  decodeOrphan,
  decodeRefusal,
  encodeEnd,
  encodeHold,
  encodeOrphan,
  encodeRefusal,
} from '../../src/ledger/row.ts';
import { anyHold, endOf, holdOf, hostileText, refusalOf } from './rows.ts';

test('any hold survives its row', () => {
  fc.assert(
    fc.property(anyHold('abcdefgh'), (hold) => {
      assert.deepEqual(decodeHold(encodeHold(hold)), hold);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('refusals keep whom, why and how long', () => {
  for (const waitMs of [undefined, 0, 1_000, 'never'] as const) {
    const refusal = refusalOf('abcdefgh', { waitMs, limit: waitMs === 0 ? undefined : 'key-burst' });
    assert.deepEqual(decodeRefusal(encodeRefusal(refusal)), refusal);
  }
});

test('traces keep waits, marks, steps and what was assumed', () => {
  const marks = [true, false];
  const spends = marks.flatMap((fits) =>
    marks.flatMap((yielded) =>
      marks.map((observe) => ({
        limit: 'l',
        owner: 'acme',
        unit: 'tokens' as const,
        asked: 1,
        used: 2,
        ceiling: 3,
        fits,
        yielded,
        observe,
        waitMs: fits ? undefined : ('never' as const),
        spent: 1,
        ...(yielded ? { step: { percent: 80, spentMax: 0 } } : undefined),
      })),
    ),
  );
  const hold = holdOf('abcdefgh', {
    trace: [
      { model: undefined, spends },
      { model: 'gpt-5', spends: [], outputUncapped: 128_000 },
    ],
  });
  assert.deepEqual(decodeHold(encodeHold(hold)), hold);
});

test('a trace of before places were added is still read', () => {
  const tuple = JSON.parse(encodeHold(holdOf('abcdefgh')));
  const [candidate] = tuple[0][20];
  candidate[1][0] = candidate[1][0].slice(0, 8);
  const { trace } = decodeHold(JSON.stringify(tuple));
  const [before] = holdOf('abcdefgh').trace;
  assert.deepEqual(trace, [{ ...before, spends: [{ ...before!.spends[0], spent: undefined }] }]);
});

test('ends keep money as it is, and the hold only if asked to', () => {
  const hold = holdOf('abcdefgh', { model: undefined });
  const { hold: _, ...facts } = endOf(hold, {
    lines: [{ meter: 'output', quantity: 1, charge: -(2n ** 63n), cost: 2n ** 63n - 1n }],
    status: undefined,
    durationMs: undefined,
    flags: ['usage_faulty'],
  });
  assert.deepEqual(decodeEnd(encodeEnd({ ...facts, hold }, { withHold: false })), {
    ...facts,
    model: '',
    hold: undefined,
  });
  assert.deepEqual(decodeEnd(encodeEnd({ ...facts, hold }, { withHold: true })), { ...facts, model: '', hold });
});

test('an orphan that is too long is cut', () => {
  const orphan = { decisionId: 'x', why: 'y', atMs: 5, entry: 'e'.repeat(20_000) };
  assert.equal(decodeOrphan(encodeOrphan(orphan)).entry.length, 16_384);
});

test('orphans of any text', () => {
  fc.assert(
    fc.property(fc.record({ decisionId: hostileText, why: hostileText, entry: hostileText }), (texts) => {
      const orphan = { ...texts, atMs: 5 };
      assert.deepEqual(decodeOrphan(encodeOrphan(orphan)), orphan);
    }),
    { seed: 4, numRuns: 100 },
  );
});
