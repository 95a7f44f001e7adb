import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Verdict } from '../../src/ledger/difference.ts';
import { type Comparison, DifferenceTally, OTHER } from '../../src/ledger/difference-tally.ts';

const ALLOWED: Verdict = { outcome: 'allow', reason: '', limit: '', model: 'gpt-5' };
const comparison = (parts: Partial<Comparison> = {}): Comparison => ({
  policyVersion: 'a',
  observedVersion: 'b',
  account: 'acme',
  route: 'chat',
  requestedModel: 'gpt-5',
  was: ALLOWED,
  would: ALLOWED,
  example: 'one',
  ...parts,
});

test('equal comparisons are one row with a count and the first example; a drain begins anew', () => {
  const tally = new DifferenceTally();
  for (const example of ['one', 'two', 'three']) tally.add(comparison({ example }));
  tally.add(comparison({ would: { ...ALLOWED, limit: 'team-spend' } }));
  const rows = tally.drain(1_000);
  assert.deepEqual(
    rows.map(({ sinceMs, count, example }) => ({ sinceMs, count, example })),
    [
      { sinceMs: 1_000, count: 3, example: 'one' },
      { sinceMs: 1_000, count: 1, example: 'one' },
    ],
  );
  assert.deepEqual(tally.drain(2_000), []);
});

test('past the bound accounts are no longer told apart, and none is lost', () => {
  const tally = new DifferenceTally({ rowsMax: 2 });
  for (let at = 0; at < 1_000; at++) tally.add(comparison({ account: `acme/${at}`, requestedModel: `m${at}` }));
  const rows = tally.drain(0);
  assert.deepEqual(
    rows.map(({ account, count }) => [account, count]),
    [
      ['acme/0', 1],
      ['acme/1', 1],
      [OTHER, 998],
    ],
  );
});
