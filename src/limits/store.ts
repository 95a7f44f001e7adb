/** The port of the limit store. Semantics to the unit: docs/limits.md. Memory and Redis answer alike. */
import type { Awaitable, Unit } from '../core/units.ts';

export type SpendKind = 'bucket' | 'window' | 'total' | 'slots';

/** How a counter moves; what a settlement needs to know of one whose reservation was lost. */
export interface CounterRef {
  /** Name of the counter, see counter.ts. Names its customer, limit, partition and window. */
  readonly counter: string;
  readonly kind: SpendKind;
  readonly unit: Unit;
  readonly onExpiry: 'keep' | 'release';
  /** Bucket: it drains n/p units per ms. Integers > 0, without a common divisor. */
  readonly n?: number;
  readonly p?: number;
  /** Window: when it ends, epoch ms. */
  readonly end?: number;
}

/** One line of a question: amount, counter, ceiling. */
export interface Spend extends CounterRef {
  /** Name of the limit, for answers. */
  readonly limit: string;
  /** Safe integer > 0, in the limit's unit. */
  readonly amount: number;
  /** How much of the counter this spend may fill; safe integer ≥ 0. */
  readonly ceiling: number;
  /** Present if the ladder's step out of this candidate names this limit. `spentMax` = floor(limit · percent / 100). */
  readonly yields?: { readonly spentMax: number };
  /** Charged with the rest, but never blocks or yields. */
  readonly observe: boolean;
  /** Thresholds in units, ascending, that are reported once each when spent crosses them at a settle. */
  readonly warn?: readonly number[];
  /** Unit `runs`: asked only where the run's marker is absent. */
  readonly once?: boolean;
}

export interface Ask {
  /** Decision id. */
  readonly id: string;
  readonly mintedAt: number;
  readonly expiresAt: number;
  /** All counters of a question lie inside one customer. */
  readonly customer: string;
  /** The question holds for now in [from, until): the intersection of the windows of its candidates. */
  readonly from: number;
  readonly until: number;
  readonly candidates: readonly (readonly Spend[])[];
  /** The run it belongs to: admission creates its marker, reserve and settle renew it, it dies after `idleMs` with nothing open. */
  readonly run?: { readonly marker: string; readonly idleMs: number };
}

/** A spend as the store found it, before this question. `used` and `spent` in the limit's unit (bucket levels rounded up). */
export interface SpendState {
  readonly used: number;
  readonly spent: number;
  readonly fits: boolean;
  /** Whether it made the question move on to the next candidate. */
  readonly yielded: boolean;
  /** Until it may fit, in ms; undefined if it fits; `never` if it cannot. */
  readonly waitMs: number | 'never' | undefined;
}

/** A warning threshold that was passed, and what was spent then; both in the limit's unit. */
export interface Crossing {
  readonly counter: string;
  readonly limit: string;
  readonly threshold: number;
  readonly spent: number;
}

export type ReserveAnswer =
  | {
      readonly outcome: 'admitted';
      readonly now: number;
      /** Index of the candidate that was charged. */
      readonly candidate: number;
      /** States per candidate tried, in the order of its spends; the last one is the charged one. A `once` spend not asked has none (undefined). */
      readonly states: readonly (readonly (SpendState | undefined)[])[];
      /** Observed spends of the charged candidate that passed their ceiling, by index. */
      readonly over: readonly number[];
    }
  | {
      readonly outcome: 'refused';
      readonly now: number;
      /** Index of the candidate that stopped the search. */
      readonly candidate: number;
      readonly states: readonly (readonly (SpendState | undefined)[])[];
      /** Unfit spends of that candidate by index, strictest first (never > longest wait > limit name). */
      readonly blocked: readonly number[];
      /** Shortest wait over the candidates tried; `never` only if all are. */
      readonly waitMs: number | 'never';
      /** The customer has reservations that are past their expiry: expire and ask once more. */
      readonly overdue: boolean;
    }
  /** Seen before. `answer` is the stored one; undefined if it was settled first: answer 503. */
  | { readonly outcome: 'known'; readonly now: number; readonly candidate: number | undefined }
  /** `now` lies outside [from, until): nothing was charged, ask again with new windows. */
  | { readonly outcome: 'moved'; readonly now: number }
  /** No room for another counter: answer 503 `counters_exhausted`. */
  | { readonly outcome: 'exhausted'; readonly now: number };

export interface Settlement {
  readonly ref: CounterRef;
  /** Units really used, safe integer ≥ 0; `unmeasured` keeps the reserved amount. */
  readonly actual: number | 'unmeasured';
}

/** Ranks of one spend's settlements; a higher one replaces a lower one. */
export const RANK = { reserved: -1, expired: 0, streamDone: 1, accessLog: 2 } as const;

export interface SettleAnswer {
  /** `changed` if any counter moved or any spend took the rank. */
  readonly outcome: 'changed' | 'same' | 'superseded' | 'conflict' | 'too_late';
  readonly now: number;
  /** What each counter of the decision is charged with after this settle. */
  readonly charged: readonly { readonly counter: string; readonly amount: number }[];
  readonly crossed: readonly Crossing[];
}

export interface Expired {
  readonly id: string;
  readonly charged: readonly { readonly counter: string; readonly amount: number }[];
}

/**
 * Counters and reservations. Refused, known, moved and dry change nothing.
 * Memory answers with values, Redis with promises; callers await only what is a promise.
 */
export interface LimitStore {
  /** One atomic question. `dry` charges nothing. `force` charges candidate `force` unconditionally. */
  reserve(ask: Ask, options?: { readonly dry?: boolean; readonly force?: number }): Awaitable<ReserveAnswer>;
  /** Moves counters from what is charged to what was measured. Idempotent per spend and rank. */
  settle(
    id: string,
    options: { readonly mintedAt: number; readonly rank: number; readonly customer: string },
    settlements: readonly Settlement[],
  ): Awaitable<SettleAnswer>;
  /** Moves an open reservation's expiry later; never earlier. `customer`: whose it is, needed where another process may have made it. */
  extend(id: string, expiresAt: number, customer?: string): Awaitable<'extended' | 'closed'>;
  /** Ends up to `max` reservations of `customer` (undefined: of anybody) that are open and due. */
  expire(customer: string | undefined, max: number): Awaitable<readonly Expired[]>;
  /** Operators and rate-limit refunds; once per `op`. Answers `used` after, per change. */
  adjust(
    op: string,
    changes: readonly ({ readonly ref: CounterRef } & ({ readonly delta: number } | { readonly reset: true }))[],
  ): Awaitable<readonly number[]>;
}
