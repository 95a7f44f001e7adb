/** What binds an account, resolved when it is first asked for, over the accounts as they were compiled. */
import { LRUCache } from 'lru-cache';
import { isAccountPath } from './forms.ts';
import { type Candidate, type CompiledOverride, type Override, reaches } from './overrides.ts';
import type { CompiledPlan } from './plans.ts';
import type { AccountPolicy, BoundLimit, Limit } from './policy.ts';

/** A declared account before anything is inherited. Plain data. */
export interface AccountParts {
  readonly path: string;
  readonly plan: string | undefined;
  readonly owner: string | undefined;
  /** Of a customer alone. */
  readonly zone: string | undefined;
  /** Of a customer alone; 1 for the others. */
  readonly monthStarts: number;
  /** Of a customer alone: undeclared accounts below it exist. */
  readonly unlisted: boolean;
  readonly tags: Readonly<Record<string, string>> | undefined;
  readonly limits: readonly Limit[];
  /** By the name of the limit. */
  readonly overrides: ReadonlyMap<string, CompiledOverride>;
}

export interface ResolverParts {
  readonly accounts: ReadonlyMap<string, AccountParts>;
  readonly plans: ReadonlyMap<string, CompiledPlan>;
  /** Limits of traffic.yaml: the customer owns their counters. */
  readonly trafficLimits: readonly Limit[];
}

/** Undeclared accounts that are remembered; the least used is forgotten and resolved again when it returns. */
const UNLISTED_MAX = 50_000;

/** Resolves accounts. A declared one is resolved once, so that its limits stay the same objects. */
export class AccountResolver {
  readonly #parts: ResolverParts;
  readonly #declared = new Map<string, AccountPolicy>();
  readonly #unlisted = new LRUCache<string, AccountPolicy>({ max: UNLISTED_MAX });

  constructor(parts: ResolverParts) {
    this.#parts = parts;
  }

  /** Undefined: no such account, declared or not, or no customer above it. */
  account(path: string): AccountPolicy | undefined {
    const known = this.#declared.get(path) ?? this.#unlisted.get(path);
    if (known !== undefined) return known;
    const isDeclared = this.#parts.accounts.has(path);
    if (!isDeclared && !this.#mayStand(path)) return undefined;
    const found = this.#resolve(path, isDeclared);
    if (found === undefined) return undefined;
    if (isDeclared) this.#declared.set(path, found);
    else this.#unlisted.set(path, found);
    return found;
  }

  /** Limits along a chain with the account that owns the counter, `off` ones included. `cost` caps hold per customer. */
  candidates(chain: readonly string[]): readonly Candidate[] {
    const found: Candidate[] = [];
    for (const path of chain) {
      for (const limit of this.#owned(path)) {
        found.push({ limit, owner: limit.unit === 'cost' ? chain.at(-1)! : path });
      }
    }
    return found;
  }

  /** Limits whose counters one account owns: its plan's, its own, and for a customer those of traffic.yaml. */
  #owned(path: string): readonly Limit[] {
    const account = this.#parts.accounts.get(path);
    if (account === undefined) return [];
    const bought = this.#parts.plans.get(account.plan ?? '')?.limits ?? [];
    return [...bought, ...account.limits, ...(path.includes('/') ? [] : this.#parts.trafficLimits)];
  }

  #mayStand(path: string): boolean {
    const slash = path.indexOf('/');
    return slash > 0 && isAccountPath(path) && this.#parts.accounts.get(path.slice(0, slash))?.unlisted === true;
  }

  /** Inherits from what is declared along the chain. */
  #resolve(path: string, isDeclared: boolean): AccountPolicy | undefined {
    const chain = chainOf(path);
    const { accounts, plans } = this.#parts;
    const { zone, monthStarts = 1 } = accounts.get(chain.at(-1)!) ?? {};
    if (zone === undefined) return undefined;
    const declared = chain.map((each) => accounts.get(each)).filter((each) => each !== undefined);
    const plan = declared.find((each) => plans.has(each.plan ?? ''))?.plan;
    const limits: BoundLimit[] = [];
    for (const { limit, owner } of this.candidates(chain)) {
      if (limit.enforce === 'off') continue;
      limits.push(Object.freeze({ limit, owner, zone, monthStarts, override: overrideOf(declared, { limit, owner }) }));
    }
    return Object.freeze({
      path,
      customer: chain.at(-1)!,
      chain,
      declared: isDeclared,
      plan: plan === undefined ? undefined : plans.get(plan)!.plan,
      zone,
      monthStarts,
      owner: declared.find(({ owner }) => owner !== undefined)?.owner ?? '',
      tags: Object.freeze(Object.assign({}, ...declared.toReversed().map(({ tags }) => tags ?? {}))),
      limits: Object.freeze(limits),
    });
  }
}

/** From the account up to its customer. */
export function chainOf(path: string): readonly string[] {
  const chain = [path];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) chain.push(path.slice(0, at));
  return Object.freeze(chain);
}

/** Override nearest to the account that reaches the counter. */
function overrideOf(declared: readonly AccountParts[], candidate: Candidate): Override | undefined {
  for (const { overrides } of declared) {
    const override = overrides.get(candidate.limit.name);
    if (override !== undefined && reaches(override, candidate)) return override.value;
  }
  return undefined;
}
