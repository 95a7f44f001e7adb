/**
 * A leaky bucket in level form: what was spent fills it, time drains it at n/p units per ms.
 *
 * A level is kept in 1/p units as a pair (units, parts), value units + parts/p with 0 ≤ parts < p. The pair stays exact
 * without BigInt: `units` is a safe integer, and every product below is of two numbers < p or proven < 2^53. The bound is
 * p ≤ P_MAX: P_MAX² = 7.46·10¹⁵ < 2^53, and a limit's period is at most one day.
 */

/** Largest p: milliseconds of a day, the longest period of a rate limit. */
export const P_MAX = 86_400_000;

/** Drains n/p units per ms; safe integers > 0 without a common divisor, p ≤ P_MAX. */
export interface Rate {
  readonly n: number;
  readonly p: number;
}

/** What a bucket holds at the instant `at` (epoch ms): units + parts/p. */
export interface Level {
  readonly units: number;
  readonly parts: number;
  readonly at: number;
  readonly p: number;
}

/** The rate `amount` per `periodMs`, reduced. `amount` a safe integer > 0, `periodMs` an integer in 1..P_MAX. */
export function rateOf({ amount, periodMs }: { amount: number; periodMs: number }): Rate {
  let a = amount;
  let b = periodMs;
  while (b !== 0) [a, b] = [b, a % b];
  return { n: amount / a, p: periodMs / a };
}

export function emptyLevel(at: number, rate: Rate): Level {
  return { units: 0, parts: 0, at, p: rate.p };
}

/** The level in whole units, rounded up. */
export function unitsUp(level: Level): number {
  return level.parts === 0 ? level.units : level.units + 1;
}

/** The same level in parts of another p, rounded up: a change of rate never frees anything. */
export function rescaled(level: Level, rate: Rate): Level {
  if (level.p === rate.p) return level;
  const parts = Math.ceil((level.parts * rate.p) / level.p);
  if (parts < rate.p) return { units: level.units, parts, at: level.at, p: rate.p };
  return { units: level.units + 1, parts: 0, at: level.at, p: rate.p };
}

/** n·elapsedMs in 1/p units, as a pair; exact below 2^53 units, at least 2^53 units above. */
function drain(rate: Rate, elapsedMs: number): { units: number; parts: number } {
  const product = rate.n * elapsedMs;
  if (product <= Number.MAX_SAFE_INTEGER) {
    const parts = product % rate.p;
    return { units: (product - parts) / rate.p, parts };
  }
  const perMs = rate.n % rate.p;
  const restMs = elapsedMs % rate.p;
  const parts = (perMs * restMs) % rate.p;
  const units =
    ((rate.n - perMs) / rate.p) * elapsedMs +
    perMs * ((elapsedMs - restMs) / rate.p) +
    (perMs * restMs - parts) / rate.p;
  return { units, parts };
}

/** `level` less (units, parts), never below 0, at the level's own instant. */
function less(level: Level, taken: { units: number; parts: number }, at: number): Level {
  let units = level.units - taken.units;
  let parts = level.parts - taken.parts;
  if (parts < 0) {
    parts += level.p;
    units -= 1;
  }
  if (units < 0) return { units: 0, parts: 0, at, p: level.p };
  return { units, parts, at, p: level.p };
}

/** The level at `nowMs`, in parts of `rate.p`. An instant before the level's own counts as the level's own. */
export function drained(level: Level, rate: Rate, nowMs: number): Level {
  const scaled = rescaled(level, rate);
  const elapsedMs = nowMs - scaled.at;
  if (elapsedMs <= 0) return scaled;
  if (scaled.units === 0 && scaled.parts === 0) return { units: 0, parts: 0, at: nowMs, p: scaled.p };
  return less(scaled, drain(rate, elapsedMs), nowMs);
}

/** The level with `amount` units more. */
export function filled(level: Level, amount: number): Level {
  return { units: level.units + amount, parts: level.parts, at: level.at, p: level.p };
}

/** The level with `amount` units fewer, never below 0. */
export function lowered(level: Level, amount: number): Level {
  return less(level, { units: amount, parts: 0 }, level.at);
}

/**
 * Gives back `amount` of the `entered` units that a spend put in: at most what of them has not drained in the `heldMs`
 * since, else what time has freed already would be sold again.
 */
export function refunded(
  level: Level,
  rate: Rate,
  spend: { readonly amount: number; readonly entered: number; readonly heldMs: number },
): Level {
  const entered: Level = { units: spend.entered, parts: 0, at: level.at, p: level.p };
  const rest = less(entered, drain(rate, Math.max(0, spend.heldMs)), level.at);
  return rest.units >= spend.amount ? lowered(level, spend.amount) : less(level, rest, level.at);
}

/** Ms until the level has drained to at most `room` units (which may be negative): ⌈(level − room·p) / n⌉; 0 if it has. */
export function drainMs(level: Level, rate: Rate, room: number): number {
  const units = level.units - room;
  if (units < 0) return 0;
  const excess = units * level.p + level.parts;
  if (excess <= Number.MAX_SAFE_INTEGER) return Math.ceil(excess / rate.n);
  const n = BigInt(rate.n);
  const exact = (BigInt(units) * BigInt(level.p) + BigInt(level.parts) + n - 1n) / n;
  return exact > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(exact);
}
