/** The memory store's counters, by name; bounded. */
import { drained, emptyLevel, type Level, type Rate, unitsUp } from './bucket.ts';
import type { Run } from './runs.ts';
import type { CounterRef, Crossing, SpendKind } from './store.ts';

/** As much of a reference as makes a counter. */
export type CounterName = Pick<CounterRef, 'counter' | 'kind' | 'end'>;

/** A total lives and dies with its run. */
export interface TotalLife {
  /** Undefined where no admission in the run was seen here. */
  run: Run | undefined;
  /** When it was made, epoch ms: tells it from the total that had its name before. */
  readonly born: number;
  /** When it was moved last, epoch ms. */
  movedAt: number;
}

/** Of the limit that asked last: its name, its thresholds in units, ascending, and those that were reported. */
export interface Warnings {
  readonly limit: string;
  readonly thresholds: readonly number[];
  readonly told: readonly number[];
}

const NONE: readonly number[] = Object.freeze([]);
const untoldByThresholds = new WeakMap<readonly number[], Warnings>();

/** Shared by all counters of a limit: most never tell. */
function untold(limit: string, thresholds: readonly number[]): Warnings {
  let warnings = untoldByThresholds.get(thresholds);
  if (warnings === undefined) {
    warnings = { limit, thresholds, told: NONE };
    untoldByThresholds.set(thresholds, warnings);
  }
  return warnings;
}

/** State of one counter. A bucket keeps `level` and `held`, every other kind `used` (holds included) and `held`. */
export class Counter {
  readonly name: string;
  readonly kind: SpendKind;
  used = 0;
  held = 0;
  /** Of a bucket. */
  level: Level | undefined;
  /** Of a bucket: the rate that last moved it, to know when it has drained. */
  rate: Rate | undefined;
  /** Of a window: when it ends, epoch ms; else 0. */
  end: number;
  /** Of a total. */
  life: TotalLife | undefined;
  warnings: Warnings | undefined;
  /** No longer in the table: nothing moves it. */
  isGone = false;
  isChanged = false;

  constructor(ref: CounterName) {
    this.name = ref.counter;
    this.kind = ref.kind;
    this.end = ref.end ?? 0;
  }

  /** Forgets the warnings of a bucket that has drained: one that is full again warns again, and idle ones can go. */
  renewIfIdle(rate: Rate, nowMs: number): void {
    if (this.warnings === undefined || this.held > 0) return;
    const { units, parts } = this.levelAt(rate, nowMs);
    if (units === 0 && parts === 0) this.warnings = undefined;
  }

  /** Takes over the thresholds of a question; those that were told stay told. */
  watch(limit: string, thresholds: readonly number[] | undefined): void {
    if (thresholds === undefined || this.warnings?.thresholds === thresholds) return;
    const told = this.warnings?.told;
    this.warnings = told === undefined ? untold(limit, thresholds) : { limit, thresholds, told };
  }

  /** A bucket's level at `nowMs`, with the rate of who asks. */
  levelAt(rate: Rate, nowMs: number): Level {
    return this.level === undefined ? emptyLevel(nowMs, rate) : drained(this.level, rate, nowMs);
  }

  /** `used` as answers show it: holds included, a bucket's level rounded up. */
  usedAt(rate: Rate | undefined, nowMs: number): number {
    return rate === undefined ? this.used : unitsUp(this.levelAt(rate, nowMs)) + this.held;
  }

  /** Adds the thresholds that spent has reached and that were not told yet to `crossed`; whether there were any. */
  latchWarnings(rate: Rate | undefined, nowMs: number, crossed: Crossing[]): boolean {
    if (this.warnings === undefined) return false;
    const { limit, thresholds, told } = this.warnings;
    const spent = rate === undefined ? this.used - this.held : this.levelAt(rate, nowMs).units;
    if (spent < thresholds[0]!) return false;
    const reached = thresholds.filter((threshold) => threshold <= spent && !told.includes(threshold));
    if (reached.length === 0) return false;
    this.warnings = { limit, thresholds, told: [...told, ...reached] };
    for (const threshold of reached) crossed.push({ counter: this.name, limit, threshold, spent });
    return true;
  }
}

/** A counter that counts no more, or never did: stands where there is none. */
export function goneCounter(ref: CounterName): Counter {
  const counter = new Counter(ref);
  counter.isGone = true;
  return counter;
}

export interface CountersOptions {
  /** Counters at most. */
  readonly countersMax: number;
  /** Windows are kept this long after their end. */
  readonly settleWithinMs: number;
  /** Told of each counter that goes. */
  readonly onGone: (counter: Counter) => void;
}

/** Counters looked at when there is no room; the search goes on where it stopped, so that all are seen in time. */
const SEARCH_STEPS = 256;

/** A counter goes only when that changes no answer: window and its settlements over, bucket empty, run ended, no slot held. */
export class CounterTable {
  readonly #byName = new Map<string, Counter>();
  readonly #options: CountersOptions;
  #hand: MapIterator<Counter>;

  constructor(options: CountersOptions) {
    this.#options = options;
    this.#hand = this.#byName.values();
  }

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): Counter | undefined {
    return this.#byName.get(name);
  }

  /** Whether `more` counters can be made; looks for ones that can go if not. */
  hasRoom(more: number, nowMs: number): boolean {
    if (this.#byName.size + more > this.#options.countersMax) this.sweep(SEARCH_STEPS, nowMs);
    return this.#byName.size + more <= this.#options.countersMax;
  }

  /** The counter of `ref`, made if there is none. Undefined where its window is over for good. Bounds are the caller's. */
  make(ref: CounterName, nowMs: number): Counter | undefined {
    const known = this.#byName.get(ref.counter);
    if (known !== undefined) return known;
    if (ref.kind === 'window' && nowMs >= ref.end! + this.#options.settleWithinMs) return undefined;
    const counter = new Counter(ref);
    if (ref.kind === 'total') counter.life = { run: undefined, born: nowMs, movedAt: nowMs };
    this.#byName.set(counter.name, counter);
    return counter;
  }

  all(): IterableIterator<Counter> {
    return this.#byName.values();
  }

  /** Puts back a counter that was kept. */
  restore(counter: Counter): void {
    this.#byName.set(counter.name, counter);
  }

  /** Takes a counter out; what still refers to it no longer moves it. */
  remove(counter: Counter): void {
    if (counter.isGone) return;
    counter.isGone = true;
    this.#byName.delete(counter.name);
    this.#options.onGone(counter);
  }

  /** Whether the counter can go. */
  isSpent(counter: Counter, nowMs: number): boolean {
    switch (counter.kind) {
      case 'window':
        return nowMs >= counter.end + this.#options.settleWithinMs;
      case 'bucket':
        return isIdle(counter, nowMs);
      case 'slots':
        return counter.held === 0 && counter.used === 0;
      case 'total':
        return this.isLost(counter.life!, nowMs);
    }
  }

  /** A total whose run was never seen here lives as long as a settlement may still come. */
  isLost({ run, movedAt }: TotalLife, nowMs: number): boolean {
    return run === undefined && nowMs >= movedAt + this.#options.settleWithinMs;
  }

  /** Looks at up to `steps` counters, in turn, and takes out those that can go. */
  sweep(steps: number, nowMs: number): void {
    for (let step = 0; step < Math.min(steps, this.#byName.size); step++) {
      let next = this.#hand.next();
      if (next.done === true) {
        this.#hand = this.#byName.values();
        next = this.#hand.next();
        if (next.done === true) return;
      }
      if (this.isSpent(next.value, nowMs)) this.remove(next.value);
    }
  }
}

/** A bucket that has drained, with nothing held, is as if it had never been. */
function isIdle({ level, rate, held }: Counter, nowMs: number): boolean {
  if (held > 0) return false;
  if (level === undefined || rate === undefined) return true;
  const now = drained(level, rate, nowMs);
  return now.units === 0 && now.parts === 0 && level.at <= nowMs;
}
