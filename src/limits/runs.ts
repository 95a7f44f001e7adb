/** Agent runs: they begin with the first admitted question and end after `idleMs` with nothing open. */
import type { Counter } from './counters.ts';

export interface Run {
  readonly marker: string;
  idleMs: number;
  /** Last admission or settlement, epoch ms. */
  renewedAt: number;
  /** Reservations that are open. */
  open: number;
  /** Totals that end with it. */
  readonly totals: Counter[];
  /** When it began, epoch ms: tells it from the one that had its marker before. */
  readonly born: number;
  isEnded: boolean;
  isChanged: boolean;
}

export interface RunsOptions {
  /** Runs at most. */
  readonly runsMax: number;
  /** Told of each run that has ended, before its totals go. */
  readonly onEnded: (run: Run) => void;
}

/** Runs looked at when there is no room. */
const SEARCH_STEPS = 256;

export class RunTable {
  readonly #byMarker = new Map<string, Run>();
  readonly #options: RunsOptions;
  #hand: MapIterator<Run>;

  constructor(options: RunsOptions) {
    this.#options = options;
    this.#hand = this.#byMarker.values();
  }

  get size(): number {
    return this.#byMarker.size;
  }

  /** The run if it goes on at `nowMs`; one that has ended is taken out with its totals. */
  get(marker: string, nowMs: number): Run | undefined {
    const run = this.#byMarker.get(marker);
    if (run === undefined || !hasEnded(run, nowMs)) return run;
    this.#end(run);
    return undefined;
  }

  /** The run, whether it has ended or not. */
  peek(marker: string): Run | undefined {
    return this.#byMarker.get(marker);
  }

  hasRoom(nowMs: number): boolean {
    if (this.#byMarker.size >= this.#options.runsMax) this.sweep(SEARCH_STEPS, nowMs);
    return this.#byMarker.size < this.#options.runsMax;
  }

  /** A new run; the caller has asked `get` and `hasRoom`. */
  begin(marker: string, { idleMs, nowMs }: { idleMs: number; nowMs: number }): Run {
    const run: Run = {
      marker,
      idleMs,
      renewedAt: nowMs,
      open: 0,
      totals: [],
      born: nowMs,
      isEnded: false,
      isChanged: false,
    };
    this.#byMarker.set(marker, run);
    return run;
  }

  /** Looks at up to `steps` runs, in turn, and takes out those that have ended. */
  sweep(steps: number, nowMs: number): void {
    for (let step = 0; step < Math.min(steps, this.#byMarker.size); step++) {
      let next = this.#hand.next();
      if (next.done === true) {
        this.#hand = this.#byMarker.values();
        next = this.#hand.next();
        if (next.done === true) return;
      }
      if (hasEnded(next.value, nowMs)) this.#end(next.value);
    }
  }

  /** Puts back a run that was kept. */
  restore(run: Run): void {
    this.#byMarker.set(run.marker, run);
  }

  #end(run: Run): void {
    run.isEnded = true;
    this.#byMarker.delete(run.marker);
    this.#options.onEnded(run);
  }
}

/** A run of which only its decisions are left. */
export function endedRun(marker: string): Run {
  return { marker, idleMs: 0, renewedAt: 0, open: 0, totals: [], born: 0, isEnded: true, isChanged: false };
}

export function hasEnded(run: Run, nowMs: number): boolean {
  return run.open === 0 && nowMs >= run.renewedAt + run.idleMs;
}
