/** Settlements and expiry against the tables: which charge stands, and what that moves. */
import { type Counter, goneCounter } from './counters.ts';
import { moveCounter, rateOfRef } from './moves.ts';
import type { HeldSpend, Reservation } from './reservations.ts';
import { combined, moveOf, type SpendOutcome, UNMEASURED_RANK } from './settle.ts';
import { type CounterRef, type Crossing, RANK, type Settlement } from './store.ts';
import type { Tables } from './tables.ts';

/** What all spends of one settlement share; collects the warnings that they cross. */
export interface SettleStep {
  readonly rank: number;
  readonly nowMs: number;
  readonly crossed: Crossing[];
}

/**
 * Settles each spend of a reservation by its counter: at 0 where the settlement lacks it, from 0 where only the
 * settlement has it. Closes the reservation once nothing in it is unmeasured.
 */
export function settleReservation(
  tables: Tables,
  reservation: Reservation,
  settlements: readonly Settlement[],
  step: SettleStep,
): SpendOutcome {
  // A run that ended meanwhile takes its totals along, and is not renewed.
  if (reservation.run !== undefined) tables.runs.get(reservation.run.marker, step.nowMs);
  const outcome = settleAll(tables, reservation, settlements, step) ?? unspentOutcome(reservation, step.rank);
  if (step.rank > reservation.rank) {
    reservation.rank = step.rank;
    tables.log?.reservation(reservation);
  }
  if (outcome !== 'changed') return outcome;
  tables.renew(reservation.run, step.nowMs);
  if (reservation.isOpen && isMeasured(reservation)) tables.close(reservation);
  tables.log?.reservation(reservation);
  return outcome;
}

/** Ends an open reservation: slots go, other spends stay unless their limit releases them or something settled them. */
export function expireReservation(tables: Tables, reservation: Reservation, nowMs: number): void {
  for (const spend of reservation.spends) {
    if (spend.rank === RANK.reserved) {
      const charged = spend.counter.kind !== 'slots' && spend.isKept ? spend.charged : 0;
      move(tables, reservation, spend, { charged, rank: RANK.expired, isHeld: false, nowMs });
    } else if (spend.rank === UNMEASURED_RANK) {
      move(tables, reservation, spend, { charged: spend.charged, rank: spend.rank, isHeld: false, nowMs });
    }
  }
  reservation.rank = Math.max(reservation.rank, RANK.expired);
  tables.close(reservation);
  tables.log?.reservation(reservation);
}

function settleAll(
  tables: Tables,
  reservation: Reservation,
  settlements: readonly Settlement[],
  step: SettleStep,
): SpendOutcome | undefined {
  const { spends } = reservation;
  let outcome: SpendOutcome | undefined;
  let matched = 0;
  for (let i = 0; i < spends.length; i++) {
    const settlement = settlementOf(spends[i]!.counter.name, settlements, i);
    if (settlement !== undefined) matched++;
    const result = settleSpend(tables, reservation, spends[i]!, settlement?.actual ?? 0, step);
    outcome = outcome === undefined ? result : combined(outcome, result);
  }
  if (matched === settlements.length) return outcome;
  for (const { ref, actual } of settlements) {
    if (spends.some(({ counter }) => counter.name === ref.counter)) continue;
    const result = join(tables, reservation, ref, actual, step);
    outcome = outcome === undefined ? result : combined(outcome, result);
  }
  return outcome;
}

/** The settlement of a counter; most come in the order of the reservation. */
function settlementOf(counter: string, settlements: readonly Settlement[], likely: number): Settlement | undefined {
  if (settlements[likely]?.ref.counter === counter) return settlements[likely];
  return settlements.find(({ ref }) => ref.counter === counter);
}

/** A counter that the reservation does not have stands at 0, with the rank that the reservation was settled with. */
function join(
  tables: Tables,
  reservation: Reservation,
  ref: CounterRef,
  actual: Settlement['actual'],
  step: SettleStep,
): SpendOutcome {
  const charge = { rank: reservation.rank, charged: 0, reserved: 0 };
  const { outcome } = moveOf(charge, { rank: step.rank, actual, isSlots: ref.kind === 'slots' });
  if (outcome !== 'changed') return outcome;
  const counter = joinedCounter(tables, reservation, ref, step.nowMs);
  const spend: HeldSpend = {
    counter,
    rate: rateOfRef(ref, counter),
    isKept: ref.onExpiry === 'keep',
    ...charge,
    isHeld: false,
  };
  reservation.spends.push(spend);
  return settleSpend(tables, reservation, spend, actual, step);
}

/** Slots are 0 at any settle; a total of a run that has ended counts no more. */
function joinedCounter(tables: Tables, { run }: Reservation, ref: CounterRef, nowMs: number): Counter {
  if (ref.kind === 'slots' || (ref.kind === 'total' && run?.isEnded === true)) return goneCounter(ref);
  const counter = tables.live(ref.counter, nowMs) ?? tables.make(ref, nowMs);
  if (counter === undefined) return goneCounter(ref);
  if (counter.kind === 'total') tables.joinRun(counter, run);
  tables.moved(counter, nowMs);
  return counter;
}

function settleSpend(
  tables: Tables,
  reservation: Reservation,
  spend: HeldSpend,
  actual: Settlement['actual'],
  { rank, nowMs, crossed }: SettleStep,
): SpendOutcome {
  const to = moveOf(spend, { rank, actual, isSlots: spend.counter.kind === 'slots' });
  if (to.outcome !== 'changed') return to.outcome;
  const isHeld = spend.isHeld && to.rank === UNMEASURED_RANK;
  const counter = move(tables, reservation, spend, { charged: to.charged, rank: to.rank, isHeld, nowMs });
  if (!counter.isGone && counter.latchWarnings(spend.rate, nowMs, crossed)) tables.log?.counter(counter);
  return to.outcome;
}

/** Moves a spend, and its counter if it still counts; answers the counter. */
function move(
  tables: Tables,
  { mintedAt }: Reservation,
  spend: HeldSpend,
  to: { readonly charged: number; readonly rank: number; readonly isHeld: boolean; readonly nowMs: number },
): Counter {
  const { charged, isHeld, nowMs } = to;
  const isStill = spend.charged === charged && spend.isHeld === isHeld;
  const counter = counterOf(tables, spend, { nowMs, isMade: !isStill });
  if (!counter.isGone && !isStill) {
    moveCounter(counter, spend, { charged, isHeld, mintedAt, nowMs });
    tables.moved(counter, nowMs);
  }
  spend.charged = charged;
  spend.rank = to.rank;
  spend.isHeld = isHeld;
  return counter;
}

/** A spend's counter: a bucket that went because it was empty may be made again, a window or total that is gone never. */
function counterOf(tables: Tables, spend: HeldSpend, { nowMs, isMade }: { nowMs: number; isMade: boolean }): Counter {
  const { counter } = spend;
  if (!counter.isGone || counter.kind !== 'bucket') return counter;
  const known = tables.live(counter.name, nowMs);
  const made = known ?? (isMade ? tables.make({ counter: counter.name, kind: counter.kind }, nowMs) : undefined);
  spend.counter = made ?? counter;
  return spend.counter;
}

function isMeasured({ spends }: Reservation): boolean {
  for (const { rank } of spends) if (rank === UNMEASURED_RANK) return false;
  return true;
}

/** Of a settlement of nothing. */
function unspentOutcome(reservation: Reservation, rank: number): SpendOutcome {
  if (rank > reservation.rank) return 'changed';
  return rank === reservation.rank ? 'same' : 'superseded';
}
