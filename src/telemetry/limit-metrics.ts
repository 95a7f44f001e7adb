/** What limits do: how often each is asked, refuses, warns, and how much of a budget is spent. */
import type { Metrics, Reading } from './metrics.ts';
import { METRICS, OTHER } from './names.ts';
import type { Counter, Family } from './registry.ts';
import type { LimitSeen } from './seen.ts';
import type { Words } from './vocabulary.ts';

interface Budget {
  readonly limit: string;
  readonly account: string;
  share: number;
  /** When its window ends, epoch ms; infinite: never. */
  endMs: number;
}

export class LimitMetrics {
  readonly #checks: Family<Counter>;
  readonly #refusals: Family<Counter>;
  readonly #steps: Family<Counter>;
  readonly #warnings: Family<Counter>;
  readonly #words: Words;
  /** By limit, then by account. */
  readonly #budgets = new Map<string, Map<string, Budget>>();
  #budgetCount = 0;

  constructor(metrics: Metrics, { words, nowMs }: { readonly words: Words; nowMs(): number }) {
    this.#words = words;
    this.#checks = metrics.counter('limitChecks');
    this.#refusals = metrics.counter('limitRefusals');
    this.#steps = metrics.counter('limitSteps');
    this.#warnings = metrics.counter('limitWarnings');
    metrics.observe('budgetSpent', () => this.#budgetPoints(nowMs()));
  }

  /** Every limit has its series from the start; limits that are no more lose theirs. */
  renew(): void {
    const { limits } = this.#words.names;
    for (const family of [this.#checks, this.#refusals, this.#steps, this.#warnings]) {
      family.retain(([limit]) => limit === OTHER || limits.has(limit!));
    }
    for (const limit of limits) {
      this.#checks.at(limit);
      this.#refusals.at(limit);
    }
    for (const limit of this.#budgets.keys()) {
      if (limits.has(limit)) continue;
      this.#budgetCount -= this.#budgets.get(limit)?.size ?? 0;
      this.#budgets.delete(limit);
    }
  }

  asked(limit: string): void {
    this.#checks.at(limit).add(1);
  }

  refused(limit: string): void {
    this.#refusals.at(limit).add(1);
  }

  stepped(limit: string): void {
    this.#steps.at(limit).add(1);
  }

  warned(limit: string): void {
    this.#warnings.at(limit).add(1);
  }

  /** How much of a money limit was spent when it was asked, and until when that counts. */
  budget({ limit, owner, spent, ceiling }: LimitSeen, endMs: number): void {
    if (spent === undefined || ceiling <= 0) return;
    const known = this.#budgets.get(limit)?.get(owner) ?? this.#newBudget(limit, owner);
    if (known === undefined) return;
    known.share = spent / ceiling;
    known.endMs = endMs;
  }

  #newBudget(limit: string, owner: string): Budget | undefined {
    const account = this.#words.account(owner);
    if (account !== owner || this.#budgetCount >= METRICS.budgetSpent.pointsMax) return undefined;
    const budget = { limit, account, share: 0, endMs: 0 };
    const ofLimit = this.#budgets.get(limit) ?? new Map<string, Budget>();
    this.#budgets.set(limit, ofLimit.set(owner, budget));
    this.#budgetCount++;
    return budget;
  }

  *#budgetPoints(nowMs: number): Reading {
    for (const ofLimit of this.#budgets.values()) {
      for (const { limit, account, share, endMs } of ofLimit.values()) {
        yield [[limit, account], nowMs < endMs ? share : 0];
      }
    }
  }
}
