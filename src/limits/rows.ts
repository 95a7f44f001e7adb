/**
 * States of the memory store as rows for the ledger: compact JSON, opaque to it. A row is named by its counter; names
 * that begin with `~`, which no counter's does, are the store's other state.
 */
import { drainMs } from './bucket.ts';
import { Counter, type CounterName } from './counters.ts';
import type { HeldSpend, Reservation } from './reservations.ts';
import type { Run } from './runs.ts';

/** One row; the ledger keeps the last of each name until `dropAtMs`. An empty state means that it is gone. */
export interface CounterRow {
  readonly counter: string;
  readonly state: string;
  readonly dropAtMs: number;
}

/** Kept until another row of the same name says otherwise. */
const KEPT = Number.MAX_SAFE_INTEGER;

const RUN = '~run|';
/** Before a decision id: the row of what the decision is charged with. */
export const RESERVATION = '~reservation|';
const OP = '~op|';
const FORGOTTEN = '~forgotten';

type WarningsJson = [limit: string | null, warn: readonly number[], warned: readonly number[]];
type CounterJson =
  | ['bucket', number, number, number, number, number, number, ...WarningsJson]
  | ['window', number, number, number, ...WarningsJson]
  | ['total', number, number, number, number, string | null, ...WarningsJson]
  | ['slots', number, number];

/** Whether a row is of something else than a counter. */
export function isOther({ counter }: CounterRow): boolean {
  return counter.startsWith('~');
}

export function goneRow(name: string): CounterRow {
  return { counter: name, state: '', dropAtMs: 0 };
}

export function counterRow(counter: Counter, { settleWithinMs }: { settleWithinMs: number }): CounterRow {
  return {
    counter: counter.name,
    state: JSON.stringify(counterJson(counter)),
    dropAtMs: dropAt(counter, settleWithinMs),
  };
}

function counterJson(counter: Counter): CounterJson {
  const { used, held } = counter;
  const { limit = null, thresholds = [], told = [] } = counter.warnings ?? {};
  const warnings: WarningsJson = [limit, thresholds, told];
  switch (counter.kind) {
    case 'bucket': {
      // A bucket made from holds has none yet: it is empty, at any rate.
      const { units, parts, at, p } = counter.level ?? { units: 0, parts: 0, at: 0, p: 1 };
      return ['bucket', units, parts, at, p, counter.rate?.n ?? 1, held, ...warnings];
    }
    case 'window':
      return ['window', used, held, counter.end, ...warnings];
    case 'total': {
      const { run, born, movedAt } = counter.life!;
      return ['total', used, held, born, movedAt, run?.marker ?? null, ...warnings];
    }
    case 'slots':
      return ['slots', used, held];
  }
}

/** When the counter's absence no longer changes an answer. */
function dropAt(counter: Counter, settleWithinMs: number): number {
  switch (counter.kind) {
    case 'window':
      return counter.end + settleWithinMs;
    case 'bucket': {
      if (counter.held > 0) return KEPT;
      const { level, rate } = counter;
      return level === undefined || rate === undefined ? 0 : Math.min(level.at + drainMs(level, rate, 0), KEPT);
    }
    case 'slots':
      return counter.used === 0 && counter.held === 0 ? 0 : KEPT;
    case 'total':
      return counter.life!.run === undefined ? counter.life!.movedAt + settleWithinMs : KEPT;
  }
}

/** A counter from its row; of a total also the marker of its run. */
export function readCounter(row: CounterRow): { counter: Counter; marker: string | undefined } {
  const json = JSON.parse(row.state) as CounterJson;
  const counter = new Counter({
    counter: row.counter,
    kind: json[0],
    ...(json[0] === 'window' ? { end: json[3] } : {}),
  });
  let marker: string | undefined;
  switch (json[0]) {
    case 'bucket': {
      const [, units, parts, at, p, n, held, ...warnings] = json;
      counter.level = { units, parts, at, p };
      counter.rate = { n, p };
      counter.held = held;
      readWarnings(counter, warnings);
      break;
    }
    case 'window': {
      const [, used, held, , ...warnings] = json;
      counter.used = used;
      counter.held = held;
      readWarnings(counter, warnings);
      break;
    }
    case 'total': {
      const [, used, held, born, movedAt, run, ...warnings] = json;
      counter.used = used;
      counter.held = held;
      counter.life = { run: undefined, born, movedAt };
      marker = run ?? undefined;
      readWarnings(counter, warnings);
      break;
    }
    case 'slots':
      counter.used = json[1];
      counter.held = json[2];
  }
  return { counter, marker };
}

function readWarnings(counter: Counter, [limit, thresholds, told]: WarningsJson): void {
  if (limit !== null) counter.warnings = { limit, thresholds, told };
}

export function runRow(run: Run): CounterRow {
  return {
    counter: RUN + run.marker,
    state: JSON.stringify([run.idleMs, run.renewedAt, run.born]),
    dropAtMs: run.open > 0 ? KEPT : run.renewedAt + run.idleMs,
  };
}

export function goneRunRow(run: Run): CounterRow {
  return goneRow(RUN + run.marker);
}

/** A run from its row, without open reservations; undefined if the row is of something else. */
export function readRun(row: CounterRow): Run | undefined {
  if (!row.counter.startsWith(RUN)) return undefined;
  const [idleMs, renewedAt, born] = JSON.parse(row.state) as [number, number, number];
  const marker = row.counter.slice(RUN.length);
  return { marker, idleMs, renewedAt, born, open: 0, totals: [], isEnded: false, isChanged: false };
}

export function opRow(op: string, dropAtMs: number): CounterRow {
  return { counter: OP + op, state: '1', dropAtMs };
}

export function readOp(row: CounterRow): string | undefined {
  return row.counter.startsWith(OP) ? row.counter.slice(OP.length) : undefined;
}

export function forgottenRow(mintedAt: number): CounterRow {
  return { counter: FORGOTTEN, state: String(mintedAt), dropAtMs: KEPT };
}

export function readForgotten(row: CounterRow): number | undefined {
  return row.counter === FORGOTTEN ? Number(row.state) : undefined;
}

/** A reservation as its row has it; its counters are named, not linked. */
export interface KeptReservation {
  readonly id: string;
  readonly customer: string;
  readonly mintedAt: number;
  readonly expiresAt: number;
  readonly candidate: number | undefined;
  readonly marker: string | undefined;
  /** When its run began; 0 without one. */
  readonly runBorn: number;
  readonly rank: number;
  readonly isOpen: boolean;
  readonly spends: readonly KeptSpend[];
}

export interface KeptSpend extends Omit<HeldSpend, 'counter'> {
  readonly ref: CounterName;
  /** Of a total: when it was made; else 0. */
  readonly born: number;
}

type SpendJson = [
  name: string,
  kind: Counter['kind'],
  end: number,
  born: number,
  isKept: 0 | 1,
  n: number,
  p: number,
  reserved: number,
  charged: number,
  rank: number,
  isHeld: 0 | 1,
];
type ReservationJson = [
  customer: string,
  mintedAt: number,
  expiresAt: number,
  candidate: number | null,
  marker: string | null,
  runBorn: number,
  rank: number,
  isOpen: 0 | 1,
  spends: SpendJson[],
];

export function reservationRow(reservation: Reservation, { settleWithinMs }: { settleWithinMs: number }): CounterRow {
  const { customer, mintedAt, expiresAt, candidate, run, rank, isOpen } = reservation;
  const json: ReservationJson = [
    customer.name,
    mintedAt,
    expiresAt,
    candidate ?? null,
    run?.marker ?? null,
    run?.born ?? 0,
    rank,
    isOpen ? 1 : 0,
    reservation.spends.map(spendJson),
  ];
  return {
    counter: RESERVATION + reservation.id,
    state: JSON.stringify(json),
    dropAtMs: isOpen ? KEPT : mintedAt + settleWithinMs,
  };
}

function spendJson(spend: HeldSpend): SpendJson {
  const { counter, rate, isKept, reserved, charged, isHeld } = spend;
  const { name, kind, end } = counter;
  const born = counter.life?.born ?? 0;
  return [
    name,
    kind,
    end,
    born,
    isKept ? 1 : 0,
    rate?.n ?? 0,
    rate?.p ?? 0,
    reserved,
    charged,
    spend.rank,
    isHeld ? 1 : 0,
  ];
}

export function readReservation(row: CounterRow): KeptReservation | undefined {
  if (!row.counter.startsWith(RESERVATION)) return undefined;
  const [customer, mintedAt, expiresAt, candidate, marker, runBorn, rank, isOpen, spends] = JSON.parse(
    row.state,
  ) as ReservationJson;
  return {
    id: row.counter.slice(RESERVATION.length),
    customer,
    mintedAt,
    expiresAt,
    candidate: candidate ?? undefined,
    marker: marker ?? undefined,
    runBorn,
    rank,
    isOpen: isOpen === 1,
    spends: spends.map(([name, kind, end, born, isKept, n, p, reserved, charged, spendRank, isHeld]) => ({
      ref: { counter: name, kind, end },
      rate: kind === 'bucket' ? { n, p } : undefined,
      born,
      isKept: isKept === 1,
      reserved,
      charged,
      rank: spendRank,
      isHeld: isHeld === 1,
    })),
  };
}
