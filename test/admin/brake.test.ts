import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILURES_PER_SECOND, FailureBrake } from '../../src/admin/brake.ts';
import { Fold } from '../../src/admin/fold.ts';
import { readTokens, rolesOf, tokenDigest } from '../../src/admin/tokens.ts';

test('A10: an address is braked for the rest of a second, another is not', () => {
  const brake = new FailureBrake();
  for (let failure = 0; failure < FAILURES_PER_SECOND; failure++) {
    assert.equal(brake.isBraked('a', 100 + failure), false);
    brake.failed('a', 100 + failure);
  }
  assert.equal(brake.isBraked('a', 200), true);
  assert.equal(brake.isBraked('b', 200), false);
  assert.equal(brake.isBraked('a', 1_099), true);
  assert.equal(brake.isBraked('a', 1_100), false);
  brake.failed('a', 1_100);
  assert.equal(brake.isBraked('a', 1_101), false);
});

test('A10: of many addresses the one that failed longest ago is forgotten, so that they fill no memory', () => {
  const brake = new FailureBrake();
  for (let failure = 0; failure < FAILURES_PER_SECOND; failure++) brake.failed('first', 0);
  for (let address = 0; address < 999; address++) brake.failed(`a${address}`, 1);
  assert.equal(brake.isBraked('first', 2), true);
  brake.failed('one more', 2);
  assert.equal(brake.isBraked('first', 3), false);
});

test('what comes in floods is told once a minute, with a count', () => {
  const fold = new Fold();
  assert.equal(fold.count('a', 0), 1);
  for (let at = 1; at <= 9; at++) assert.equal(fold.count('a', at), 0);
  assert.equal(fold.count('b', 10), 1);
  assert.equal(fold.count('a', 60_000), 10);
  assert.equal(fold.count('a', 60_001), 0);
});

const FILES: readonly [text: string, tokens: number | undefined][] = [
  [`${'a'.repeat(32)}\n`, 1],
  ['a'.repeat(256), 1],
  [`${'a'.repeat(32)}\r\n${'b'.repeat(32)}\r\n`, 2],
  [`${'a'.repeat(32)}=`, 1],
  ['', undefined],
  [`${'a'.repeat(31)}\n`, undefined],
  ['a'.repeat(257), undefined],
  [`${'a'.repeat(32)} `, undefined],
  [`${'a'.repeat(16)}:${'a'.repeat(16)}`, undefined],
  [`${'a'.repeat(32)}\n\n`, undefined],
  [`${'a'.repeat(32)}\n${'b'.repeat(32)}\n${'c'.repeat(32)}`, undefined],
];
for (const [index, [text, tokens]] of FILES.entries()) {
  test(`a file of tokens, row ${index}`, () => {
    assert.equal(readTokens(text, 'viewer')?.length, tokens);
  });
}

test('a token that stands in two files has both roles; one that is nearly it has none', () => {
  const known = [...readTokens('a'.repeat(32), 'viewer')!, ...readTokens('a'.repeat(32), 'finance')!];
  assert.deepEqual(rolesOf(tokenDigest('a'.repeat(32)), known), new Set(['viewer', 'finance']));
  assert.deepEqual(rolesOf(tokenDigest('a'.repeat(33)), known), new Set());
});
