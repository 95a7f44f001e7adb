/** All that the memory store knows, and the rules that hold between its tables. */
import { ChangeLog } from './change-log.ts';
import { type Counter, type CounterName, CounterTable } from './counters.ts';
import { Ops } from './ops.ts';
import { type Reservation, ReservationTable } from './reservations.ts';
import { type Run, RunTable } from './runs.ts';

export interface TablesOptions {
  readonly settleWithinMs: number;
  readonly countersMax: number;
  readonly runsMax: number;
  readonly openMax: number;
  readonly closedMax: number;
  readonly opsMax: number;
  readonly isDurable: boolean;
}

export class Tables {
  readonly counters: CounterTable;
  readonly runs: RunTable;
  readonly reservations: ReservationTable;
  readonly ops: Ops;
  /** Undefined: nothing has to be kept. */
  readonly log: ChangeLog | undefined;

  constructor(options: TablesOptions) {
    const { settleWithinMs, countersMax, runsMax, openMax, closedMax } = options;
    const log = options.isDurable ? new ChangeLog({ settleWithinMs }) : undefined;
    this.log = log;
    const onGone = (counter: Counter) => {
      // The rows of others say themselves when they can be forgotten.
      if (counter.kind === 'total') log?.counter(counter);
    };
    this.counters = new CounterTable({ countersMax, settleWithinMs, onGone });
    this.runs = new RunTable({ runsMax, onEnded: (run) => this.#runEnded(run) });
    const onForgotten = (mintedAt: number) => log?.forgotten(mintedAt);
    this.reservations = new ReservationTable({ openMax, closedMax, settleWithinMs, onForgotten });
    this.ops = new Ops({ max: options.opsMax });
  }

  /** Whether an id that is not here may have been settled before, and forgotten. */
  isPast(mintedAt: number, nowMs: number): boolean {
    return this.reservations.isTooLate(mintedAt, nowMs) || this.reservations.isForgotten(mintedAt);
  }

  /** A counter that counts at `nowMs`; a total goes with its run. */
  live(name: string, nowMs: number): Counter | undefined {
    const counter = this.counters.get(name);
    if (counter?.kind !== 'total') return counter;
    const life = counter.life!;
    if (life.run !== undefined) return this.runs.get(life.run.marker, nowMs) === undefined ? undefined : counter;
    if (!this.counters.isLost(life, nowMs)) return counter;
    this.counters.remove(counter);
    return undefined;
  }

  /** A new counter, if there is room and its window is not over for good. */
  make(ref: CounterName, nowMs: number): Counter | undefined {
    return this.counters.hasRoom(1, nowMs) ? this.counters.make(ref, nowMs) : undefined;
  }

  /** Ties a total to the run that it lives and dies with. */
  joinRun(total: Counter, run: Run | undefined): void {
    const life = total.life!;
    if (run === undefined || life.run !== undefined) return;
    life.run = run;
    run.totals.push(total);
  }

  renew(run: Run | undefined, nowMs: number): void {
    if (run === undefined || run.isEnded) return;
    run.renewedAt = Math.max(run.renewedAt, nowMs);
    this.log?.run(run);
  }

  close(reservation: Reservation): void {
    this.reservations.close(reservation);
    const { run } = reservation;
    if (run === undefined) return;
    run.open--;
    this.log?.run(run);
  }

  /** To be told of each change of a counter. */
  moved(counter: Counter, nowMs: number): void {
    const { life } = counter;
    if (life !== undefined) life.movedAt = Math.max(life.movedAt, nowMs);
    this.log?.counter(counter);
  }

  #runEnded(run: Run): void {
    this.log?.runEnded(run);
    for (const total of run.totals) this.counters.remove(total);
  }
}
