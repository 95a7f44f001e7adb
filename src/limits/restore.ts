/** Builds a memory store's tables from what the ledger kept. */
import { type Counter, type CounterTable, goneCounter } from './counters.ts';
import { entersAtOnce, rateOfRef } from './moves.ts';
import type { HeldSpend } from './reservations.ts';
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
import { type CounterRef, RANK, type Settlement } from './store.ts';
import type { Tables } from './tables.ts';

/** A hold that the ledger has, as much of it as the store needs; `ended` if an end is booked. */
export interface HeldReservation {
  readonly id: string;
  readonly mintedAt: number;
  readonly expiresAt: number;
  readonly customer: string;
  readonly spends: readonly (CounterRef & { readonly limit: string; readonly reserved: number })[];
  readonly ended?:
    | { readonly rank: number; readonly charged: readonly { readonly counter: string; readonly amount: number }[] }
    | undefined;
}

export interface Snapshot {
  /** Each name once. */
  readonly counters: readonly CounterRow[];
  readonly reservations: readonly HeldReservation[];
}

/** A booked end that has to be settled, for the rows may be older than it. */
export interface Replay {
  readonly id: string;
  readonly options: { readonly mintedAt: number; readonly rank: number; readonly customer: string };
  readonly settlements: readonly Settlement[];
}

/** Fills empty tables. Answers the ends to settle then; settling one that the rows know already changes nothing. */
export function restoreInto(tables: Tables, snapshot: Snapshot, now: number): readonly Replay[] {
  const kept = restoreRows(tables, snapshot.counters, now);
  const isNew = new Set<Counter>();
  const all = [...kept.values()];
  for (const hold of snapshot.reservations) if (!kept.has(hold.id)) all.push(asHeld(hold));
  all.sort((a, b) => a.mintedAt - b.mintedAt);
  for (const reservation of all) addReservation(tables, reservation, { now, isNew });
  tables.reservations.trim(now);
  return snapshot.reservations.flatMap(replayOf);
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
): void {
  const { id, mintedAt, expiresAt, candidate, isOpen, rank, marker, runBorn, customer } = kept;
  if (!isOpen && tables.reservations.isTooLate(mintedAt, now)) return;
  const run = marker === undefined ? undefined : runOf(tables.runs, marker, runBorn);
  const spends = kept.spends.map((spend): HeldSpend => {
    const { rate, isKept, reserved, charged, isHeld } = spend;
    const counter = counterFor(tables.counters, { spend, now, isNew }) ?? goneCounter(spend.ref);
    return { counter, rate, isKept, reserved, charged, rank: spend.rank, isHeld };
  });
  const reservation = tables.reservations.add({ id, mintedAt, expiresAt, candidate, spends, run, isOpen }, customer);
  reservation.rank = rank;
  if (run !== undefined && isOpen) run.open++;
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

function replayOf({ id, mintedAt, customer, spends, ended }: HeldReservation): readonly Replay[] {
  if (ended === undefined) return [];
  const amounts = new Map(ended.charged.map(({ counter, amount }) => [counter, amount]));
  const settlements = spends.map((ref) => ({ ref, actual: amounts.get(ref.counter) ?? 0 }));
  return [{ id, options: { mintedAt, rank: ended.rank, customer }, settlements }];
}
