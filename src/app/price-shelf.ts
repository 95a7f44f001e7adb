import type { PriceTables } from '../policy/policy.ts';

/** Whoever changes prices each second for half an hour is bounded too; the ledger has them all. */
const TABLES_MAX = 1_000;

/** Price tables by version: those in force, and those that calls under way were reserved by. */
export class PriceShelf {
  readonly #keptMs: number;
  readonly #tables = new Map<string, PriceTables>();
  /** Since when a version is in force no more, in that order. */
  readonly #retired = new Map<string, number>();

  /** `keptMs`: how long tables are kept after the policy that brought them: as long as its calls may be settled. */
  constructor(keptMs: number) {
    this.#keptMs = keptMs;
  }

  get(version: string): PriceTables | undefined {
    return this.#tables.get(version);
  }

  has(version: string): boolean {
    return this.#tables.has(version);
  }

  /** Puts what calls of an earlier process were reserved by. */
  remember(version: string, tables: PriceTables, nowMs: number): void {
    this.#tables.set(version, tables);
    this.#retired.set(version, nowMs);
  }

  /** Puts what is in force from now on; `before` is no more. Forgets what no call can be settled by. */
  enforce(
    version: string,
    tables: PriceTables,
    { before, nowMs }: { before: string | undefined; nowMs: number },
  ): void {
    if (before !== undefined && before !== version) {
      this.#retired.delete(before);
      this.#retired.set(before, nowMs);
    }
    this.#retired.delete(version);
    this.#tables.set(version, tables);
    for (const [old, sinceMs] of this.#retired) {
      if (nowMs - sinceMs < this.#keptMs && this.#tables.size <= TABLES_MAX) break;
      this.#retired.delete(old);
      this.#tables.delete(old);
    }
  }
}
