import { LRUCache } from 'lru-cache';

/** Requests that ended before anything was decided are remembered this long, ms: their Check may still be under way. */
const GONE_MS = 60_000;
const GONE_MAX = 10_000;

/**
 * Joins open holds and access-log entries by Envoy's request id, where an entry has no decision id: Envoy gave up on the
 * Check, or on its client, before it had our answer. Entry and hold may come in either order.
 */
export class RequestIndex {
  /** By request id; undefined: several open holds carry it, so it names none of them. */
  readonly #open = new Map<string, string | undefined>();
  readonly #gone: LRUCache<string, true>;

  /** `nowMs`: a monotonic clock. */
  constructor(nowMs: () => number) {
    this.#gone = new LRUCache({ max: GONE_MAX, ttl: GONE_MS, ttlResolution: 0, perf: { now: nowMs } });
  }

  /** Remembers whose request it is. False: it has ended already, without our answer. */
  open(requestId: string, decisionId: string): boolean {
    this.#open.set(requestId, this.#open.has(requestId) ? undefined : decisionId);
    const isGone = this.#gone.has(requestId);
    this.#gone.delete(requestId);
    return !isGone;
  }

  close(requestId: string): void {
    this.#open.delete(requestId);
  }

  /** The decision of a request that ended without our answer; undefined: none yet, or several, which is remembered. */
  ended(requestId: string): string | undefined {
    if (!this.#open.has(requestId)) this.#gone.set(requestId, true);
    return this.#open.get(requestId);
  }
}
