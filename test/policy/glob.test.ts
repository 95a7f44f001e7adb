import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAccountPatterns, compileGlob, compileGlobs } from '../../src/policy/glob.ts';

const SEED = 20260702;

test('a pattern is anchored at both ends and only `*` is special', () => {
  const rows: readonly [pattern: string, text: string, matches: boolean][] = [
    ['gpt-5', 'gpt-5', true],
    ['gpt-5', 'gpt-5-mini', false],
    ['*-vision', 'gpt-4-vision', true],
    ['*-vision', '-vision', true],
    ['*-vision', 'gpt-4-vision-2', false],
    ['gpt-*', 'gpt-', true],
    ['gpt-*', 'GPT-5', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'abbc', true],
    ['a*bc*c', 'abc', false],
    ['a*bc*c', 'abcc', true],
    ['*', '', true],
    ['**', 'x', true],
    ['gpt.5', 'gpt-5', false],
    ['[a-z]', 'a', false],
    ['*ab*ab*', 'ab', false],
    ['*ab*ab*', 'aabab', true],
  ];
  for (const [index, [pattern, text, matches]] of rows.entries()) {
    assert.equal(compileGlob(pattern)(text), matches, `row ${index}: ${pattern} ${text}`);
  }
});

test('property: globs agree with the regular expression that they stand for', () => {
  const letters = fc.array(fc.constantFrom('a', 'b', '-'), { maxLength: 8 }).map((all) => all.join(''));
  const pattern = fc
    .array(fc.constantFrom('a', 'b', '-', '*'), { minLength: 1, maxLength: 6 })
    .map((all) => all.join(''));
  fc.assert(
    fc.property(pattern, letters, (glob, text) => {
      const expected = new RegExp(`^${glob.replaceAll('*', '[^]*')}$`).test(text);
      assert.equal(compileGlob(glob)(text), expected);
      assert.equal(compileGlobs(['zzz', glob])(text), expected);
    }),
    { seed: SEED, numRuns: 3000 },
  );
});

test('a hostile pattern and text are matched in linear work', () => {
  const matches = compileGlob('*a'.repeat(60).concat('b'));
  // A backtracking matcher would not come back from this.
  assert.equal(matches('a'.repeat(100_000)), false);
  assert.equal(matches(`${'a'.repeat(100_000)}ab`), true);
});

test('account patterns: the account itself, or it and all below', () => {
  const rows: readonly [patterns: string[], account: string, matches: boolean][] = [
    [['acme'], 'acme', true],
    [['acme'], 'acme/search', false],
    [['acme/**'], 'acme', true],
    [['acme/**'], 'acme/search', true],
    [['acme/**'], 'acme/search/indexer', true],
    [['acme/**'], 'acmeo', false],
    [['acme/**'], 'acmeo/search', false],
    [['acme/search/**'], 'acme', false],
    [['acme/search/**'], 'acme/searches', false],
    [['globex', 'acme/hr/**'], 'acme/hr/pay', true],
    [['**'], 'anything/at/all', true],
  ];
  for (const [index, [patterns, account, matches]] of rows.entries()) {
    assert.equal(compileAccountPatterns(patterns)(account), matches, `row ${index}`);
  }
});

test('property: `x/**` matches exactly x and what begins with x/', () => {
  const path = fc
    .array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/'));
  fc.assert(
    fc.property(path, path, (base, account) => {
      assert.equal(compileAccountPatterns([`${base}/**`])(account), account === base || account.startsWith(`${base}/`));
    }),
    { seed: SEED, numRuns: 500 },
  );
});
