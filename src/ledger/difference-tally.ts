/** Folds compared decisions of one interval into rows with counts. Bounded. */
import type { Difference } from './difference.ts';

/** Rows of one interval that are told apart; the rest stand under `OTHER`, by answer alone. */
const ROWS_MAX = 10_000;
export const OTHER = '(other)';

/** One decision, as both bundles made it. */
export type Comparison = Omit<Difference, 'sinceMs' | 'count'>;

export class DifferenceTally {
  readonly #rowsMax: number;
  #rows = new Map<string, { readonly of: Comparison; count: number }>();

  constructor({ rowsMax = ROWS_MAX }: { readonly rowsMax?: number } = {}) {
    this.#rowsMax = rowsMax;
  }

  /** Past the bound account, route and model are no longer told apart: answers are closed sets of the bundles. */
  add(of: Comparison): void {
    const row = this.#rows.get(keyOf(of));
    if (row !== undefined) row.count++;
    else if (this.#rows.size < this.#rowsMax || of.account === OTHER) this.#rows.set(keyOf(of), { of, count: 1 });
    else this.add({ ...of, account: OTHER, route: OTHER, requestedModel: OTHER });
  }

  /** The rows of the interval that began at `sinceMs`, and begins another one. */
  drain(sinceMs: number): readonly Difference[] {
    const rows = [...this.#rows.values()].map(({ of, count }) => ({ ...of, sinceMs, count }));
    this.#rows = new Map();
    return rows;
  }
}

function keyOf({ example: _, ...of }: Comparison): string {
  return JSON.stringify(of);
}
