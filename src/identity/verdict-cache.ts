/** Remembers for a short while what a credential was found to be, so that a busy caller is not proved anew each time. */
import { LRUCache } from 'lru-cache';
import type { IdentityRefusal, Principal } from './principal.ts';

/** Busy keys of one process; beyond it the least recently used is proved again. About 300 B each. */
const PRINCIPALS_MAX = 50_000;
/** Small on purpose: it serves a client that retries one bad key, and a flood of random ones must not cost memory. */
const REFUSALS_MAX = 2_000;
const PRINCIPAL_TTL_MS = 60_000;
/** A new or repaired key works at the latest after this. */
const REFUSAL_TTL_MS = 5_000;

interface Entry<T> {
  readonly found: T;
  readonly storedAtMs: number;
  /** First instant at which it no longer holds. */
  readonly untilMs: number;
}

/**
 * Verdicts by the SHA-256 of the exact bytes of a credential; never holds the credential. Bounded: 50 000 principals for
 * at most 60 s, 2 000 refusals for at most 5 s. An entry also ends where the caller says (`untilMs`: the key's expiry), and
 * when the clock went back behind its making.
 */
export class VerdictCache {
  readonly #principals = new LRUCache<string, Entry<Principal>>({ max: PRINCIPALS_MAX });
  readonly #refusals = new LRUCache<string, Entry<IdentityRefusal>>({ max: REFUSALS_MAX });

  get(hash: string, nowMs: number): Principal | IdentityRefusal | undefined {
    const entry = this.#principals.get(hash) ?? this.#refusals.get(hash);
    if (entry === undefined || nowMs >= entry.untilMs || nowMs < entry.storedAtMs) return undefined;
    return entry.found;
  }

  putPrincipal(hash: string, found: Principal, span: { readonly nowMs: number; readonly untilMs: number }): void {
    this.#refusals.delete(hash);
    const untilMs = Math.min(span.untilMs, span.nowMs + PRINCIPAL_TTL_MS);
    this.#principals.set(hash, { found, storedAtMs: span.nowMs, untilMs });
  }

  putRefusal(hash: string, found: IdentityRefusal, span: { readonly nowMs: number; readonly untilMs: number }): void {
    this.#principals.delete(hash);
    const untilMs = Math.min(span.untilMs, span.nowMs + REFUSAL_TTL_MS);
    this.#refusals.set(hash, { found, storedAtMs: span.nowMs, untilMs });
  }

  clear(): void {
    this.#principals.clear();
    this.forgetRefusals();
  }

  /** What was refused may be good now. */
  forgetRefusals(): void {
    this.#refusals.clear();
  }

  /** Entries held, for the tests of its bounds. */
  get size(): { readonly principals: number; readonly refusals: number } {
    return { principals: this.#principals.size, refusals: this.#refusals.size };
  }
}
