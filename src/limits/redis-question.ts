/** A question as keys and arguments of the script `reserve`, and its answer out of what the script found. */
import type { RedisValue } from '../redis/connection.ts';
import { drained, type Level, type Rate, unitsUp } from './bucket.ts';
import { evaluate, type Reader, type Reading, type Verdict } from './evaluate.ts';
import { HOLD_TTL_MS } from './lua/common.ts';
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

/** Kinds as the script `reserve` knows them. */
const NUMBER = { window: 1, slots: 2, total: 3, bucket: 4 } as const;
const BUCKET_AT_ONCE = 5;
const ONCE = 10;

/** What is not there, among numbers that are never below 0. */
const NONE = -1;

/** Where things stand in the script's keys, from 1 as in Lua. */
interface Places {
  readonly prefix: string;
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

/** Keys, and arguments after `now` and `settle_within`. `more`: names of keys that the script asked for. */
export function questionOf(
  ask: Ask,
  {
    prefix,
    isDry,
    force,
    more,
  }: { prefix: string; isDry: boolean; force: number | undefined; more: readonly string[] },
): Question {
  const { run, mintedAt, expiresAt, candidates } = ask;
  const id = keyPart(ask.id);
  const places: Places = { prefix, keys: [`${prefix}h:${id}`], byCounter: new Map(), totals: [] };
  const marker = run === undefined ? '' : nameOf.run(run.marker);
  if (marker !== '') places.keys.push(prefix + marker);
  const spends: (number | string)[] = [];
  const holds: string[] = [];
  for (const [i, candidate] of candidates.entries()) {
    const head = ` ${mintedAt} ${expiresAt} ${i} -1 1 `;
    pushCandidate(spends, holds, candidate, { ...places, head: marker === '' ? `-${head}-` : head + marker });
  }
  const mode = (isDry ? 2 : 0) + (force === undefined ? 0 : 1);
  const { totals } = places;
  const head = [mode, ask.from, ask.until, mintedAt, run?.idleMs ?? 0, force === undefined ? 0 : force + 1];
  const body = JSON.stringify([...head, totals.length, ...totals, candidates.length, ...spends]);
  for (const name of more) places.keys.push(prefix + name);
  places.keys.push(`${prefix}o`);
  const ttlMs = Math.max(0, expiresAt - mintedAt) + HOLD_TTL_MS;
  const args = [id, marker, expiresAt, ttlMs, body, ...holds];
  return { keys: places.keys, args, byCounter: places.byCounter };
}

function pushCandidate(
  to: (number | string)[],
  holds: string[],
  spends: readonly Spend[],
  { prefix, keys, byCounter, totals, head }: Places & { readonly head: string },
): void {
  to.push(spends.length);
  let all = '';
  let ofRun = '';
  for (const spend of spends) {
    const { counter } = spend;
    const name = nameOf.counter(counter);
    let place = byCounter.get(counter);
    if (place === undefined) {
      place = keys.push(prefix + name);
      byCounter.set(counter, place);
      if (spend.kind === 'total') totals.push(place);
    }
    pushSpend(to, spend, place);
    const line = lineOf(spend, name);
    all += line;
    // In a run that goes on they are not asked.
    if (spend.once !== true) ofRun += line;
  }
  holds.push(`${head}\n${all}`, ofRun === all ? '' : `${head}\n${ofRun}`);
}

/** The spend as the reservation remembers it, see lua/common.ts. */
function lineOf(spend: Spend, name: string): string {
  const [a, b] = figuresOf(spend);
  const held = entersAtOnce(spend) ? 'n' : 'h';
  const { amount, kind } = spend;
  return `${name} ${flagsOf(spend)}${held} ${amount} ${amount} -1 ${a} ${b} ${kind === 'total' ? '*' : '-'}\n`;
}

function pushSpend(to: (number | string)[], spend: Spend, place: number): void {
  const { once, observe, yields, warn } = spend;
  const kind = entersAtOnce(spend) ? BUCKET_AT_ONCE : NUMBER[spend.kind];
  const isBucket = spend.kind === 'bucket';
  to.push(
    place,
    once === true ? kind + ONCE : kind,
    spend.amount,
    observe ? NONE : spend.ceiling,
    observe || yields === undefined ? NONE : yields.spentMax,
    isBucket ? spend.n! : (spend.end ?? 0),
    isBucket ? spend.p! : 0,
    warn === undefined || warn.length === 0 ? 0 : `;${keyPart(spend.limit)};${warn.join()};`,
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
