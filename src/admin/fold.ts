/** Folds what may come in floods into a record a minute with a count, so that nobody can fill a disk with it. Pure. */
import { LRUCache } from 'lru-cache';

const TELL_EVERY_MS = 60_000;
/** Beyond them the one that was told longest ago starts anew. */
const NAMES_MAX = 1_000;

interface Told {
  atMs: number;
  untold: number;
}

export class Fold {
  readonly #byName = new LRUCache<string, Told>({ max: NAMES_MAX });

  /** Counts one more of `name`; answers how many are to be told now, this one included; 0: none. */
  count(name: string, nowMs: number): number {
    const told = this.#byName.get(name) ?? { atMs: Number.NEGATIVE_INFINITY, untold: 0 };
    told.untold += 1;
    this.#byName.set(name, told);
    if (nowMs - told.atMs < TELL_EVERY_MS) return 0;
    const count = told.untold;
    told.atMs = nowMs;
    told.untold = 0;
    return count;
  }
}
