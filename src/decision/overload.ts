/** Which classes of work are turned away while the process cannot keep up: the last of traffic.yaml first. */

/** Reference 5.2: beyond this lag of the event loop, or so many decisions under way, the lowest class is shed. */
const LAG_MS = 50;
const IN_FLIGHT = 500;
/** One look at more lag is noise of a busy machine, until it has lasted for this long; a stall like this (P10) is none. */
const ONSET_MS = 100;
const STALL_MS = 200;
/** Below half of both it is well again: between the two nothing changes, so that classes do not flap. */
const WELL_SHARE = 0.5;
/** While it lasts without a break, one class more is shed after this. */
const DEEPER_AFTER_MS = 200;
/** When it has been well for this long, one class less is. */
const BACK_AFTER_MS = 1_000;
/** A process that has just started is slow because its code is cold, and calls have waited for it: its lag says nothing. */
const COLD_MS = 5_000;
/** Callers are told to come back after 1 to 4 s; the answer's own jitter adds a little. */
const WAIT_MIN_MS = 1_000;
const WAIT_SPREAD_MS = 3_000;

/** What is seen of the process. Times are monotonic. */
export interface Load {
  readonly nowMs: number;
  /** Of the event loop. */
  readonly lagMs: number;
  /** Decisions begun and not answered. */
  readonly inFlight: number;
}

/**
 * Sheds by class from the bottom, and takes back from the top. The first class is never shed whole: of its calls every other
 * one passes, for a gateway that serves nobody is no better than one that is late.
 */
export class Overload {
  readonly #startedMs: number;
  /** Classes shed, counted from the last. */
  #depth = 0;
  #changedMs: number;
  /** Pressed at every look since then; undefined: not now. One stall, however long, is over at the next look. */
  #sinceMs: number | undefined;
  /** Last time that it was not well. */
  #pressedMs: number;
  #turn = 0;
  readonly #shed = new Map<string, number>();

  constructor({ nowMs }: { readonly nowMs: number }) {
    this.#startedMs = nowMs;
    this.#changedMs = nowMs;
    this.#pressedMs = nowMs;
  }

  get depth(): number {
    return this.#depth;
  }

  /** Calls shed so far, by class. */
  counts(): ReadonlyMap<string, number> {
    return this.#shed;
  }

  /** Notes how the process does; `classes`: how many there are. */
  observe({ nowMs, lagMs, inFlight }: Load, classes: number): void {
    const lag = nowMs - this.#startedMs < COLD_MS ? 0 : lagMs;
    if (lag > LAG_MS || inFlight > IN_FLIGHT) {
      this.#sinceMs ??= nowMs;
      this.#pressedMs = nowMs;
      const lasts = nowMs - Math.max(this.#sinceMs, this.#changedMs) >= DEEPER_AFTER_MS;
      const begins = lag >= STALL_MS || inFlight > IN_FLIGHT || nowMs - this.#sinceMs >= ONSET_MS;
      if (this.#depth === 0 ? begins : lasts) this.#to(this.#depth + 1, nowMs, classes);
      return;
    }
    this.#sinceMs = undefined;
    if (lag > LAG_MS * WELL_SHARE || inFlight > IN_FLIGHT * WELL_SHARE) this.#pressedMs = nowMs;
    const wellMs = nowMs - Math.max(this.#pressedMs, this.#changedMs);
    if (this.#depth > 0 && wellMs >= BACK_AFTER_MS) this.#to(this.#depth - 1, nowMs, classes);
  }

  /**
   * How long a call of these classes should wait before it is tried again, ms; undefined: it is served. A call is of the last
   * of its classes. `order`: all classes, the most important first; `random` in [0, 1).
   */
  sheds(
    classes: readonly string[],
    { order, random }: { readonly order: readonly string[]; readonly random: number },
  ): number | undefined {
    if (this.#depth === 0) return undefined;
    const place = Math.max(...classes.map((name) => order.indexOf(name)));
    if (place < order.length - this.#depth) return undefined;
    if (place === 0) {
      this.#turn = 1 - this.#turn;
      if (this.#turn === 0) return undefined;
    }
    const name = order[place] ?? '';
    this.#shed.set(name, (this.#shed.get(name) ?? 0) + 1);
    return WAIT_MIN_MS + Math.floor(random * WAIT_SPREAD_MS);
  }

  #to(depth: number, nowMs: number, classes: number): void {
    const bounded = Math.min(Math.max(depth, 0), classes);
    if (bounded === this.#depth) return;
    this.#depth = bounded;
    this.#changedMs = nowMs;
  }
}
