import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { windowAt } from '../../src/limits/window.ts';
import type { Period } from '../../src/policy/policy.ts';

const HOUR = 3_600_000;

function calendar(unit: 'hour' | 'day' | 'week' | 'month' | 'year'): Period {
  return { kind: 'calendar', unit };
}

describe('bounds of a window', () => {
  type Row = [period: Period, zone: string, monthStarts: number, now: string, from: string, until: string];
  const minute: Period = { kind: 'fixed', ms: 60_000 };
  const sixHours: Period = { kind: 'fixed', ms: 6 * HOUR };
  const rows: readonly Row[] = [
    /* 1 */ [minute, 'Asia/Kolkata', 1, '2026-03-05T10:20:30.500Z', '2026-03-05T10:20:00Z', '2026-03-05T10:21:00Z'],
    /* 2: from belongs to it */ [
      minute,
      'UTC',
      1,
      '2026-03-05T10:20:00Z',
      '2026-03-05T10:20:00Z',
      '2026-03-05T10:21:00Z',
    ],
    /* 3: until does not */ [
      minute,
      'UTC',
      1,
      '2026-03-05T10:20:59.999Z',
      '2026-03-05T10:20:00Z',
      '2026-03-05T10:21:00Z',
    ],
    /* 4: aligned to the epoch */ [
      sixHours,
      'Asia/Tokyo',
      1,
      '2026-03-05T13:00:00Z',
      '2026-03-05T12:00:00Z',
      '2026-03-05T18:00:00Z',
    ],
    /* 5: hour of a half-hour zone */ [
      calendar('hour'),
      'Asia/Kolkata',
      1,
      '2026-03-05T10:20:00Z',
      '2026-03-05T09:30:00Z',
      '2026-03-05T10:30:00Z',
    ],
    /* 6: the hour before clocks go forward */ [
      calendar('hour'),
      'Europe/Berlin',
      1,
      '2026-03-29T00:30:00Z',
      '2026-03-29T00:00:00Z',
      '2026-03-29T01:00:00Z',
    ],
    /* 7: 02:30 the first time */ [
      calendar('hour'),
      'Europe/Berlin',
      1,
      '2026-10-25T00:30:00Z',
      '2026-10-25T00:00:00Z',
      '2026-10-25T01:00:00Z',
    ],
    /* 8: 02:30 the second time */ [
      calendar('hour'),
      'Europe/Berlin',
      1,
      '2026-10-25T01:30:00Z',
      '2026-10-25T01:00:00Z',
      '2026-10-25T02:00:00Z',
    ],
    /* 9: Lord Howe, clocks back by 30 min at 15:00Z: the rest of the hour again */ [
      calendar('hour'),
      'Australia/Lord_Howe',
      1,
      '2026-04-04T15:10:00Z',
      '2026-04-04T15:00:00Z',
      '2026-04-04T15:30:00Z',
    ],
    /* 10: and the hour before */ [
      calendar('hour'),
      'Australia/Lord_Howe',
      1,
      '2026-04-04T14:59:59Z',
      '2026-04-04T14:00:00Z',
      '2026-04-04T15:00:00Z',
    ],
    /* 11: a day */ [
      calendar('day'),
      'Europe/Berlin',
      1,
      '2026-07-01T22:30:00Z',
      '2026-07-01T22:00:00Z',
      '2026-07-02T22:00:00Z',
    ],
    /* 12: of 23 hours */ [
      calendar('day'),
      'Europe/Berlin',
      1,
      '2026-03-29T12:00:00Z',
      '2026-03-28T23:00:00Z',
      '2026-03-29T22:00:00Z',
    ],
    /* 13: of 25 hours */ [
      calendar('day'),
      'Europe/Berlin',
      1,
      '2026-10-25T12:00:00Z',
      '2026-10-24T22:00:00Z',
      '2026-10-25T23:00:00Z',
    ],
    /* 14: that begins at 01:00, midnight is skipped */ [
      calendar('day'),
      'Africa/Cairo',
      1,
      '2026-04-24T12:00:00Z',
      '2026-04-23T22:00:00Z',
      '2026-04-24T21:00:00Z',
    ],
    /* 15: that has 00:30 twice */ [
      calendar('day'),
      'America/Havana',
      1,
      '2026-11-01T05:30:00Z',
      '2026-11-01T04:00:00Z',
      '2026-11-02T05:00:00Z',
    ],
    /* 16: before one that never was */ [
      calendar('day'),
      'Pacific/Apia',
      1,
      '2011-12-30T09:59:59Z',
      '2011-12-29T10:00:00Z',
      '2011-12-30T10:00:00Z',
    ],
    /* 17: after one that never was */ [
      calendar('day'),
      'Pacific/Apia',
      1,
      '2011-12-30T10:00:00Z',
      '2011-12-30T10:00:00Z',
      '2011-12-31T10:00:00Z',
    ],
    /* 18: a week begins on Monday */ [
      calendar('week'),
      'UTC',
      1,
      '2026-03-05T00:00:00Z',
      '2026-03-02T00:00:00Z',
      '2026-03-09T00:00:00Z',
    ],
    /* 19: on Monday itself */ [
      calendar('week'),
      'UTC',
      1,
      '2026-03-02T00:00:00Z',
      '2026-03-02T00:00:00Z',
      '2026-03-09T00:00:00Z',
    ],
    /* 20: Sunday is its last day */ [
      calendar('week'),
      'UTC',
      1,
      '2026-03-08T23:59:59.999Z',
      '2026-03-02T00:00:00Z',
      '2026-03-09T00:00:00Z',
    ],
    /* 21: over the change of clocks */ [
      calendar('week'),
      'Europe/Berlin',
      1,
      '2026-03-29T12:00:00Z',
      '2026-03-22T23:00:00Z',
      '2026-03-29T22:00:00Z',
    ],
    /* 22: a month */ [
      calendar('month'),
      'Europe/Berlin',
      1,
      '2026-03-31T21:59:59Z',
      '2026-02-28T23:00:00Z',
      '2026-03-31T22:00:00Z',
    ],
    /* 23: February */ [
      calendar('month'),
      'UTC',
      1,
      '2026-02-28T23:00:00Z',
      '2026-02-01T00:00:00Z',
      '2026-03-01T00:00:00Z',
    ],
    /* 24: of a leap year */ [
      calendar('month'),
      'UTC',
      1,
      '2028-02-29T23:00:00Z',
      '2028-02-01T00:00:00Z',
      '2028-03-01T00:00:00Z',
    ],
    /* 25: it is still January there */ [
      calendar('month'),
      'America/New_York',
      1,
      '2026-02-01T04:59:59Z',
      '2026-01-01T05:00:00Z',
      '2026-02-01T05:00:00Z',
    ],
    /* 26: month_starts 15, before it */ [
      calendar('month'),
      'UTC',
      15,
      '2026-03-14T23:59:59Z',
      '2026-02-15T00:00:00Z',
      '2026-03-15T00:00:00Z',
    ],
    /* 27: on it */ [
      calendar('month'),
      'UTC',
      15,
      '2026-03-15T00:00:00Z',
      '2026-03-15T00:00:00Z',
      '2026-04-15T00:00:00Z',
    ],
    /* 28: month_starts 28, over the new year */ [
      calendar('month'),
      'UTC',
      28,
      '2026-01-03T00:00:00Z',
      '2025-12-28T00:00:00Z',
      '2026-01-28T00:00:00Z',
    ],
    /* 29: month_starts 28 on 31 March */ [
      calendar('month'),
      'UTC',
      28,
      '2026-03-31T00:00:00Z',
      '2026-03-28T00:00:00Z',
      '2026-04-28T00:00:00Z',
    ],
    /* 30: a year */ [
      calendar('year'),
      'Asia/Tokyo',
      1,
      '2026-12-31T15:00:00Z',
      '2026-12-31T15:00:00Z',
      '2027-12-31T15:00:00Z',
    ],
    /* 31: that begins on 10 January, before it */ [
      calendar('year'),
      'UTC',
      10,
      '2026-01-09T23:00:00Z',
      '2025-01-10T00:00:00Z',
      '2026-01-10T00:00:00Z',
    ],
    /* 32: on it */ [
      calendar('year'),
      'UTC',
      10,
      '2026-01-10T00:00:00Z',
      '2026-01-10T00:00:00Z',
      '2027-01-10T00:00:00Z',
    ],
    /* 33: in another month */ [
      calendar('year'),
      'UTC',
      10,
      '2026-02-03T00:00:00Z',
      '2026-01-10T00:00:00Z',
      '2027-01-10T00:00:00Z',
    ],
  ];
  for (const [index, [period, zone, monthStarts, now, from, until]] of rows.entries()) {
    it(`${index + 1}: ${period.kind === 'fixed' ? period.ms : period.unit} in ${zone}, month ${monthStarts}, ${now}`, () => {
      const bounds = windowAt(period, { zone, monthStarts }, Date.parse(now));
      assert.deepEqual(
        { from: new Date(bounds.from).toISOString(), until: new Date(bounds.until).toISOString() },
        { from: new Date(from).toISOString(), until: new Date(until).toISOString() },
      );
    });
  }
});

describe('windows of one calendar', () => {
  const zones = [
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'Asia/Kathmandu',
    'Africa/Cairo',
    'America/Havana',
  ];
  const start = Date.parse('2024-01-01T00:00:00Z');

  it('leave no gap and never overlap', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom('hour' as const, 'day' as const, 'week' as const, 'month' as const, 'year' as const),
        fc.integer({ min: 1, max: 28 }),
        fc.nat(4 * 365 * 24 * HOUR),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (zone, unit, monthStarts, offset, share) => {
          const at = (nowMs: number) => windowAt(calendar(unit), { zone, monthStarts }, nowMs);
          const now = start + offset;
          const { from, until } = at(now);
          assert.ok(from <= now && now < until);
          assert.deepEqual(at(from + Math.floor(share * (until - from))), { from, until });
          assert.equal(at(until).from, until);
          assert.equal(at(from - 1).until, from);
        },
      ),
      { seed: 8, numRuns: 400 },
    );
  });
});
