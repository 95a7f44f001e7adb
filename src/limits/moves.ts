/** How a charge moves its counter. No move takes `used`, `held` or a level below 0. */
import { LRUCache } from 'lru-cache';
import { filled, lowered, type Rate, refunded } from './bucket.ts';
import type { Counter } from './counters.ts';
import type { HeldSpend } from './reservations.ts';
import type { CounterRef, Spend } from './store.ts';

/**
 * Units that are known at admission enter a bucket at once. Measured ones wait in `held`, which does not drain: else a
 * held estimate would drain like real use.
 */
export function entersAtOnce({ kind, unit }: Pick<CounterRef, 'kind' | 'unit'>): boolean {
  return kind === 'bucket' && (unit === 'requests' || unit === 'runs');
}

/** Rates in use at once; all counters of a limit share one object. */
const RATES_MAX = 1024;
const rates = new LRUCache<string, Rate>({ max: RATES_MAX });

/** The rate that a bucket's reference carries, as the counter's own object where it is the same; of others undefined. */
export function rateOfRef(ref: CounterRef, counter?: Counter): Rate | undefined {
  if (ref.kind !== 'bucket') return undefined;
  const n = ref.n!;
  const p = ref.p!;
  const last = counter?.rate;
  if (last !== undefined && last.n === n && last.p === p) return last;
  const key = `${n}/${p}`;
  let rate = rates.get(key);
  if (rate === undefined) {
    rate = { n, p };
    rates.set(key, rate);
  }
  return rate;
}

function raise(counter: Counter, rate: Rate, amount: number, nowMs: number): void {
  counter.level = filled(counter.levelAt(rate, nowMs), amount);
  counter.rate = rate;
}

/** Charges an admission. */
export function chargeSpend(counter: Counter, spend: Spend, held: HeldSpend, nowMs: number): void {
  const { rate } = held;
  if (rate === undefined) {
    counter.used += spend.amount;
  } else {
    counter.renewIfIdle(rate, nowMs);
    raise(counter, rate, held.isHeld ? 0 : spend.amount, nowMs);
  }
  if (held.isHeld) counter.held += spend.amount;
  counter.watch(spend.limit, spend.warn);
}

/** Moves a counter from what `held` is charged with to `charged`. `mintedAt`: when its decision was made. */
export function moveCounter(
  counter: Counter,
  held: HeldSpend,
  { charged, isHeld, mintedAt, nowMs }: { charged: number; isHeld: boolean; mintedAt: number; nowMs: number },
): void {
  const { rate } = held;
  if (rate !== undefined) counter.renewIfIdle(rate, nowMs);
  const returns = held.isHeld && !isHeld;
  if (returns) counter.held = Math.max(0, counter.held - held.reserved);
  if (rate === undefined) {
    counter.used = Math.max(0, counter.used + charged - held.charged);
    return;
  }
  if (held.isHeld) {
    if (returns) raise(counter, rate, charged, nowMs);
    return;
  }
  const change = charged - held.charged;
  if (change >= 0) {
    raise(counter, rate, change, nowMs);
    return;
  }
  const level = counter.levelAt(rate, nowMs);
  counter.level = refunded(level, rate, { amount: -change, entered: held.charged, heldMs: nowMs - mintedAt });
  counter.rate = rate;
}

/** An operator's change of `used`; of a bucket, of its level. */
export function adjustCounter(
  counter: Counter,
  ref: CounterRef,
  change: { readonly delta: number } | { readonly reset: true },
  nowMs: number,
): void {
  const rate = rateOfRef(ref, counter);
  if (rate === undefined) {
    counter.used = 'reset' in change ? counter.held : Math.max(0, counter.used + change.delta);
    return;
  }
  counter.renewIfIdle(rate, nowMs);
  const level = counter.levelAt(rate, nowMs);
  if ('reset' in change) counter.level = lowered(level, level.units + 1);
  else counter.level = change.delta < 0 ? lowered(level, -change.delta) : filled(level, change.delta);
  counter.rate = rate;
}
