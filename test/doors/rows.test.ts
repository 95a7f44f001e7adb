/** Every row of the bad-input tables has its line in test/README.md, and the line names tests that are there. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/process.ts';

/** How many rows each table has; of L those about the access log. */
const TABLES: readonly (readonly [letter: string, first: number, last: number])[] = [
  ['T', 1, 15],
  ['H', 1, 28],
  ['K', 1, 10],
  ['Y', 1, 10],
  ['L', 10, 12],
];

const LINE = /^\| ((?:[A-Z]\d+(?:–[A-Z]\d+)?(?:, | )?)+) \| (.+) \|$/gm;

test('each row T, H, K, Y and L10 to L12 is a test, or has its reason', () => {
  const text = readFileSync(join(ROOT, 'test', 'README.md'), 'utf8');
  const told = new Set<string>();
  for (const [, rows, tests] of text.matchAll(LINE)) {
    for (const [, letter, first, last] of rows!.matchAll(/([A-Z])(\d+)(?:–[A-Z](\d+))?/g)) {
      for (let row = Number(first); row <= Number(last ?? first); row++) told.add(`${letter}${row}`);
    }
    for (const [, file] of tests!.matchAll(/`([a-z0-9-]+\/[a-z0-9-]*)`/g)) {
      assert.ok(globSync(`test/${file}{.test.ts,/,}`, { cwd: ROOT }).length > 0, `no test ${file}`);
    }
  }
  const missing = TABLES.flatMap(([letter, first, last]) =>
    Array.from({ length: last - first + 1 }, (_, index) => `${letter}${first + index}`),
  ).filter((row) => !told.has(row));
  assert.deepEqual(missing, []);
});
