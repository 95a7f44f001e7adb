/** Days as files and commands write them: `2026-01-31`, in UTC unless a zone is named. */

export const DAY_MS = 86_400_000;

/** What every day is written like. */
export const DAY = /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$/;

/** 00:00 UTC of `2026-01-31`, epoch ms; undefined: no such day. */
export function parseDay(text: string): number | undefined {
  if (!DAY.test(text)) return undefined;
  const ms = Date.parse(`${text}T00:00:00Z`);
  // Date.parse rolls 30 February over into March.
  return Number.isNaN(ms) || dayOf(ms) !== text ? undefined : ms;
}

/** The day in UTC of an instant, epoch ms, in the years 0 to 9999. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
