import type { Clock } from '../core/clock.ts';
import { type Level, unitsUp } from './bucket.ts';
import { ChangeLog } from './change-log.ts';
import { type Counter, CounterTable } from './counters.ts';
import { evaluate, type Reader, type Reading, type Verdict } from './evaluate.ts';
import { assertAdjustment, assertAsk, assertRef, assertSettle } from './faults.ts';
import { adjustCounter, chargeSpend, entersAtOnce, moveCounter, rateOfRef } from './moves.ts';
import { Ops } from './ops.ts';
import { type Customer, type HeldSpend, type Reservation, ReservationTable } from './reservations.ts';
import { restoreInto, type Snapshot } from './restore.ts';
import type { CounterRow } from './rows.ts';
import { type Run, RunTable } from './runs.ts';
import { combined, moveOf, type SpendOutcome, UNMEASURED_RANK } from './settle.ts';
import {
  type Ask,
  type CounterRef,
  type Crossing,
  type Expired,
  type LimitStore,
  RANK,
  type ReserveAnswer,
  type SettleAnswer,
  type Settlement,
  type Spend,
} from './store.ts';

export interface MemoryLimitStoreOptions {
  /** How long after it was minted a decision can be settled, ms. Default 1500000 (25 min). Later is `too_late`. */
  readonly settleWithinMs?: number;
  /** Counters at most. Default 500000, some 150 MB. Past it a question that needs another is `exhausted`. */
  readonly countersMax?: number;
  /** Runs at most. Default 100000. Past it a question that begins one is `exhausted`. */
  readonly runsMax?: number;
  /** Open reservations at most. Default 100000. Past it every question is `exhausted`. */
  readonly openMax?: number;
  /** Ended reservations at most. Default 100000. Past it the oldest become `too_late` early. */
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
  closedMax: 100_000,
  opsMax: 10_000,
  isDurable: false,
} as const satisfies Required<MemoryLimitStoreOptions>;

/** Counters and runs that each `expire` looks at, to take out those that can go. */
const SWEEP_STEPS = 1024;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * The limit store of one process. Every verb answers at once with a value and is atomic, because nothing in it waits.
 * Durable through the ledger: `changes` drains what to write, `restore` goes on from it.
 */
export class MemoryLimitStore implements LimitStore {
  readonly #clock: Clock;
  readonly #settleWithinMs: number;
  readonly #counters: CounterTable;
  readonly #runs: RunTable;
  readonly #reservations: ReservationTable;
  readonly #ops: Ops;
  readonly #log: ChangeLog | undefined;
  /** Counters of the candidate that was read last, by spend. */
  readonly #found: (Counter | undefined)[] = [];
  readonly #reading: Mutable<Reading> = { used: 0, spent: 0, level: undefined };
  readonly #reader: Reader;
  /** Of the question in hand. */
  #askedAt = 0;
  #askedRun: Run | undefined;

  constructor(clock: Clock, options: MemoryLimitStoreOptions = {}) {
    const { settleWithinMs, countersMax, runsMax, openMax, closedMax, opsMax, isDurable } = { ...DEFAULTS, ...options };
    this.#clock = clock;
    this.#settleWithinMs = settleWithinMs;
    this.#log = isDurable ? new ChangeLog({ settleWithinMs }) : undefined;
    this.#counters = new CounterTable({ countersMax, settleWithinMs, onGone: (counter) => this.#counterGone(counter) });
    this.#runs = new RunTable({ runsMax, onEnded: (run) => this.#runEnded(run) });
    this.#reservations = new ReservationTable({
      openMax,
      closedMax,
      settleWithinMs,
      onForgotten: (mintedAt) => this.#log?.forgotten(mintedAt),
    });
    this.#ops = new Ops({ max: opsMax });
    this.#reader = { read: (spend, index) => this.#read(spend, index) };
  }

  reserve(ask: Ask, options?: { readonly dry?: boolean; readonly force?: number }): ReserveAnswer {
    const isDry = options?.dry === true;
    const force = options?.force;
    assertAsk(ask, { isDry, force });
    const now = this.#clock.nowMs();
    if (!isDry) {
      const known = this.#reservations.get(ask.id);
      if (known !== undefined) return { outcome: 'known', now, candidate: known.candidate };
      // It may have been settled first and be forgotten: charged again it would be charged twice.
      if (this.#isPast(ask.mintedAt, now)) return { outcome: 'known', now, candidate: undefined };
    }
    if (force === undefined && (now < ask.from || now >= ask.until)) return { outcome: 'moved', now };
    this.#askedAt = now;
    this.#askedRun = ask.run === undefined ? undefined : this.#runs.get(ask.run.marker, now);
    const verdict = evaluate(ask.candidates, this.#reader, now, force);
    const { candidate, states, blocked, waitMs, over } = verdict;
    if (!verdict.admitted) {
      return {
        outcome: 'refused',
        now,
        candidate,
        states,
        blocked,
        waitMs,
        overdue: this.#isOverdue(ask.customer, now),
      };
    }
    if (!isDry && !this.#admit(ask, verdict, now)) return { outcome: 'exhausted', now };
    return { outcome: 'admitted', now, candidate, states, over };
  }

  settle(
    id: string,
    options: { readonly mintedAt: number; readonly rank: number; readonly customer: string },
    settlements: readonly Settlement[],
  ): SettleAnswer {
    assertSettle(options.rank, settlements);
    const now = this.#clock.nowMs();
    const known = this.#reservations.get(id);
    if (known === undefined ? this.#isPast(options.mintedAt, now) : this.#reservations.isTooLate(known.mintedAt, now)) {
      return { outcome: 'too_late', now, charged: [], crossed: [] };
    }
    const reservation = known ?? this.#recordUnknown(id, options);
    // A run that ended meanwhile takes its totals along, and is not renewed.
    if (reservation.run !== undefined) this.#runs.get(reservation.run.marker, now);
    const spends = this.#matched(reservation, settlements, now);
    let outcome = unspentOutcome(reservation, options.rank);
    const crossed: Crossing[] = [];
    let isMeasured = true;
    for (let i = 0; i < spends.length; i++) {
      const spend = spends[i]!;
      const actual = this.#actuals[i]!;
      const result = this.#settleSpend(reservation, spend, { rank: options.rank, actual, now, crossed });
      outcome = i === 0 ? result : combined(outcome, result);
      isMeasured &&= spend.rank !== UNMEASURED_RANK;
    }
    reservation.rank = Math.max(reservation.rank, options.rank);
    if (outcome === 'changed') {
      this.#renew(reservation.run, now);
      if (reservation.isOpen && isMeasured) this.#close(reservation);
      this.#log?.reservation(reservation);
      this.#reservations.trim(now);
    }
    return { outcome, now, charged: chargedOf(reservation), crossed };
  }

  extend(id: string, expiresAt: number): 'extended' | 'closed' {
    const reservation = this.#reservations.get(id);
    if (reservation === undefined || !reservation.isOpen) return 'closed';
    if (expiresAt > reservation.expiresAt) {
      this.#reservations.extend(reservation, expiresAt);
      this.#log?.reservation(reservation);
    }
    return 'extended';
  }

  expire(customer: string | undefined, max: number): readonly Expired[] {
    const now = this.#clock.nowMs();
    const expired: Expired[] = [];
    if (customer === undefined) {
      for (const each of this.#reservations.customers()) this.#expireOf(each, { max, now, expired });
      this.#counters.sweep(SWEEP_STEPS, now);
      this.#runs.sweep(SWEEP_STEPS, now);
    } else {
      const one = this.#reservations.customer(customer);
      if (one !== undefined) this.#expireOf(one, { max, now, expired });
    }
    this.#reservations.trim(now);
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
    const isNew = !this.#ops.has(op);
    if (isNew) {
      this.#ops.add(op);
      this.#log?.op(op, now + this.#settleWithinMs);
    }
    return changes.map((change) => {
      let counter = this.#live(change.ref.counter, now);
      if (isNew) {
        counter ??= this.#make(change.ref, now);
        if (counter !== undefined) {
          adjustCounter(counter, change.ref, change, now);
          this.#moved(counter, now);
        }
      }
      if (counter === undefined) return 0;
      return counter.kind === 'bucket'
        ? unitsUp(counter.levelAt(rateOfRef(change.ref), now)) + counter.held
        : counter.used;
    });
  }

  /** States that changed since the last call, for the ledger to keep; empty unless the store is durable. */
  changes(): CounterRow[] {
    return this.#log?.drain() ?? [];
  }

  /**
   * Goes on from what the ledger kept: the rows of `changes`, and the holds minted within settle_within, oldest first.
   * Ends that the rows do not know yet are settled; answers the warnings that those crossed. Only on an empty store.
   */
  restore(snapshot: Snapshot): readonly Crossing[] {
    if (this.#counters.size > 0 || this.#reservations.openCount > 0 || this.#reservations.closedCount > 0) {
      throw new TypeError('only an empty store can be restored');
    }
    const now = this.#clock.nowMs();
    const tables = { counters: this.#counters, runs: this.#runs, reservations: this.#reservations, ops: this.#ops };
    const replay = restoreInto(tables, snapshot, { now, log: this.#log });
    return replay.flatMap(({ id, options, settlements }) => this.settle(id, options, settlements).crossed);
  }

  /** How full it is, for telemetry. */
  counts(): { readonly counters: number; readonly runs: number; readonly open: number; readonly closed: number } {
    return {
      counters: this.#counters.size,
      runs: this.#runs.size,
      open: this.#reservations.openCount,
      closed: this.#reservations.closedCount,
    };
  }

  #isPast(mintedAt: number, now: number): boolean {
    return this.#reservations.isTooLate(mintedAt, now) || this.#reservations.isForgotten(mintedAt);
  }

  #isOverdue(customer: string, now: number): boolean {
    const first = this.#reservations.customer(customer)?.open.first;
    return first !== undefined && first.expiresAt <= now;
  }

  /** A counter that still counts; a total goes with its run. */
  #live(name: string, now: number): Counter | undefined {
    const counter = this.#counters.get(name);
    if (counter?.kind !== 'total') return counter;
    if (counter.run !== undefined) return this.#runs.get(counter.run.marker, now) === undefined ? undefined : counter;
    if (!this.#counters.isLost(counter, now)) return counter;
    this.#counters.remove(counter);
    return undefined;
  }

  #make(ref: Pick<CounterRef, 'counter' | 'kind' | 'end'>, now: number): Counter | undefined {
    return this.#counters.hasRoom(1, now) ? this.#counters.make(ref, now) : undefined;
  }

  #read(spend: Spend, index: number): Reading | undefined {
    if (spend.once === true && this.#askedRun !== undefined) {
      this.#found[index] = undefined;
      return undefined;
    }
    const counter = this.#live(spend.counter, this.#askedAt);
    this.#found[index] = counter;
    const reading = this.#reading;
    let level: Level | undefined;
    if (counter === undefined) {
      reading.used = 0;
      reading.spent = 0;
    } else if (counter.kind === 'bucket') {
      level = counter.levelAt(rateOfRef(spend), this.#askedAt);
      reading.spent = unitsUp(level);
      reading.used = reading.spent + counter.held;
    } else {
      reading.used = counter.used;
      reading.spent = Math.max(0, counter.used - counter.held);
    }
    reading.level = level;
    return reading;
  }

  /** Charges the candidate of a verdict; false, and nothing is changed, where there is no room. */
  #admit(ask: Ask, { candidate, states }: Verdict, now: number): boolean {
    const spends = ask.candidates[candidate]!;
    const asked = states[candidate]!;
    let missing = 0;
    for (let i = 0; i < spends.length; i++) {
      if (asked[i] !== undefined && this.#found[i] === undefined) missing++;
    }
    if (missing > 0 && !this.#counters.hasRoom(missing, now)) return false;
    if (!this.#reservations.hasRoom) return false;
    let run = this.#askedRun;
    if (ask.run !== undefined && run === undefined) {
      if (!this.#runs.hasRoom(now)) return false;
      run = this.#runs.begin(ask.run.marker, { idleMs: ask.run.idleMs, mintedAt: ask.mintedAt, nowMs: now });
    }
    const held: HeldSpend[] = [];
    for (let i = 0; i < spends.length; i++) {
      if (asked[i] === undefined) continue;
      const spend = spends[i]!;
      const counter = this.#found[i] ?? this.#counters.make(spend, now);
      const one = heldOf(spend, counter);
      held.push(one);
      if (counter === undefined) continue;
      chargeSpend(counter, spend, one, now);
      if (counter.kind === 'total') this.#joinRun(counter, run, ask.mintedAt);
      this.#moved(counter, now);
    }
    const { id, mintedAt, expiresAt } = ask;
    const facts = { id, mintedAt, expiresAt, candidate, spends: held, run, isOpen: true };
    const reservation = this.#reservations.add(facts, ask.customer);
    if (run !== undefined) {
      run.open++;
      run.born = Math.min(run.born, ask.mintedAt);
      run.idleMs = ask.run!.idleMs;
      this.#renew(run, now);
    }
    if (run !== undefined || candidate > 0) this.#log?.reservation(reservation);
    return true;
  }

  #joinRun(total: Counter, run: Run | undefined, mintedAt: number): void {
    total.born = Math.min(total.born, mintedAt);
    if (run === undefined || total.run !== undefined) return;
    total.run = run;
    run.totals.push(total);
  }

  #renew(run: Run | undefined, now: number): void {
    if (run === undefined || run.isEnded) return;
    run.renewedAt = Math.max(run.renewedAt, now);
    this.#log?.run(run);
  }

  #close(reservation: Reservation): void {
    this.#reservations.close(reservation);
    const { run } = reservation;
    if (run === undefined) return;
    run.open--;
    this.#log?.run(run);
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
    return this.#reservations.add(facts, customer);
  }

  /** What each spend of the reservation settles at, in `#actuals`; counters only in the settlement join at 0. */
  #matched(reservation: Reservation, settlements: readonly Settlement[], now: number): readonly HeldSpend[] {
    const { spends } = reservation;
    const actuals = this.#actuals;
    for (let i = 0; i < spends.length; i++) actuals[i] = 0;
    for (let i = 0; i < settlements.length; i++) {
      const { ref, actual } = settlements[i]!;
      let index = spends[i]?.name === ref.counter ? i : spends.findIndex((spend) => spend.name === ref.counter);
      if (index === -1) {
        index = spends.length;
        spends.push(this.#joined(reservation, ref, now));
      }
      actuals[index] = actual;
    }
    return spends;
  }

  readonly #actuals: Settlement['actual'][] = [];

  #joined(reservation: Reservation, ref: CounterRef, now: number): HeldSpend {
    const counter = this.#joinedCounter(reservation, ref, now);
    return {
      counter,
      name: ref.counter,
      kind: ref.kind,
      end: ref.end ?? 0,
      isKept: ref.onExpiry === 'keep',
      n: ref.n ?? 0,
      p: ref.p ?? 0,
      reserved: 0,
      charged: 0,
      rank: reservation.rank,
      isHeld: false,
    };
  }

  /** Slots are 0 at any settle; a total of a run that has ended counts no more. */
  #joinedCounter({ run, mintedAt }: Reservation, ref: CounterRef, now: number): Counter | undefined {
    if (ref.kind === 'slots' || (ref.kind === 'total' && run?.isEnded === true)) return undefined;
    const counter = this.#live(ref.counter, now) ?? this.#make(ref, now);
    if (counter?.kind === 'total') this.#joinRun(counter, run, mintedAt);
    return counter;
  }

  #settleSpend(
    reservation: Reservation,
    spend: HeldSpend,
    { rank, actual, now, crossed }: { rank: number; actual: Settlement['actual']; now: number; crossed: Crossing[] },
  ): SpendOutcome {
    const move = moveOf(spend, { rank, actual, isSlots: spend.kind === 'slots' });
    if (move.outcome !== 'changed') return move.outcome;
    const isHeld = spend.isHeld && move.rank === UNMEASURED_RANK;
    const counter = this.#move(reservation, spend, { charged: move.charged, rank: move.rank, isHeld, now });
    if (counter?.warn !== undefined) this.#warn(counter, spend, { now, crossed });
    return move.outcome;
  }

  /** Moves a spend, and its counter if it still counts, which is answered. */
  #move(
    { mintedAt }: Reservation,
    spend: HeldSpend,
    to: { readonly charged: number; readonly rank: number; readonly isHeld: boolean; readonly now: number },
  ): Counter | undefined {
    const isStill = spend.charged === to.charged && spend.isHeld === to.isHeld;
    const counter = isStill ? spend.counter : this.#counterOf(spend, to.now);
    if (counter !== undefined && !counter.isGone && !isStill) {
      moveCounter(counter, spend, { charged: to.charged, isHeld: to.isHeld, mintedAt, nowMs: to.now });
      this.#moved(counter, to.now);
    }
    spend.charged = to.charged;
    spend.rank = to.rank;
    spend.isHeld = to.isHeld;
    return counter?.isGone === true ? undefined : counter;
  }

  /** A spend's counter, if a move still counts: a bucket that went empty is made again, a window or total never. */
  #counterOf(spend: HeldSpend, now: number): Counter | undefined {
    const { counter } = spend;
    if (counter !== undefined && !counter.isGone) return counter;
    if (spend.kind !== 'bucket') return undefined;
    const remade = this.#counters.get(spend.name) ?? this.#make({ counter: spend.name, kind: spend.kind }, now);
    spend.counter = remade;
    return remade;
  }

  #warn(counter: Counter, spend: HeldSpend, { now, crossed }: { now: number; crossed: Crossing[] }): void {
    const spent = counter.kind === 'bucket' ? counter.levelAt(spend, now).units : counter.used - counter.held;
    for (const threshold of counter.warn!) {
      if (threshold > spent) return;
      if (counter.warned?.includes(threshold)) continue;
      counter.warned = [...(counter.warned ?? []), threshold];
      crossed.push({ counter: counter.name, limit: counter.limit!, threshold });
      this.#log?.counter(counter);
    }
  }

  #moved(counter: Counter, now: number): void {
    if (counter.kind === 'total') counter.movedAt = Math.max(counter.movedAt, now);
    this.#log?.counter(counter);
  }

  #expireOf({ open }: Customer, { max, now, expired }: { max: number; now: number; expired: Expired[] }): void {
    for (;;) {
      const first = open.first;
      if (first === undefined || first.expiresAt > now || expired.length >= max) return;
      expired.push(this.#expireOne(first, now));
    }
  }

  #expireOne(reservation: Reservation, now: number): Expired {
    for (const spend of reservation.spends) {
      if (spend.rank === RANK.reserved) {
        const charged = spend.kind !== 'slots' && spend.isKept ? spend.charged : 0;
        this.#move(reservation, spend, { charged, rank: RANK.expired, isHeld: false, now });
      } else if (spend.rank === UNMEASURED_RANK) {
        this.#move(reservation, spend, { charged: spend.charged, rank: spend.rank, isHeld: false, now });
      }
    }
    reservation.rank = Math.max(reservation.rank, RANK.expired);
    this.#close(reservation);
    this.#log?.reservation(reservation);
    return { id: reservation.id, charged: chargedOf(reservation) };
  }

  #runEnded(run: Run): void {
    this.#log?.runEnded(run);
    for (const total of run.totals) this.#counters.remove(total);
  }

  #counterGone(counter: Counter): void {
    if (counter.kind === 'total') this.#log?.counter(counter);
  }
}

function heldOf(spend: Spend, counter: Counter | undefined): HeldSpend {
  return {
    counter,
    name: spend.counter,
    kind: spend.kind,
    end: spend.end ?? 0,
    isKept: spend.onExpiry === 'keep',
    n: spend.n ?? 0,
    p: spend.p ?? 0,
    reserved: spend.amount,
    charged: spend.amount,
    rank: RANK.reserved,
    isHeld: !entersAtOnce(spend),
  };
}

/** Of a settlement without spends. */
function unspentOutcome(reservation: Reservation, rank: number): SpendOutcome {
  if (rank > reservation.rank) return 'changed';
  return rank === reservation.rank ? 'same' : 'superseded';
}

function chargedOf({ spends }: Reservation): { readonly counter: string; readonly amount: number }[] {
  return spends.map(({ name, charged }) => ({ counter: name, amount: charged }));
}
