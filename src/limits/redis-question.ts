/** A question as keys and arguments of the script `reserve`, and its answer out of what the script found. */
import type { RedisValue } from '../redis/connection.ts';
import { drained, type Level, type Rate, unitsUp } from './bucket.ts';
import { evaluate, type Reader, type Reading, type Verdict } from './evaluate.ts';
import { entersAtOnce } from './moves.ts';
import { keyPart, nameOf } from './redis-keys.ts';
import type { Ask, CounterRef, Spend } from './store.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const KIND = { bucket: 'b', window: 'w', slots: 's', total: 't' } as const;

/** Kind and, for expiry, whether the amount stays: `wk`. */
export function flagsOf(ref: CounterRef): string {
  return `${KIND[ref.kind]}${ref.onExpiry === 'keep' ? 'k' : 'r'}`;
}

/** The two numbers that a kind needs beside its amounts: n and p, or the end of the window. */
export function figuresOf(ref: CounterRef): readonly [a: number, b: number] {
  if (ref.kind === 'bucket') return [ref.n!, ref.p!];
  return [ref.kind === 'window' ? ref.end! : 0, 0];
}

/** Nothing is above it; a script reads it as a number. */
const NO_CEILING = '1e300';

/** Where things stand in the script's keys, from 1 as in Lua. */
interface Places {
  readonly keys: string[];
  readonly byCounter: Map<string, number>;
  readonly totals: number[];
}

export interface Question {
  readonly keys: readonly string[];
  readonly args: readonly RedisValue[];
  /** Places of counters in `keys`, from 1. */
  readonly byCounter: ReadonlyMap<string, number>;
}

/** Keys and arguments after `now` and `settle_within`. `more`: names of keys that the script asked for. */
export function questionOf(
  ask: Ask,
  {
    prefix,
    isDry,
    force,
    more,
  }: { prefix: string; isDry: boolean; force: number | undefined; more: readonly string[] },
): Question {
  const id = keyPart(ask.id);
  const places: Places = { keys: [`${prefix}h:${id}`], byCounter: new Map(), totals: [] };
  const marker = ask.run === undefined ? '' : nameOf.run(ask.run.marker);
  if (marker !== '') places.keys.push(prefix + marker);
  const mode = isDry ? (force === undefined ? 'd' : 'x') : force === undefined ? 'a' : 'f';
  const args: RedisValue[] = [
    mode,
    ask.from,
    ask.until,
    ask.mintedAt,
    ask.expiresAt,
    id,
    marker,
    ask.run?.idleMs ?? 0,
    force === undefined ? 0 : force + 1,
    '',
    ask.candidates.length,
  ];
  for (const spends of ask.candidates) pushCandidate(args, spends, { places, prefix, inRun: marker !== '' });
  if (places.totals.length > 0) args[9] = places.totals.join(' ');
  for (const name of more) places.keys.push(prefix + name);
  places.keys.push(`${prefix}o`);
  return { keys: places.keys, args, byCounter: places.byCounter };
}

function pushCandidate(
  args: RedisValue[],
  spends: readonly Spend[],
  { places, prefix, inRun }: { places: Places; prefix: string; inRun: boolean },
): void {
  const start = args.length;
  args.push(spends.length, '', '');
  let lines = '';
  let isOnce = false;
  for (const spend of spends) {
    const name = nameOf.counter(spend.counter);
    lines += lineOf(spend, name);
    if (spend.once === true) isOnce = true;
    pushSpend(args, spend, placeOf(places, spend, prefix + name));
  }
  args[start + 1] = lines;
  if (!isOnce || !inRun) return;
  const others = spends.filter(({ once }) => once !== true);
  // The script takes the empty text for the same lines: a line feed is none.
  args[start + 2] = others.map((spend) => lineOf(spend, nameOf.counter(spend.counter))).join('') || '\n';
}

function placeOf({ keys, byCounter, totals }: Places, { counter, kind }: Spend, key: string): number {
  let place = byCounter.get(counter);
  if (place === undefined) {
    place = keys.push(key);
    byCounter.set(counter, place);
    if (kind === 'total') totals.push(place);
  }
  return place;
}

/** The spend as the reservation remembers it, see lua/common.ts. */
function lineOf(spend: Spend, name: string): string {
  const [a, b] = figuresOf(spend);
  const held = entersAtOnce(spend) ? 'n' : 'h';
  const { amount, kind } = spend;
  return `${name} ${flagsOf(spend)}${held} ${amount} ${amount} -1 ${a} ${b} ${kind === 'total' ? '*' : '-'}\n`;
}

function pushSpend(args: RedisValue[], spend: Spend, place: number): void {
  const { once, observe, yields, warn } = spend;
  const kind = entersAtOnce(spend) ? 'q' : KIND[spend.kind];
  const [a, b] = figuresOf(spend);
  args.push(
    place,
    once === true ? kind.toUpperCase() : kind,
    spend.amount,
    observe ? NO_CEILING : spend.ceiling,
    observe || yields === undefined ? '' : yields.spentMax,
    a,
    b,
    warn === undefined || warn.length === 0 ? '' : `;${keyPart(spend.limit)};${warn.join()};`,
  );
}

/** What the script found: the values of its keys, from the second on. */
export interface Found {
  readonly nowMs: number;
  readonly isRunning: boolean;
  readonly values: readonly (string | null)[];
}

/** The counters as the script found them. Reads like the memory store's. */
export class FoundReader implements Reader {
  readonly #found: Found;
  readonly #byCounter: ReadonlyMap<string, number>;
  readonly #settleWithinMs: number;
  readonly #reading: Mutable<Reading> = { used: 0, spent: 0, level: undefined };

  constructor(found: Found, byCounter: ReadonlyMap<string, number>, settleWithinMs: number) {
    this.#found = found;
    this.#byCounter = byCounter;
    this.#settleWithinMs = settleWithinMs;
  }

  read(spend: Spend): Reading | undefined {
    const { nowMs, isRunning, values } = this.#found;
    if (spend.once === true && isRunning) return undefined;
    const value = values[this.#byCounter.get(spend.counter)! - 2];
    const reading = this.#reading;
    reading.level = undefined;
    if (spend.kind === 'bucket') {
      const { level, held } = bucketOf(value ?? undefined, spend as Spend & Rate, nowMs);
      reading.level = level;
      reading.spent = unitsUp(level);
      reading.used = reading.spent + held;
      return reading;
    }
    const isGone = value == null || (spend.kind === 'window' && nowMs >= spend.end! + this.#settleWithinMs);
    const colon = isGone ? -1 : value.indexOf(':');
    const used = isGone ? 0 : Number(value.slice(0, colon));
    reading.used = used;
    // `parseInt` stops at what follows the number.
    reading.spent = isGone ? 0 : Math.max(0, used - Number.parseInt(value.slice(colon + 1), 10));
    return reading;
  }
}

function bucketOf(value: string | undefined, rate: Rate, nowMs: number): { level: Level; held: number } {
  if (value === undefined) return { level: { units: 0, parts: 0, at: nowMs, p: rate.p }, held: 0 };
  const [units, parts, at, p, held] = value.split(':', 5);
  const level = { units: Number(units), parts: Number(parts), at: Number(at), p: Number(p) };
  return { level: drained(level, rate, nowMs), held: Number.parseInt(held!, 10) };
}

/** Works out the verdict that the script came to, with its states, waits and blame. */
export function verdictOf(
  ask: Ask,
  found: Found,
  {
    byCounter,
    settleWithinMs,
    force,
  }: Pick<Question, 'byCounter'> & { settleWithinMs: number; force: number | undefined },
): Verdict {
  return evaluate(ask.candidates, new FoundReader(found, byCounter, settleWithinMs), found.nowMs, force);
}
