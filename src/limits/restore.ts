/** Builds a memory store's tables from what the ledger kept. */
import { type Counter, type CounterTable, goneCounter } from './counters.ts';
import { entersAtOnce, rateOfRef } from './moves.ts';
import type { HeldSpend, Reservation } from './reservations.ts';
import {
  type CounterRow,
  goneRow,
  isOther,
  type KeptReservation,
  type KeptSpend,
  readCounter,
  readForgotten,
  readOp,
  readReservation,
  readRun,
} from './rows.ts';
import { endedRun, type Run, type RunTable } from './runs.ts';
import { type CounterRef, RANK } from './store.ts';
import type { Tables } from './tables.ts';

/** A hold that the ledger has, as much of it as the store needs. */
export interface HeldReservation {
  readonly id: string;
  readonly mintedAt: number;
  readonly expiresAt: number;
  readonly customer: string;
  readonly spends: readonly (CounterRef & { readonly limit: string; readonly reserved: number })[];
}

/** What open decisions hold, and all counters. Of the decisions that have ended the store asks when one is settled again. */
export interface Snapshot {
  /** Each name once. */
  readonly counters: readonly CounterRow[];
  /** Open ones. */
  readonly reservations: readonly HeldReservation[];
  /** Whether `reservations` are all that are open: what counters hold beyond them is given back. Default false. */
  readonly isWhole?: boolean;
}

/** A decision that has ended, as the ledger has it. */
export interface EndedReservation {
  /** Undefined: the ledger has no hold of it. */
  readonly hold: HeldReservation | undefined;
  /** Its booked end, for the state is lost; `charged` is empty where the counters were not moved. */
  readonly ended:
    | { readonly rank: number; readonly charged: readonly { readonly counter: string; readonly amount: number }[] }
    | undefined;
  /** Its row, if there is one: knows more than the hold. */
  readonly states: readonly CounterRow[];
}

/** Fills empty tables. */
export function restoreInto(tables: Tables, snapshot: Snapshot, now: number): void {
  const kept = restoreRows(tables, snapshot.counters, now);
  const isNew = new Set<Counter>();
  const all = [...kept.values()];
  for (const hold of snapshot.reservations) if (!kept.has(hold.id)) all.push(asHeld(hold));
  all.sort((a, b) => a.mintedAt - b.mintedAt);
  const added = all.map((reservation) => addReservation(tables, reservation, { now, isNew }));
  if (snapshot.isWhole === true) giveBack(tables, added);
  tables.reservations.trim(now);
}

/** Puts back a decision that has ended, so that what it is charged with is known. Nothing where it is too late for that. */
export function readmitInto(tables: Tables, { hold, ended, states }: EndedReservation, now: number): void {
  const row = states.find(({ state }) => state !== '');
  const kept = row === undefined ? hold && asEnded(hold, ended) : readReservation(row);
  if (kept === undefined || tables.reservations.isTooLate(kept.mintedAt, now)) return;
  addReservation(tables, asClosed(kept), { now, isNew: new Set() });
}

function restoreRows(
  { counters, runs, reservations, ops, log }: Tables,
  rows: readonly CounterRow[],
  now: number,
): ReadonlyMap<string, KeptReservation> {
  const kept = new Map<string, KeptReservation>();
  // Twice over the rows, for totals find their runs; and without a copy of any kind, for there may be a million of them.
  for (const row of rows) {
    if (row.state === '' || !isOther(row)) continue;
    const run = readRun(row);
    if (run !== undefined) runs.restore(run);
    const reservation = readReservation(row);
    if (reservation !== undefined) kept.set(reservation.id, reservation);
    const op = readOp(row);
    if (op !== undefined && row.dropAtMs > now) ops.add(op);
    const forgotten = readForgotten(row);
    if (forgotten !== undefined) reservations.forgetUntil(forgotten);
  }
  for (const row of rows) {
    if (row.state === '' || isOther(row)) continue;
    const { counter, marker } = readCounter(row);
    if (marker !== undefined) {
      const run = runs.peek(marker);
      if (run === undefined) {
        log?.row(goneRow(counter.name));
        continue;
      }
      counter.life!.run = run;
      run.totals.push(counter);
    }
    counters.restore(counter);
  }
  return kept;
}

/**
 * An end that the store could not be told leaves a hold that nobody ends. Such a one is never asked for again, so what stood
 * in `held` goes; a window stays charged with it.
 */
function giveBack({ counters, log }: Tables, reservations: readonly (Reservation | undefined)[]): void {
  const held = new Map<Counter, number>();
  for (const reservation of reservations) {
    for (const { counter, isHeld, reserved } of reservation?.spends ?? []) {
      if (isHeld) held.set(counter, (held.get(counter) ?? 0) + reserved);
    }
  }
  for (const counter of counters.all()) {
    const over = counter.held - (held.get(counter) ?? 0);
    if (over <= 0) continue;
    counter.held -= over;
    if (counter.kind === 'slots') counter.used = Math.max(0, counter.used - over);
    log?.counter(counter);
  }
}

/** What `giveBack` has left of a decision that has ended; nothing changes where the store was told of its end. */
function asClosed(kept: KeptReservation): KeptReservation {
  const spends = kept.spends.map((spend): KeptSpend => {
    if (!spend.isHeld) return spend;
    const { kind } = spend.ref;
    return { ...spend, isHeld: false, charged: kind === 'window' || kind === 'total' ? spend.charged : 0 };
  });
  return { ...kept, isOpen: false, spends };
}

/** A decision without a row: charged as its end says, else with what it reserved. */
function asEnded(hold: HeldReservation, ended: EndedReservation['ended']): KeptReservation {
  const kept = asHeld(hold);
  if (ended === undefined || ended.charged.length === 0) return kept;
  const amounts = new Map(ended.charged.map(({ counter, amount }) => [counter, amount]));
  const { rank } = ended;
  const spends = kept.spends.map((spend) => {
    return { ...spend, isHeld: false, charged: amounts.get(spend.ref.counter) ?? 0, rank };
  });
  return { ...kept, rank, spends };
}

/** A hold that nothing moved since its admission: its row would say nothing more than the hold. */
function asHeld({ id, customer, mintedAt, expiresAt, spends }: HeldReservation): KeptReservation {
  return {
    id,
    customer,
    mintedAt,
    expiresAt,
    candidate: 0,
    marker: undefined,
    runBorn: 0,
    rank: RANK.reserved,
    isOpen: true,
    spends: spends.map((spend) => ({
      ref: spend,
      rate: rateOfRef(spend),
      born: 0,
      isKept: spend.onExpiry === 'keep',
      reserved: spend.reserved,
      charged: spend.reserved,
      rank: RANK.reserved,
      isHeld: !entersAtOnce(spend),
    })),
  };
}

function addReservation(
  tables: Tables,
  kept: KeptReservation,
  { now, isNew }: { now: number; isNew: Set<Counter> },
): Reservation | undefined {
  const { id, mintedAt, expiresAt, candidate, isOpen, rank, marker, runBorn, customer } = kept;
  if (!isOpen && tables.reservations.isTooLate(mintedAt, now)) return undefined;
  const run = marker === undefined ? undefined : runOf(tables.runs, marker, runBorn);
  const spends = kept.spends.map((spend): HeldSpend => {
    const { rate, isKept, reserved, charged, isHeld } = spend;
    const counter = counterFor(tables.counters, { spend, now, isNew }) ?? goneCounter(spend.ref);
    return { counter, rate, isKept, reserved, charged, rank: spend.rank, isHeld };
  });
  const reservation = tables.reservations.add({ id, mintedAt, expiresAt, candidate, spends, run, isOpen }, customer);
  reservation.rank = rank;
  if (run !== undefined && isOpen) run.open++;
  return reservation;
}

/** The run that a decision belongs to: the one of that name, unless that is another. */
function runOf(runs: RunTable, marker: string, born: number): Run {
  const run = runs.peek(marker);
  return run?.born === born ? run : endedRun(marker);
}

/** The counter that a spend stands in. One whose row is missing is made from the reservations that hold it. */
function counterFor(
  counters: CounterTable,
  { spend, now, isNew }: { spend: KeptSpend; now: number; isNew: Set<Counter> },
): Counter | undefined {
  const known = counters.get(spend.ref.counter);
  if (spend.ref.kind === 'total') return known?.life?.born === spend.born ? known : undefined;
  if (known !== undefined && !isNew.has(known)) return known;
  if (!spend.isHeld) return known;
  const counter = counters.make(spend.ref, now);
  if (counter === undefined) return undefined;
  isNew.add(counter);
  counter.held += spend.reserved;
  if (spend.rate === undefined) counter.used += spend.reserved;
  return counter;
}
