/** From a limit of the policy to one line of a question: counter, amount, ceiling. */
import type { BoundLimit } from '../policy/policy.ts';
import { type Rate, rateOf } from './bucket.ts';
import { counterName, counterPrefix } from './counter.ts';
import type { Spend } from './store.ts';
import { type Bounds, windowAt } from './window.ts';

export interface SpendInput {
  /** See `partitionOf`; '' where the limit has no `each`. */
  readonly partition: string;
  /** Safe integer > 0 in the limit's unit; 0 only in a dry question. Zero spends are not asked. */
  readonly amount: number;
  readonly nowMs: number;
  /** Classes of the request: the ceilings of all of them hold. */
  readonly classes: readonly string[];
  /** Percent of the ladder's step out of this candidate that names this limit; undefined: none does. */
  readonly yieldsAt: number | undefined;
  /** True: charged, but never blocks (the limit, its plan or the bundle says `enforce: observe`). */
  readonly observe: boolean;
}

/** When a question holds, [from, until); narrowed by each of its spends. */
export interface Validity {
  from: number;
  until: number;
}

export function openValidity(): Validity {
  return { from: 0, until: Number.MAX_SAFE_INTEGER };
}

/** ⌊capacity · percent / 100⌋, exact for every safe capacity. `percent` an integer in 0..100. */
export function shareOf(capacity: number, percent: number): number {
  const rest = capacity % 100;
  return ((capacity - rest) / 100) * percent + Math.floor((rest * percent) / 100);
}

/** What a limit grants at one time: itself or its override. */
interface Grant {
  readonly capacity: number;
  readonly rate: Rate | undefined;
  readonly warn: readonly number[] | undefined;
}

/** What is computed once per bound limit, and the name and window of its last question. */
interface Terms {
  readonly prefix: string;
  readonly own: Grant;
  readonly override: Grant | undefined;
  window: Bounds | undefined;
  partition: string | undefined;
  counter: string;
}

const termsOfLimit = new WeakMap<BoundLimit, Terms>();

function grantOf({ limit }: BoundLimit, override: BoundLimit['override']): Grant {
  const { shape } = limit;
  const max = override?.max ?? limit.max;
  const capacity = shape.kind === 'bucket' ? (override?.burst ?? shape.burst) : max;
  let rate: Rate | undefined;
  if (shape.kind === 'bucket') {
    rate = override === undefined ? { n: shape.n, p: shape.p } : rateOf({ amount: max, periodMs: shape.periodMs });
  }
  // A threshold of 0 would be crossed by nothing.
  const warn = limit.warn.map((percent) => shareOf(capacity, percent)).filter((threshold) => threshold > 0);
  return { capacity, rate, warn: warn.length === 0 ? undefined : warn };
}

function termsOf(bound: BoundLimit): Terms {
  const known = termsOfLimit.get(bound);
  if (known !== undefined) return known;
  const terms: Terms = {
    prefix: counterPrefix(bound),
    own: grantOf(bound, undefined),
    override: bound.override === undefined ? undefined : grantOf(bound, bound.override),
    window: undefined,
    partition: undefined,
    counter: '',
  };
  termsOfLimit.set(bound, terms);
  return terms;
}

/** What stands at `nowMs`; an override ends at its `untilMs`, and the question must be asked anew then. */
function grantAt(bound: BoundLimit, terms: Terms, nowMs: number, validity: Validity): Grant {
  if (terms.override === undefined) return terms.own;
  const untilMs = bound.override!.untilMs;
  if (nowMs < untilMs) {
    validity.until = Math.min(validity.until, untilMs);
    return terms.override;
  }
  validity.from = Math.max(validity.from, untilMs);
  return terms.own;
}

/** The counter's name, and its window; remembers both for the next question with the same partition. */
function locate(bound: BoundLimit, terms: Terms, { partition, nowMs }: SpendInput, validity: Validity): void {
  const { shape } = bound.limit;
  let isSame = terms.partition === partition;
  if (shape.kind === 'window') {
    let window = terms.window;
    if (window === undefined || nowMs < window.from || nowMs >= window.until) {
      window = windowAt(shape.period, bound, nowMs);
      isSame = isSame && window.from === terms.window?.from;
      terms.window = window;
    }
    if (window.from > validity.from) validity.from = window.from;
    if (window.until < validity.until) validity.until = window.until;
  }
  if (isSame) return;
  terms.partition = partition;
  terms.counter = counterName(terms.prefix, { partition, from: terms.window?.from });
}

/** The lowest share of the capacity that any of the classes may fill. */
function ceilingOf({ limit }: BoundLimit, capacity: number, classes: readonly string[]): number {
  let ceiling = capacity;
  if (limit.ceiling.size === 0) return ceiling;
  for (const name of classes) {
    const percent = limit.ceiling.get(name);
    if (percent !== undefined) ceiling = Math.min(ceiling, shareOf(capacity, percent));
  }
  return ceiling;
}

/**
 * One spend of a candidate. Narrows `validity` to the limit's window and override.
 * Percents (ladder, warnings, ceilings) are of the capacity after override: `max`, of a bucket its burst.
 */
export function spendOf(bound: BoundLimit, input: SpendInput, validity: Validity): Spend {
  const { limit } = bound;
  const terms = termsOf(bound);
  const grant = grantAt(bound, terms, input.nowMs, validity);
  locate(bound, terms, input, validity);
  const { kind } = limit.shape;
  const spend: Mutable<Spend> = {
    counter: terms.counter,
    kind,
    unit: limit.unit,
    onExpiry: limit.onExpiry,
    limit: limit.name,
    amount: input.amount,
    ceiling: ceilingOf(bound, grant.capacity, input.classes),
    observe: input.observe,
    once: limit.unit === 'runs',
  };
  if (grant.rate !== undefined) {
    spend.n = grant.rate.n;
    spend.p = grant.rate.p;
  }
  if (kind === 'window') spend.end = terms.window!.until;
  if (grant.warn !== undefined) spend.warn = grant.warn;
  if (input.yieldsAt !== undefined) spend.yields = { spentMax: shareOf(grant.capacity, input.yieldsAt) };
  return spend;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
