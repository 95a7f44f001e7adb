/** Bounds of the windows that limits count over. Fixed ones are aligned to the epoch, calendar ones to a zone's wall clock. */
import { LRUCache } from 'lru-cache';
import { Temporal } from 'temporal-polyfill';
import type { Period } from '../policy/policy.ts';

/** [from, until), epoch ms. */
export interface Bounds {
  readonly from: number;
  readonly until: number;
}

/** Where a calendar is read: an IANA zone, and the day (1–28) on which a month, and January for a year, begins. */
export interface Calendar {
  readonly zone: string;
  readonly monthStarts: number;
}

type CalendarUnit = Extract<Period, { kind: 'calendar' }>['unit'];

const HOUR_MS = 3_600_000;

/** Zones × units × anchors in use at once; a miss costs some 50 µs, never an answer. */
const CACHE_MAX = 1024;
const cache = new LRUCache<string, Bounds>({ max: CACHE_MAX });

/** The window of `period` that holds `nowMs`. Windows of one period and calendar never overlap and leave no gap. */
export function windowAt(period: Period, calendar: Calendar, nowMs: number): Bounds {
  if (period.kind === 'fixed') {
    const from = Math.floor(nowMs / period.ms) * period.ms;
    return { from, until: from + period.ms };
  }
  const key = `${period.unit}|${calendar.zone}|${calendar.monthStarts}`;
  const last = cache.get(key);
  if (last !== undefined && last.from <= nowMs && nowMs < last.until) return last;
  const bounds = calendarWindow(period.unit, calendar, nowMs);
  cache.set(key, bounds);
  return bounds;
}

function calendarWindow(unit: CalendarUnit, { zone, monthStarts }: Calendar, nowMs: number): Bounds {
  const local = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(zone);
  if (unit === 'hour') return hourWindow(local, nowMs);
  const first = firstDay(unit, local.toPlainDate(), monthStarts);
  const startOf = (date: Temporal.PlainDate): number => date.toZonedDateTime(zone).epochMilliseconds;
  return { from: startOf(first), until: startOf(first.add({ [`${unit}s`]: 1 })) };
}

function firstDay(
  unit: Exclude<CalendarUnit, 'hour'>,
  date: Temporal.PlainDate,
  monthStarts: number,
): Temporal.PlainDate {
  switch (unit) {
    case 'day':
      return date;
    case 'week':
      return date.subtract({ days: date.dayOfWeek - 1 });
    case 'month': {
      const first = date.with({ day: monthStarts });
      return date.day >= monthStarts ? first : first.subtract({ months: 1 });
    }
    case 'year': {
      const first = date.with({ month: 1, day: monthStarts });
      return date.month > 1 || date.day >= monthStarts ? first : first.subtract({ years: 1 });
    }
  }
}

/** An hour of the wall clock, cut where the clock is changed: Lord Howe moves by 30 minutes. */
function hourWindow(local: Temporal.ZonedDateTime, nowMs: number): Bounds {
  const wallMs = nowMs + local.offsetNanoseconds / 1_000_000;
  const from = nowMs - (((wallMs % HOUR_MS) + HOUR_MS) % HOUR_MS);
  const changed = local.add({ milliseconds: 1 }).getTimeZoneTransition('previous');
  const changes = local.getTimeZoneTransition('next');
  return {
    from: Math.max(from, changed?.epochMilliseconds ?? from),
    until: Math.min(from + HOUR_MS, changes?.epochMilliseconds ?? from + HOUR_MS),
  };
}
