import type { Counter } from './counters.ts';
import type { Reservation } from './reservations.ts';
import {
  type CounterRow,
  counterRow,
  forgottenRow,
  goneRow,
  goneRunRow,
  opRow,
  reservationRow,
  runRow,
} from './rows.ts';
import type { Run } from './runs.ts';

/** What was changed since the last drain, each thing once, in the order of its first change. */
export class ChangeLog {
  readonly #settleWithinMs: number;
  #counters: Counter[] = [];
  #reservations: Reservation[] = [];
  #runs: Run[] = [];
  #endedRuns: Run[] = [];
  #rows: CounterRow[] = [];

  constructor({ settleWithinMs }: { settleWithinMs: number }) {
    this.#settleWithinMs = settleWithinMs;
  }

  counter(counter: Counter): void {
    if (counter.isChanged) return;
    counter.isChanged = true;
    this.#counters.push(counter);
  }

  reservation(reservation: Reservation): void {
    if (reservation.isChanged) return;
    reservation.isChanged = true;
    this.#reservations.push(reservation);
  }

  run(run: Run): void {
    if (run.isChanged) return;
    run.isChanged = true;
    this.#runs.push(run);
  }

  runEnded(run: Run): void {
    this.#endedRuns.push(run);
  }

  row(row: CounterRow): void {
    this.#rows.push(row);
  }

  op(op: string, dropAtMs: number): void {
    this.#rows.push(opRow(op, dropAtMs));
  }

  forgotten(mintedAt: number): void {
    this.#rows.push(forgottenRow(mintedAt));
  }

  /** The rows to be written, each name's last one last; forgets them. */
  drain(): CounterRow[] {
    const settleWithinMs = this.#settleWithinMs;
    const rows = this.#rows;
    for (const run of this.#endedRuns) rows.push(goneRunRow(run));
    for (const run of this.#runs) {
      run.isChanged = false;
      if (!run.isEnded) rows.push(runRow(run));
    }
    for (const counter of this.#counters) {
      counter.isChanged = false;
      rows.push(counter.isGone ? goneRow(counter.name) : counterRow(counter, { settleWithinMs }));
    }
    for (const reservation of this.#reservations) {
      reservation.isChanged = false;
      rows.push(reservationRow(reservation, { settleWithinMs }));
    }
    this.#counters = [];
    this.#reservations = [];
    this.#runs = [];
    this.#endedRuns = [];
    this.#rows = [];
    return rows;
  }
}
