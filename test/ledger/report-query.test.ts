import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDays, readDimensions } from '../../src/ledger/report-query.ts';

test('dimensions', () => {
  assert.deepEqual(readDimensions('account, model,tag:cost_center'), ['account', 'model', 'tag:cost_center']);
  const BAD: readonly [text: string, words: RegExp][] = [
    ['', /got ``/],
    ['accounts', /takes a list of `account`, .* and `tag:NAME`; got `accounts`/],
    ['tag:', /got `tag:`/],
    ['account,', /got ``/],
    ['account,day,account', /names `account` twice/],
    ['__proto__', /got `__proto__`/],
  ];
  for (const [text, message] of BAD) assert.throws(() => readDimensions(text), { code: 'usage', message });
});

/** From, to, zone; the first instant and the first one after. */
const DAYS: readonly [
  from: string | undefined,
  to: string | undefined,
  zone: string,
  string | undefined,
  string | undefined,
][] = [
  [undefined, undefined, 'UTC', undefined, undefined],
  ['2026-01-31', undefined, 'UTC', '2026-01-31T00:00:00.000Z', undefined],
  [undefined, '2026-01-31', 'UTC', undefined, '2026-02-01T00:00:00.000Z'],
  ['2026-01-31', '2026-01-31', 'Europe/Berlin', '2026-01-30T23:00:00.000Z', '2026-01-31T23:00:00.000Z'],
  // 23 and 25 hours.
  ['2026-03-29', '2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'],
  ['2026-10-25', '2026-10-25', 'Europe/Berlin', '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z'],
  // There is no midnight on this day.
  ['2026-09-06', '2026-09-06', 'America/Santiago', '2026-09-06T04:00:00.000Z', '2026-09-07T03:00:00.000Z'],
  ['2028-02-29', '2028-02-29', 'Asia/Kathmandu', '2028-02-28T18:15:00.000Z', '2028-02-29T18:15:00.000Z'],
];

for (const [index, [from, to, zone, first, after]] of DAYS.entries()) {
  test(`days ${index + 1}: ${from} to ${to} in ${zone}`, () => {
    const { fromMs, toMs } = readDays({ from, to, zone });
    const iso = (ms: number | undefined): string | undefined =>
      ms === undefined ? undefined : new Date(ms).toISOString();
    assert.deepEqual([iso(fromMs), iso(toMs)], [first, after]);
  });
}

const BAD: readonly [from: string | undefined, to: string | undefined, zone: string, words: RegExp][] = [
  ['2026-02-30', undefined, 'UTC', /`--from` takes a date, as `2026-01-31`; got `2026-02-30`/],
  [undefined, '2026-1-1', 'UTC', /`--to` takes a date/],
  ['today', undefined, 'UTC', /got `today`/],
  ['2026-01-01T00:00', undefined, 'UTC', /`--from` takes a date/],
  ['2026-01-02', '2026-01-01', 'UTC', /`--from` must not be after `--to`/],
  [undefined, undefined, 'Mars/Base', /`--zone` takes an IANA time zone, as `Europe\/Berlin`; got `Mars\/Base`/],
];

for (const [index, [from, to, zone, message]] of BAD.entries()) {
  test(`days refused ${index + 1}`, () => {
    assert.throws(() => readDays({ from, to, zone }), { code: 'usage', message });
  });
}
