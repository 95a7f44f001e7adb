/** When to stop asking what does not answer: a circuit breaker, pure but for the state it keeps. Time is an argument. */

export type BreakerState = 'closed' | 'open' | 'half_open';

export interface BreakerOptions {
  /** Failures in a row that open it. Default 5. */
  readonly failuresMax?: number;
  /** Calls of the last second that are needed before their share counts. Default 20. */
  readonly callsMin?: number;
  /** Percent of failed calls in the last second that opens it. Default 50. */
  readonly failedPercentMax?: number;
  /** How long it stays open at first, ms; doubles with each probe that fails. Default 250. */
  readonly openMs?: number;
  /** How long it stays open at most, ms. Default 2000. */
  readonly openMaxMs?: number;
  /** A number in 0..1; spreads the probes of many processes. Default `Math.random`. */
  readonly random?: () => number;
}

const DEFAULTS = {
  failuresMax: 5,
  callsMin: 20,
  failedPercentMax: 50,
  openMs: 250,
  openMaxMs: 2000,
  random: Math.random,
} as const satisfies Required<BreakerOptions>;

/** The share is counted over this long, in slices, ms. */
const SPAN_MS = 1000;
const SLICES = 10;
const SLICE_MS = SPAN_MS / SLICES;

interface Slice {
  /** Which tenth of a second since the clock's origin it counts. */
  number: number;
  calls: number;
  failed: number;
}

/**
 * Closed: all calls go. Open: none goes, until its time is over. Half open: one goes, and decides; while nobody has said how it
 * went, no other does. Every call that was allowed must be reported once. All times are monotonic ms.
 */
export class Breaker {
  readonly #options: Required<BreakerOptions>;
  readonly #slices: Slice[] = Array.from({ length: SLICES }, () => ({ number: -1, calls: 0, failed: 0 }));
  #state: BreakerState = 'closed';
  #inARow = 0;
  /** Times that it opened since it was closed last. */
  #opened = 0;
  #openUntilMs = 0;
  #probedAtMs = 0;

  constructor(options: BreakerOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether a call may be made now. A probe that nobody reports is given up after `openMaxMs`. */
  allows(nowMs: number): boolean {
    switch (this.#state) {
      case 'closed':
        return true;
      case 'open':
        if (nowMs < this.#openUntilMs) return false;
        this.#state = 'half_open';
        this.#probedAtMs = nowMs;
        return true;
      case 'half_open':
        if (nowMs - this.#probedAtMs < this.#options.openMaxMs) return false;
        this.#probedAtMs = nowMs;
        return true;
    }
  }

  succeeded(nowMs: number): void {
    // What was sent before it opened says nothing of now.
    if (this.#state === 'open') return;
    if (this.#state === 'half_open') {
      this.#state = 'closed';
      this.#opened = 0;
      for (const slice of this.#slices) slice.number = -1;
    }
    this.#inARow = 0;
    this.#slice(nowMs).calls++;
  }

  failed(nowMs: number): void {
    if (this.#state === 'open') return;
    if (this.#state === 'half_open') {
      this.#open(nowMs);
      return;
    }
    const slice = this.#slice(nowMs);
    slice.calls++;
    slice.failed++;
    this.#inARow++;
    if (this.#inARow >= this.#options.failuresMax || this.#isMostlyFailing(nowMs)) this.#open(nowMs);
  }

  #open(nowMs: number): void {
    const { openMs, openMaxMs, random } = this.#options;
    const mostMs = Math.min(openMaxMs, openMs * 2 ** Math.min(this.#opened, 16));
    this.#state = 'open';
    this.#opened++;
    this.#inARow = 0;
    this.#openUntilMs = nowMs + mostMs / 2 + (mostMs / 2) * random();
  }

  #slice(nowMs: number): Slice {
    const number = Math.floor(nowMs / SLICE_MS);
    const slice = this.#slices[number % SLICES]!;
    if (slice.number !== number) {
      slice.number = number;
      slice.calls = 0;
      slice.failed = 0;
    }
    return slice;
  }

  #isMostlyFailing(nowMs: number): boolean {
    const newest = Math.floor(nowMs / SLICE_MS);
    let calls = 0;
    let failed = 0;
    for (const slice of this.#slices) {
      if (slice.number <= newest - SLICES) continue;
      calls += slice.calls;
      failed += slice.failed;
    }
    const { callsMin, failedPercentMax } = this.#options;
    return calls >= callsMin && failed * 100 >= calls * failedPercentMax;
  }
}
