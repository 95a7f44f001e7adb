/** Lengths of time in words. */
import { DAY_MS } from './day.ts';

/** Units of time that are spoken of, the longest first. */
export const SPANS: readonly (readonly [ms: number, name: string])[] = [
  [DAY_MS, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
];

/** A length of time for people: `second`, `5 minutes`; exact, in the largest unit that divides it. */
export function spanText(ms: number): string {
  for (const [size, name] of SPANS) {
    if (ms % size === 0) return ms === size ? name : `${ms / size} ${name}s`;
  }
  return `${ms} ms`;
}
