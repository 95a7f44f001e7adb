/** How long a new key lives. Pure. */
import { DAY_MS, dayOf, parseDay } from '../core/day.ts';
import { parseDuration } from '../policy/quantity.ts';

/** Days as the bundle writes them, e.g. `2026-03-31`. */
export interface Lifetime {
  readonly created: string;
  /** The last day on which the key is valid, UTC. */
  readonly expires: string;
}

/** What was asked for cannot be had; `text` completes a message: lower case, expected and found. */
export interface LifetimeFault {
  readonly text: string;
}

/**
 * The lifetime of a key that is made at `nowMs`. `asked` is `90d` (that many days, today being the first) or the last day
 * itself; without it the key lives as long as `ageMaxMs` lets it. Beyond `ageMaxMs` nothing is granted, and nothing is cut
 * short in silence. Where neither is given there is no lifetime to guess.
 */
export function lifetimeOf(
  nowMs: number,
  { asked, ageMaxMs }: { readonly asked: string | undefined; readonly ageMaxMs: number | undefined },
): Lifetime | LifetimeFault {
  const createdMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  // A key ends with its last day: 90 days from 1 January on end with 31 March.
  const lastDayMs = (lengthMs: number) => createdMs + Math.max(0, Math.ceil(lengthMs / DAY_MS) - 1) * DAY_MS;
  const latestMs = ageMaxMs === undefined ? undefined : lastDayMs(ageMaxMs);
  const expiresMs = asked === undefined ? latestMs : askedDay(asked, lastDayMs);
  if (expiresMs === undefined) {
    return asked === undefined
      ? { text: 'expected `--expires`, because access.yaml has no `credentials.age_max`' }
      : { text: `expected \`--expires\` of days like \`90d\` or a day like \`2026-03-31\`, found \`${asked}\`` };
  }
  if (expiresMs < createdMs)
    return { text: `expected \`--expires\` today (${dayOf(createdMs)}) or later, found \`${asked}\`` };
  if (latestMs !== undefined && expiresMs > latestMs) {
    return {
      text: `expected \`--expires\` by ${dayOf(latestMs)} (\`credentials.age_max\` of access.yaml), found \`${asked}\``,
    };
  }
  return { created: dayOf(createdMs), expires: dayOf(expiresMs) };
}

function askedDay(asked: string, lastDayMs: (lengthMs: number) => number): number | undefined {
  const lengthMs = asked.endsWith('d') ? parseDuration(asked) : undefined;
  if (lengthMs === undefined) return parseDay(asked);
  // A century: beyond it days have five digits in their year sooner or later.
  return lengthMs > 36_525 * DAY_MS ? undefined : lastDayMs(lengthMs);
}
