/**
 * Identical refusals of one minute become one row with a count. Bounded: past `keysMax` keys a minute the finer parts of
 * the key are dropped, past as many coarse ones nothing is folded any more (the queue's bound holds then).
 */
import type { Refusal } from './hold.ts';

const MINUTE_MS = 60_000;
/** Keys remembered of one minute, fine and coarse each. A key and its entry take about 300 bytes. */
const KEYS_MAX = 10_000;

interface Fold {
  readonly decisionId: string;
  count: number;
}

/** `append`: a row of its own, with count 1. `folded`: counted in the row of `decisionId`. */
export type Folded = { readonly outcome: 'append' | 'folded'; readonly decisionId: string };

/**
 * What makes two refusals identical, but for the minute. Names that no bundle knows are alike: whoever guesses at names
 * writes one row, not one for each.
 */
export function foldKey(refusal: Refusal): string {
  return JSON.stringify([
    refusal.account,
    refusal.credential,
    refusal.route,
    refusal.reason === 'model_unknown' ? null : (refusal.requestedModel ?? null),
    refusal.reason,
    refusal.limit ?? null,
  ]);
}

function coarseKey(refusal: Refusal): string {
  return JSON.stringify([refusal.account, refusal.credential, refusal.reason]);
}

export class Folding {
  readonly #keysMax: number;
  #minute = Number.NaN;
  readonly #fine = new Map<string, Fold>();
  readonly #coarse = new Map<string, Fold>();
  readonly #changed = new Set<Fold>();

  constructor(options: { readonly keysMax?: number } = {}) {
    this.#keysMax = options.keysMax ?? KEYS_MAX;
  }

  /**
   * Finds the row that stands for a refusal. Answering `append` remembers nothing: call `opened` once the row is queued.
   */
  find(refusal: Refusal): Folded {
    this.#turnTo(refusal);
    const fold =
      this.#fine.get(foldKey(refusal)) ??
      (this.#fine.size >= this.#keysMax ? this.#coarse.get(coarseKey(refusal)) : undefined);
    if (fold === undefined) return { outcome: 'append', decisionId: refusal.decisionId };
    fold.count += 1;
    this.#changed.add(fold);
    return { outcome: 'folded', decisionId: fold.decisionId };
  }

  /** The refusal's own row was queued: later identical ones fold into it. */
  opened(refusal: Refusal): void {
    this.#turnTo(refusal);
    const fold = { decisionId: refusal.decisionId, count: 1 };
    if (this.#fine.size < this.#keysMax) this.#fine.set(foldKey(refusal), fold);
    else if (this.#coarse.size < this.#keysMax) this.#coarse.set(coarseKey(refusal), fold);
  }

  /** Rows whose count changed since the last call, with the count they now have. */
  drain(): readonly { readonly decisionId: string; readonly count: number }[] {
    if (this.#changed.size === 0) return [];
    const changed = [...this.#changed].map(({ decisionId, count }) => ({ decisionId, count }));
    this.#changed.clear();
    return changed;
  }

  #turnTo(refusal: Refusal): void {
    const minute = Math.floor(refusal.decidedAtMs / MINUTE_MS);
    if (minute === this.#minute) return;
    this.#minute = minute;
    this.#fine.clear();
    this.#coarse.clear();
  }
}
