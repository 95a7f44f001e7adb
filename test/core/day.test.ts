import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayOf, parseDay } from '../../src/core/day.ts';

const ROWS: readonly (readonly [text: string, ms: number | undefined])[] = [
  ['2026-01-31', Date.UTC(2026, 0, 31)],
  ['2028-02-29', Date.UTC(2028, 1, 29)],
  ['1970-01-01', 0],
  ['9999-12-31', Date.UTC(9999, 11, 31)],
  ['2026-02-29', undefined],
  ['2026-02-30', undefined],
  ['2026-04-31', undefined],
  ['2026-13-01', undefined],
  ['2026-00-01', undefined],
  ['2026-01-00', undefined],
  ['2026-1-1', undefined],
  ['26-01-01', undefined],
  ['2026/01/01', undefined],
  [' 2026-01-01', undefined],
  ['2026-01-01\n', undefined],
  ['2026-01-01T00:00:00Z', undefined],
  ['', undefined],
];
for (const [i, [text, ms]] of ROWS.entries()) {
  test(`1.${i + 1} ${JSON.stringify(text)} is ${ms === undefined ? 'no day' : 'a day'}, and reads back`, () => {
    assert.equal(parseDay(text), ms);
    if (ms !== undefined) assert.equal(dayOf(ms), text);
  });
}

test('2 a day lasts from its first to its last millisecond', () => {
  assert.equal(dayOf(Date.UTC(2026, 0, 2) - 1), '2026-01-01');
  assert.equal(dayOf(Date.UTC(2026, 0, 2)), '2026-01-02');
});
