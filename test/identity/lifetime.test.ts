import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lifetimeOf } from '../../src/identity/lifetime.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOON_MS = Date.UTC(2026, 0, 1, 12);

const ROWS: [asked: string | undefined, ageMaxMs: number | undefined, expires: string | RegExp][] = [
  [undefined, 90 * DAY_MS, '2026-03-31'],
  [undefined, DAY_MS, '2026-01-01'],
  [undefined, HOUR_MS, '2026-01-01'],
  [undefined, 36 * HOUR_MS, '2026-01-02'],
  [undefined, undefined, /^expected `--expires`, because access\.yaml has no `credentials\.age_max`$/],
  ['90d', 90 * DAY_MS, '2026-03-31'],
  ['1d', 90 * DAY_MS, '2026-01-01'],
  ['91d', 90 * DAY_MS, /^expected `--expires` by 2026-03-31 \(`credentials\.age_max` of access\.yaml\), found `91d`$/],
  ['400d', undefined, '2027-02-04'],
  ['2026-03-31', 90 * DAY_MS, '2026-03-31'],
  ['2026-04-01', 90 * DAY_MS, /^expected `--expires` by 2026-03-31/],
  ['2026-01-01', 90 * DAY_MS, '2026-01-01'],
  ['2025-12-31', 90 * DAY_MS, /^expected `--expires` today \(2026-01-01\) or later, found `2025-12-31`$/],
  ['2026-02-30', 90 * DAY_MS, /of days like `90d` or a day like `2026-03-31`, found `2026-02-30`$/],
  ['2026-1-1', 90 * DAY_MS, /of days like/],
  ['0d', 90 * DAY_MS, /of days like/],
  ['-1d', 90 * DAY_MS, /of days like/],
  ['24h', 90 * DAY_MS, /of days like/],
  ['90', 90 * DAY_MS, /of days like/],
  ['', 90 * DAY_MS, /of days like/],
  ['never', undefined, /of days like/],
  ['999999999d', undefined, /of days like/],
];

for (const [i, [asked, ageMaxMs, expected]] of ROWS.entries()) {
  test(`${i + 1} asked ${asked}, at most ${ageMaxMs === undefined ? 'unsaid' : `${ageMaxMs / HOUR_MS} h`}`, () => {
    const found = lifetimeOf(NOON_MS, { asked, ageMaxMs });
    if (typeof expected === 'string') assert.deepEqual(found, { created: '2026-01-01', expires: expected });
    else assert.match('text' in found ? found.text : found.expires, expected);
  });
}

test('the day is the day in UTC, from its first to its last millisecond', () => {
  for (const nowMs of [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 2) - 1]) {
    assert.deepEqual(lifetimeOf(nowMs, { asked: '1d', ageMaxMs: undefined }), {
      created: '2026-01-01',
      expires: '2026-01-01',
    });
  }
});
