/** Bounds the tries of tokens that nobody holds. Pure: time is an argument. */
import { LRUCache } from 'lru-cache';

/** Failures of one address in one second; what it tries beyond them in that second is not looked at. */
export const FAILURES_PER_SECOND = 5;
const WINDOW_MS = 1_000;
/** One record of the audit for one address and minute, with a count, so that nobody can fill the disk with them. */
const TELL_EVERY_MS = 60_000;
/** Beyond them the address that failed longest ago starts anew. */
const ADDRESSES_MAX = 1_000;

interface Failures {
  sinceMs: number;
  count: number;
  toldMs: number;
  untold: number;
}

export class FailureBrake {
  readonly #byAddress = new LRUCache<string, Failures>({ max: ADDRESSES_MAX });

  /** Whether the address has failed too often to be looked at now. */
  isBraked(address: string, nowMs: number): boolean {
    const failures = this.#byAddress.peek(address);
    if (failures === undefined || nowMs - failures.sinceMs >= WINDOW_MS) return false;
    return failures.count >= FAILURES_PER_SECOND;
  }

  /** Counts a failure; answers how many are to be told now (those since the last telling), 0: none. */
  failed(address: string, nowMs: number): number {
    const known = this.#byAddress.get(address);
    const failures = known ?? { sinceMs: nowMs, count: 0, toldMs: Number.NEGATIVE_INFINITY, untold: 0 };
    if (nowMs - failures.sinceMs >= WINDOW_MS) {
      failures.sinceMs = nowMs;
      failures.count = 0;
    }
    failures.count += 1;
    failures.untold += 1;
    this.#byAddress.set(address, failures);
    if (nowMs - failures.toldMs < TELL_EVERY_MS) return 0;
    const told = failures.untold;
    failures.toldMs = nowMs;
    failures.untold = 0;
    return told;
  }
}
