/** Bounds the tries of tokens that nobody holds. Pure: time is an argument. */
import { LRUCache } from 'lru-cache';

/** Failures of one address in one second; what it tries beyond them in that second is not looked at. */
export const FAILURES_PER_SECOND = 5;
const WINDOW_MS = 1_000;
/** Beyond them the address that failed longest ago starts anew. */
const ADDRESSES_MAX = 1_000;

interface Failures {
  sinceMs: number;
  count: number;
}

export class FailureBrake {
  readonly #byAddress = new LRUCache<string, Failures>({ max: ADDRESSES_MAX });

  /** Whether the address has failed too often to be looked at now. */
  isBraked(address: string, nowMs: number): boolean {
    const failures = this.#byAddress.peek(address);
    if (failures === undefined || nowMs - failures.sinceMs >= WINDOW_MS) return false;
    return failures.count >= FAILURES_PER_SECOND;
  }

  failed(address: string, nowMs: number): void {
    const known = this.#byAddress.get(address);
    const isOver = known === undefined || nowMs - known.sinceMs >= WINDOW_MS;
    this.#byAddress.set(address, isOver ? { sinceMs: nowMs, count: 1 } : { ...known, count: known.count + 1 });
  }
}
