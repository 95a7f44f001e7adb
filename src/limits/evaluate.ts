/**
 * One question against the counters, pure: the ladder chooses the model, then the limits admit or refuse.
 * A spend is unfit when used + amount > ceiling, or, if it yields, when spent + amount > yields.spentMax. The next
 * candidate is tried if and only if a yielding spend is unfit. Observed spends neither block nor yield.
 */
import { drainMs, type Level, type Rate } from './bucket.ts';
import type { Spend, SpendState } from './store.ts';

/** A counter as a question finds it. The reader may hand out the same object again: it is read at once and not kept. */
export interface Reading {
  /** Holds included; a bucket's level rounded up. */
  readonly used: number;
  /** Without holds, ≥ 0. */
  readonly spent: number;
  /** Of a bucket, drained to now. */
  readonly level: Level | undefined;
}

export interface Reader {
  /** The counter of spend `index` of the candidate in hand; undefined: the spend is not asked. */
  read(spend: Spend, index: number): Reading | undefined;
}

export interface Verdict {
  readonly admitted: boolean;
  /** The candidate that stopped the search. */
  readonly candidate: number;
  readonly states: readonly (readonly (SpendState | undefined)[])[];
  /** Unfit spends of that candidate, strictest first; empty if admitted. */
  readonly blocked: readonly number[];
  /** Shortest wait over the candidates tried; 0 if admitted. */
  readonly waitMs: number | 'never';
  /** Observed spends of that candidate that pass their ceiling. */
  readonly over: readonly number[];
}

/** Holds return at an unknown time, within seconds for most calls: what they block is asked again after this. */
const HOLD_WAIT_MS = 1000;

const NONE: readonly number[] = Object.freeze([]);

function isFull(spend: Spend, reading: Reading): boolean {
  return spend.amount > spend.ceiling - reading.used;
}

function isPastStep(spend: Spend, reading: Reading): boolean {
  return spend.yields !== undefined && !spend.observe && spend.amount > spend.yields.spentMax - reading.spent;
}

/** The most that may be spent before the spend is unfit. */
function spendable(spend: Spend): number {
  return spend.yields === undefined || spend.observe ? spend.ceiling : Math.min(spend.ceiling, spend.yields.spentMax);
}

/** Ms until an unfit spend may fit. `never`: not even an empty counter would do, or a total, which nothing frees. */
export function waitOf(spend: Spend, reading: Reading, nowMs: number): number | 'never' {
  const room = spendable(spend) - spend.amount;
  if (room < 0) return 'never';
  if (reading.spent <= room) return HOLD_WAIT_MS;
  switch (spend.kind) {
    case 'bucket': {
      const held = reading.used - reading.spent;
      const beside = Math.min(spend.ceiling - spend.amount - held, room);
      return drainMs(reading.level!, spend as Spend & Rate, beside);
    }
    case 'slots':
      return HOLD_WAIT_MS;
    case 'window':
      return spend.end! - nowMs;
    case 'total':
      return 'never';
  }
}

/** `never` > longest wait > limit name > position. */
function strictestFirst(
  spends: readonly Spend[],
  states: readonly (SpendState | undefined)[],
): (a: number, b: number) => number {
  return (a, b) => {
    const waits = orderOf(states[b]?.waitMs) - orderOf(states[a]?.waitMs);
    if (waits !== 0) return waits;
    const left = spends[a]!.limit;
    const right = spends[b]!.limit;
    if (left !== right) return left < right ? -1 : 1;
    return a - b;
  };
}

/** `never` is later than every wait: waits are at most `Number.MAX_SAFE_INTEGER`. */
const NEVER_ORDER = Number.MAX_VALUE;

function orderOf(waitMs: number | 'never' | undefined): number {
  return waitMs === 'never' ? NEVER_ORDER : (waitMs ?? 0);
}

/** One candidate against the counters. */
interface Judged {
  readonly states: readonly (SpendState | undefined)[];
  readonly over: readonly number[];
  readonly isFit: boolean;
  /** Whether a spend that yields is unfit. */
  readonly isYielding: boolean;
  /** Longest wait of its unfit spends, as an order. */
  readonly longest: number;
}

function judge(spends: readonly Spend[], reader: Reader, nowMs: number, isLast: boolean): Judged {
  const states: (SpendState | undefined)[] = new Array(spends.length);
  let over: number[] | undefined;
  let isFit = true;
  let isYielding = false;
  let longest = 0;
  for (let i = 0; i < spends.length; i++) {
    const spend = spends[i]!;
    const reading = reader.read(spend, i);
    if (reading === undefined) {
      states[i] = undefined;
      continue;
    }
    const { used, spent } = reading;
    if (!isFull(spend, reading) && !isPastStep(spend, reading)) {
      states[i] = { used, spent, fits: true, yielded: false, waitMs: undefined };
      continue;
    }
    const yields = spend.yields !== undefined && !spend.observe;
    const waitMs = waitOf(spend, reading, nowMs);
    states[i] = { used, spent, fits: false, yielded: yields && !isLast, waitMs };
    if (spend.observe) {
      over ??= [];
      over.push(i);
      continue;
    }
    isFit = false;
    isYielding ||= yields;
    longest = Math.max(longest, orderOf(waitMs));
  }
  return { states, over: over ?? NONE, isFit, isYielding, longest };
}

/**
 * Judges the candidates in order and stops at the one that decides. `forced` is a candidate that is taken whatever it
 * finds; the ones before it are judged too, for their states.
 */
export function evaluate(
  candidates: readonly (readonly Spend[])[],
  reader: Reader,
  nowMs: number,
  forced: number | undefined,
): Verdict {
  const states: (readonly (SpendState | undefined)[])[] = [];
  const last = forced ?? candidates.length - 1;
  let shortest = NEVER_ORDER;
  for (let candidate = 0; ; candidate++) {
    const spends = candidates[candidate]!;
    const isLast = candidate === last;
    const judged = judge(spends, reader, nowMs, isLast);
    const { over } = judged;
    states.push(judged.states);
    if (forced === undefined ? judged.isFit : isLast) {
      return { admitted: true, candidate, states, blocked: NONE, waitMs: 0, over };
    }
    shortest = Math.min(shortest, judged.longest);
    if (!isLast && (forced !== undefined || judged.isYielding)) continue;
    const waitMs = shortest === NEVER_ORDER ? 'never' : shortest;
    return { admitted: false, candidate, states, blocked: blockedOf(spends, judged.states), waitMs, over };
  }
}

function blockedOf(spends: readonly Spend[], states: readonly (SpendState | undefined)[]): readonly number[] {
  const blocked: number[] = [];
  for (let i = 0; i < spends.length; i++) {
    const state = states[i];
    if (state !== undefined && !state.fits && !spends[i]!.observe) blocked.push(i);
  }
  return blocked.sort(strictestFirst(spends, states));
}
