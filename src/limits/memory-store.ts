import type { Clock } from '../core/clock.ts';
import { Admission } from './admission.ts';
import { assertAdjustment, assertAsk, assertRef, assertSettle } from './faults.ts';
import { adjustCounter, rateOfRef } from './moves.ts';
import type { Customer, Reservation } from './reservations.ts';
import { type EndedReservation, readmitInto, restoreInto, type Snapshot } from './restore.ts';
import type { CounterRow } from './rows.ts';
import { expireReservation, settleReservation } from './settlement.ts';
import type {
  Ask,
  CounterRef,
  Crossing,
  Expired,
  LimitStore,
  ReserveAnswer,
  SettleAnswer,
  Settlement,
} from './store.ts';
import { Tables } from './tables.ts';

export interface MemoryLimitStoreOptions {
  /** How long after it was minted a decision can be settled, ms. Default 1500000 (25 min). Later is `too_late`. */
  readonly settleWithinMs?: number;
  /** Counters at most. Default 500000, some 150 MB. Past it a question that needs another is `exhausted`. */
  readonly countersMax?: number;
  /** Runs at most. Default 100000. Past it a question that begins one is `exhausted`. */
  readonly runsMax?: number;
  /** Open reservations at most. Default 100000. Past it every question is `exhausted`. */
  readonly openMax?: number;
  /** Ended reservations at most. Default 50000, some 35 MB. Past it the oldest become `too_late` early. */
  readonly closedMax?: number;
  /** Ops of `adjust` at most. Default 10000. Past it the oldest could be made again. */
  readonly opsMax?: number;
  /** Whether `changes` is drained. Default false: nothing is recorded. */
  readonly isDurable?: boolean;
}

const DEFAULTS = {
  settleWithinMs: 25 * 60_000,
  countersMax: 500_000,
  runsMax: 100_000,
  openMax: 100_000,
  closedMax: 50_000,
  opsMax: 10_000,
  isDurable: false,
} as const satisfies Required<MemoryLimitStoreOptions>;

/** Counters and runs that each sweep over all customers looks at, to take out those that can go. */
const SWEEP_STEPS = 1024;

/**
 * The limit store of one process. Every verb answers at once with a value and is atomic, because nothing in it waits.
 * Durable through the ledger: `changes` drains what to write, `restore` goes on from it. Verbs throw a TypeError, before
 * anything is changed, where the caller breaks the port's terms.
 */
export class MemoryLimitStore implements LimitStore {
  readonly #clock: Clock;
  readonly #settleWithinMs: number;
  readonly #tables: Tables;
  readonly #admission: Admission;

  constructor(clock: Clock, options: MemoryLimitStoreOptions = {}) {
    const all = { ...DEFAULTS, ...options };
    this.#clock = clock;
    this.#settleWithinMs = all.settleWithinMs;
    this.#tables = new Tables(all);
    this.#admission = new Admission(this.#tables);
  }

  reserve(ask: Ask, options?: { readonly dry?: boolean; readonly force?: number }): ReserveAnswer {
    const isDry = options?.dry === true;
    const force = options?.force;
    assertAsk(ask, { isDry, force });
    const now = this.#clock.nowMs();
    if (!isDry) {
      const known = this.#tables.reservations.get(ask.id);
      if (known !== undefined) return { outcome: 'known', now, candidate: known.candidate };
      // It may have been settled first and be forgotten: charged again it would be charged twice.
      if (this.#tables.isPast(ask.mintedAt, now)) return { outcome: 'known', now, candidate: undefined };
    }
    if (force === undefined && (now < ask.from || now >= ask.until)) return { outcome: 'moved', now };
    const verdict = this.#admission.judge(ask, now, force);
    const { candidate, states, blocked, waitMs, over } = verdict;
    if (!verdict.admitted) {
      const overdue = this.#isOverdue(ask.customer, now);
      return { outcome: 'refused', now, candidate, states, blocked, waitMs, overdue };
    }
    if (!isDry && !this.#admission.admit(ask, verdict)) return { outcome: 'exhausted', now };
    return { outcome: 'admitted', now, candidate, states, over };
  }

  settle(
    id: string,
    options: { readonly mintedAt: number; readonly rank: number; readonly customer: string },
    settlements: readonly Settlement[],
  ): SettleAnswer {
    const { mintedAt, rank } = options;
    assertSettle(rank, settlements);
    const now = this.#clock.nowMs();
    const { reservations } = this.#tables;
    const known = reservations.get(id);
    if (known === undefined ? this.#tables.isPast(mintedAt, now) : reservations.isTooLate(known.mintedAt, now)) {
      return { outcome: 'too_late', now, charged: [], crossed: [] };
    }
    const reservation = known ?? this.#recordUnknown(id, options);
    const crossed: Crossing[] = [];
    const outcome = settleReservation(this.#tables, reservation, settlements, { rank, nowMs: now, crossed });
    const charged = chargedOf(reservation);
    reservations.trim(now);
    return { outcome, now, charged, crossed };
  }

  extend(id: string, expiresAt: number): 'extended' | 'closed' {
    const { reservations, log } = this.#tables;
    const reservation = reservations.get(id);
    if (reservation === undefined || !reservation.isOpen) return 'closed';
    if (expiresAt > reservation.expiresAt) {
      reservations.extend(reservation, expiresAt);
      log?.reservation(reservation);
    }
    return 'extended';
  }

  /** Also takes out counters and runs that can go, in slices, where it sweeps over all customers. */
  expire(customer: string | undefined, max: number): readonly Expired[] {
    const now = this.#clock.nowMs();
    const { counters, runs, reservations } = this.#tables;
    const expired: Expired[] = [];
    if (customer === undefined) {
      for (const each of reservations.customers()) this.#expireDue(each, { max, now, expired });
      counters.sweep(SWEEP_STEPS, now);
      runs.sweep(SWEEP_STEPS, now);
    } else {
      const one = reservations.customer(customer);
      if (one !== undefined) this.#expireDue(one, { max, now, expired });
    }
    reservations.trim(now);
    return expired;
  }

  adjust(
    op: string,
    changes: readonly ({ readonly ref: CounterRef } & ({ readonly delta: number } | { readonly reset: true }))[],
  ): readonly number[] {
    for (const change of changes) {
      assertRef(change.ref);
      assertAdjustment(change);
    }
    const now = this.#clock.nowMs();
    const { ops, log } = this.#tables;
    const isNew = !ops.has(op);
    if (isNew) {
      ops.add(op);
      log?.op(op, now + this.#settleWithinMs);
    }
    return changes.map((change) => this.#adjustOne(change, { isNew, now }));
  }

  /** How a counter stands, holds included, a bucket's level rounded up; zeros where there is none. Changes no answer. */
  peek(ref: CounterRef): { readonly used: number; readonly held: number } {
    const now = this.#clock.nowMs();
    const counter = this.#tables.live(ref.counter, now);
    if (counter === undefined) return { used: 0, held: 0 };
    return { used: counter.usedAt(rateOfRef(ref, counter), now), held: counter.held };
  }

  /** States that changed since the last call, for the ledger to keep; empty unless the store is durable. */
  changes(): CounterRow[] {
    return this.#tables.log?.drain() ?? [];
  }

  /** Goes on from what the ledger kept: the rows of `changes`, and the holds that are open. Only on an empty store. */
  restore(snapshot: Snapshot): void {
    const { counters, runs, open, closed } = this.counts();
    if (counters + runs + open + closed > 0) throw new TypeError('only an empty store can be restored');
    restoreInto(this.#tables, snapshot, this.#clock.nowMs());
  }

  /**
   * Takes up a decision that has ended, of before a restart or of before it was forgotten: settled without that, it would be
   * charged once more. One that the store knows stays as it is.
   */
  readmit(id: string, ended: EndedReservation): void {
    if (this.#tables.reservations.get(id) !== undefined) return;
    const now = this.#clock.nowMs();
    readmitInto(this.#tables, ended, now);
    this.#tables.reservations.trim(now);
  }

  /** How full it is, for telemetry. */
  counts(): { readonly counters: number; readonly runs: number; readonly open: number; readonly closed: number } {
    const { counters, runs, reservations } = this.#tables;
    return {
      counters: counters.size,
      runs: runs.size,
      open: reservations.openCount,
      closed: reservations.closedCount,
    };
  }

  #isOverdue(customer: string, now: number): boolean {
    const first = this.#tables.reservations.customer(customer)?.open.first;
    return first !== undefined && first.expiresAt <= now;
  }

  /** A decision whose settlement comes first: nothing is charged yet. Its admission, if it still comes, is `known`. */
  #recordUnknown(id: string, { mintedAt, customer }: { mintedAt: number; customer: string }): Reservation {
    const facts = {
      id,
      mintedAt,
      expiresAt: mintedAt,
      candidate: undefined,
      spends: [],
      run: undefined,
      isOpen: false,
    };
    return this.#tables.reservations.add(facts, customer);
  }

  #expireDue({ open }: Customer, { max, now, expired }: { max: number; now: number; expired: Expired[] }): void {
    for (;;) {
      const first = open.first;
      if (first === undefined || first.expiresAt > now || expired.length >= max) return;
      expireReservation(this.#tables, first, now);
      expired.push({ id: first.id, charged: chargedOf(first) });
    }
  }

  #adjustOne(
    change: { readonly ref: CounterRef } & ({ readonly delta: number } | { readonly reset: true }),
    { isNew, now }: { isNew: boolean; now: number },
  ): number {
    const { ref } = change;
    let counter = this.#tables.live(ref.counter, now);
    if (isNew) {
      counter ??= this.#tables.make(ref, now);
      if (counter !== undefined) {
        adjustCounter(counter, ref, change, now);
        this.#tables.moved(counter, now);
      }
    }
    return counter === undefined ? 0 : counter.usedAt(rateOfRef(ref, counter), now);
  }
}

function chargedOf({ spends }: Reservation): { readonly counter: string; readonly amount: number }[] {
  return spends.map(({ counter, charged }) => ({ counter: counter.name, amount: charged }));
}
