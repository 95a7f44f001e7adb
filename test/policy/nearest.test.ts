import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nearest } from '../../src/policy/nearest.ts';

const KNOWN = ['monthly-spend', 'gpt5-daily', 'large', 'on'];

const ROWS: readonly (readonly [name: string, expected: string | undefined])[] = [
  ['montly-spend', 'monthly-spend'],
  ['Monthly-Spend', 'monthly-spend'],
  ['monthly-spent', 'monthly-spend'],
  ['onthly-spend', 'monthly-spend'],
  ['monthly-spendd', 'monthly-spend'],
  ['lagre', 'large'],
  ['no', 'on'],
  ['on', undefined],
  ['weekly', undefined],
  ['gpt5', undefined],
  ['x'.repeat(100), undefined],
];
for (const [i, [name, expected]] of ROWS.entries()) {
  test(`1.${i + 1} ${name.slice(0, 20)}: ${expected ?? 'nothing near'}`, () => {
    assert.equal(nearest(name, KNOWN), expected);
  });
}

test('2 the nearer of two; of two alike the first', () => {
  assert.equal(nearest('abcdefgh', ['abcdexxh', 'abcdefgx']), 'abcdefgx');
  assert.equal(nearest('abcdefgh', ['abcdefgx', 'abcdefgy']), 'abcdefgx');
});

/** Optimal string alignment distance, by its definition. */
function distance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  const [x, y] = [a.slice(1), b.slice(1)];
  const costs = [distance(x, b) + 1, distance(a, y) + 1, distance(x, y) + (a[0] === b[0] ? 0 : 1)];
  if (a.length > 1 && b.length > 1 && a[0] === b[1] && a[1] === b[0]) costs.push(distance(a.slice(2), b.slice(2)) + 1);
  return Math.min(...costs);
}

test('3 near is: at most a third of the letters differ', () => {
  const word = fc
    .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 6 })
    .map((letters) => letters.join(''));
  fc.assert(
    fc.property(word, word, (name, known) => {
      const isNear = name !== known && distance(name, known) <= Math.max(1, Math.floor(name.length / 3));
      assert.equal(nearest(name, [known]), isNear ? known : undefined);
    }),
    { seed: 20260706, numRuns: 1000 },
  );
});
