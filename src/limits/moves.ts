/** How a charge moves its counter. No move takes `used`, `held` or a level below 0. */
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

/** A bucket spend's rate. Throws a TypeError where it carries none. */
export function rateOfRef(ref: CounterRef): Rate {
  if (ref.n === undefined || ref.p === undefined) {
    throw new TypeError(`bucket \`${ref.counter}\` needs its rate \`n\` and \`p\``);
  }
  return ref as CounterRef & Rate;
}

function raise(counter: Counter, rate: Rate, amount: number, nowMs: number): void {
  counter.level = filled(counter.levelAt(rate, nowMs), amount);
  keepRate(counter, rate);
}

function keepRate(counter: Counter, { n, p }: Rate): void {
  if (counter.rate?.n !== n || counter.rate.p !== p) counter.rate = { n, p };
}

/** Charges an admission. */
export function chargeSpend(counter: Counter, spend: Spend, held: HeldSpend, nowMs: number): void {
  if (counter.kind === 'bucket') {
    counter.renewIfIdle(held, nowMs);
    raise(counter, held, held.isHeld ? 0 : spend.amount, nowMs);
  } else {
    counter.used += spend.amount;
  }
  if (held.isHeld) counter.held += spend.amount;
  counter.limit = spend.limit;
  counter.warn = spend.warn;
}

/** Moves a counter from what `held` is charged with to `charged`. `mintedAt`: when its decision was made. */
export function moveCounter(
  counter: Counter,
  held: HeldSpend,
  { charged, isHeld, mintedAt, nowMs }: { charged: number; isHeld: boolean; mintedAt: number; nowMs: number },
): void {
  if (counter.kind === 'bucket') counter.renewIfIdle(held, nowMs);
  const returns = held.isHeld && !isHeld;
  if (returns) counter.held = Math.max(0, counter.held - held.reserved);
  if (counter.kind !== 'bucket') {
    counter.used = Math.max(0, counter.used + charged - held.charged);
    return;
  }
  if (held.isHeld) {
    if (returns) raise(counter, held, charged, nowMs);
    return;
  }
  const change = charged - held.charged;
  if (change >= 0) {
    raise(counter, held, change, nowMs);
    return;
  }
  const level = counter.levelAt(held, nowMs);
  counter.level = refunded(level, held, { amount: -change, entered: held.charged, heldMs: nowMs - mintedAt });
  keepRate(counter, held);
}

/** An operator's change of `used`; of a bucket, of its level. */
export function adjustCounter(
  counter: Counter,
  ref: CounterRef,
  change: { readonly delta: number } | { readonly reset: true },
  nowMs: number,
): void {
  if (counter.kind !== 'bucket') {
    counter.used = 'reset' in change ? counter.held : Math.max(0, counter.used + change.delta);
    return;
  }
  const rate = rateOfRef(ref);
  counter.renewIfIdle(rate, nowMs);
  const level = counter.levelAt(rate, nowMs);
  if ('reset' in change) counter.level = lowered(level, level.units + 1);
  else counter.level = change.delta < 0 ? lowered(level, -change.delta) : filled(level, change.delta);
  keepRate(counter, rate);
}
