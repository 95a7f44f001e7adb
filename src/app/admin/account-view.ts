/** Accounts and their limits as the admin port shows them. */
import type { Page, PageQuery } from '../../admin/ports.ts';
import { partitionOf } from '../../limits/counter.ts';
import { type Standing, standingOf } from '../../limits/standing.ts';
import type { CounterRef } from '../../limits/store.ts';
import type { AccountPolicy, BoundLimit, Policy } from '../../policy/policy.ts';
import { pageOf } from './page.ts';

/** Partitions of one limit that are shown; beyond them it says how many there are. */
const PARTITIONS_MAX = 50;

export interface LimitView {
  readonly limit: string;
  /** Account that owns the counter. */
  readonly owner: string;
  readonly unit: string;
  readonly kind: string;
  readonly each: string | undefined;
  readonly enforce: string;
  /** Until when an override stands in, ISO 8601. */
  readonly override_until: string | undefined;
  /** One per partition that the bundle names. Actors and runs are known to the counters alone, and are not listed. */
  readonly counters: readonly CounterView[];
  readonly more: number;
}

interface CounterView {
  readonly partition: string;
  readonly max: number;
  readonly used: number;
  readonly held: number;
  readonly spent: number;
  readonly resets_at: string | undefined;
}

export interface LimitsView {
  readonly account: string;
  /** `charge` and `cost` are in its smallest unit: ten to the minus `decimals`. */
  readonly currency: { readonly code: string; readonly decimals: number };
  readonly at: string;
  readonly limits: readonly LimitView[];
}

interface Look {
  readonly policy: Policy;
  readonly nowMs: number;
  peek(ref: CounterRef): { readonly used: number; readonly held: number };
}

/** Every limit that binds the account, and how its counters stand; undefined: there is no such account. */
export function limitsView(path: string, look: Look): LimitsView | undefined {
  const account = look.policy.account(path);
  if (account === undefined) return undefined;
  const { currency, decimals } = look.policy.prices;
  const limits = account.limits.map((bound) => limitView(bound, account, look));
  return { account: path, currency: { code: currency, decimals }, at: instant(look.nowMs), limits };
}

/** What is said of an account, and its limits; undefined: there is no such account. */
export function accountView(path: string, look: Look): unknown {
  const account = look.policy.account(path);
  const limits = limitsView(path, look);
  if (account === undefined || limits === undefined) return undefined;
  const { timezone, ...summary } = { ...summaryOf(account), timezone: account.zone };
  return { ...summary, timezone, month_starts: account.monthStarts, tags: account.tags, ...limits };
}

/** Declared accounts by path. */
export function accountsPage(policy: Policy, query: PageQuery): Page<unknown> {
  const { entries, next } = pageOf(pathsOf(policy), (path) => path, query);
  return { entries: entries.flatMap((path) => policy.account(path) ?? []).map(summaryOf), next };
}

const sortedPaths = new WeakMap<Policy, readonly string[]>();

function pathsOf(policy: Policy): readonly string[] {
  let paths = sortedPaths.get(policy);
  if (paths === undefined) {
    paths = [...policy.declaredAccounts()].toSorted();
    sortedPaths.set(policy, paths);
  }
  return paths;
}

function summaryOf({ path, customer, declared, plan, owner }: AccountPolicy) {
  return { account: path, customer, declared, plan: plan?.name, owner };
}

function limitView(bound: BoundLimit, account: AccountPolicy, look: Look): LimitView {
  const { limit, owner, override } = bound;
  const partitions = partitionsOf(bound, account, look.policy);
  return {
    limit: limit.name,
    owner,
    unit: limit.unit,
    kind: limit.shape.kind,
    each: limit.each,
    enforce: limit.enforce,
    override_until: override === undefined || look.nowMs >= override.untilMs ? undefined : instant(override.untilMs),
    counters: partitions
      .slice(0, PARTITIONS_MAX)
      .map((partition) => counterView(partition, standingOf(bound, { partition, nowMs: look.nowMs }, look.peek))),
    more: Math.max(0, partitions.length - PARTITIONS_MAX),
  };
}

function counterView(partition: string, { max, used, held, spent, resetsAtMs }: Standing): CounterView {
  return { partition, max, used, held, spent, resets_at: resetsAtMs === undefined ? undefined : instant(resetsAtMs) };
}

/** The partitions that the bundle knows of for the account itself. */
function partitionsOf({ limit }: BoundLimit, account: AccountPolicy, policy: Policy): readonly string[] {
  switch (limit.each) {
    case 'credential':
      return [...policy.keys.values()].filter((key) => key.account === account.path).map(({ id }) => id);
    case 'model':
      return [...policy.models.byName.keys()].filter((name) => limit.models?.has(name) ?? true);
    default: {
      const facts = { customer: account.customer, account: account.path, run: undefined, model: undefined };
      if (limit.each === 'actor' || limit.each === 'run') return [];
      const partition = partitionOf(limit.each, { ...facts, credential: '', actor: undefined });
      return partition === undefined ? [] : [partition];
    }
  }
}

export function instant(ms: number): string {
  return new Date(ms).toISOString();
}
