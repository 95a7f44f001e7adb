import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Folding, foldKey } from '../../src/ledger/folding.ts';
import type { Refusal } from '../../src/ledger/hold.ts';
import { hostileText, NOON_MS, refusalOf } from './rows.ts';

/** What a ledger with room does. */
function take(folding: Folding, refusal: Refusal): string {
  const { outcome, decisionId } = folding.find(refusal);
  if (outcome === 'append') folding.opened(refusal);
  return decisionId;
}

const refused = (parts: Partial<Refusal> = {}): Refusal => refusalOf('abcdefgh', parts);

test('counts are drained once, as they stand', () => {
  const folding = new Folding();
  const first = refused();
  for (const refusal of [first, refused(), refused()]) assert.equal(take(folding, refusal), first.decisionId);
  assert.deepEqual(folding.drain(), [{ decisionId: first.decisionId, count: 3 }]);
  assert.deepEqual(folding.drain(), []);
  take(folding, refused());
  assert.deepEqual(folding.drain(), [{ decisionId: first.decisionId, count: 4 }]);
});

test('a row that was not queued stands for nobody', () => {
  const folding = new Folding();
  assert.equal(folding.find(refused()).outcome, 'append');
  assert.equal(folding.find(refused()).outcome, 'append');
});

test('the minute is that of the decision, also where the clock goes back', () => {
  const folding = new Folding();
  const [now, next, before] = [0, 60_000, -1].map((offsetMs) => refused({ decidedAtMs: NOON_MS + offsetMs }));
  for (const refusal of [now!, next!, before!]) assert.equal(take(folding, refusal), refusal.decisionId);
});

test('past the bound the finer parts of the key are dropped, past the next nothing folds', () => {
  const folding = new Folding({ keysMax: 2 });
  const models = ['a', 'b', 'c', 'd', 'e'].map((requestedModel) => refused({ requestedModel }));
  const ids = models.map((refusal) => take(folding, refusal));
  const [a, b, c] = models.map((refusal) => refusal.decisionId);
  assert.deepEqual(ids, [a, b, c, c, c]);
  const others = ['k2', 'k3', 'k3'].map((credential) => refused({ credential }));
  assert.deepEqual(
    others.map((refusal) => take(folding, refusal)),
    others.map((refusal) => refusal.decisionId),
  );
  assert.equal(take(folding, refused({ requestedModel: 'a' })), a);
});

test('guesses at names of models are one row, whatever they say', () => {
  const folding = new Folding();
  const guesses = ['a', 'b', 'c'].map((requestedModel) => refused({ requestedModel, reason: 'model_unknown' }));
  for (const refusal of guesses) assert.equal(take(folding, refusal), guesses[0]!.decisionId);
  assert.deepEqual(folding.drain(), [{ decisionId: guesses[0]!.decisionId, count: 3 }]);
});

test('keys are equal if and only if their parts are', () => {
  const parts = fc.record({
    account: hostileText,
    credential: hostileText,
    route: hostileText,
    requestedModel: fc.option(hostileText, { nil: undefined }),
    reason: hostileText,
    limit: fc.option(hostileText, { nil: undefined }),
  });
  fc.assert(
    fc.property(parts, parts, (some, others) => {
      const same = Object.values(some).every((value, at) => value === Object.values(others)[at]);
      assert.equal(foldKey(refused(some)) === foldKey(refused(others)), same);
      assert.equal(foldKey(refused(some)), foldKey(refused({ ...some, message: 'other', waitMs: 'never' })));
    }),
    { seed: 2, numRuns: 200 },
  );
});
