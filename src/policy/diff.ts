/** What another bundle would change: who gains, who loses, which counters begin anew, whose files it is in. Pure. */
import { diffAccess } from './diff-access.ts';
import { diffAccounts } from './diff-accounts.ts';
import { diffKeys } from './diff-keys.ts';
import { diffPrices } from './diff-prices.ts';
import { diffTraffic } from './diff-traffic.ts';
import type { BoundLimit, Policy } from './policy.ts';
import type { PolicyParts } from './policy-parts.ts';

/** `anew`: a counter of another name begins at 0, and what the old one counted is not looked at any more. */
export const EFFECTS = ['gain', 'lose', 'change', 'anew'] as const;
export type Effect = (typeof EFFECTS)[number];

/** One change to one thing. */
export interface Change {
  readonly effect: Effect;
  /** What it is about: accounts, or the thing itself. */
  readonly about: 'account' | 'bundle' | 'issuer' | 'key' | 'model' | 'plan' | 'price list' | 'provider' | 'route';
  /** Its name; empty for the bundle. */
  readonly of: string;
  /** What changes, in words that are the same for all to which the same happens. */
  readonly text: string;
}

/** The same change to one or more things. */
export interface GroupedChange extends Omit<Change, 'of'> {
  readonly count: number;
  /** At most five names, in order. */
  readonly examples: readonly string[];
}

export interface Side {
  readonly parts: PolicyParts;
  readonly policy: Policy;
}

/** What the comparison needs of rooms that build on this one. */
export interface DiffPorts {
  /** Whether an account may use a model on a route in a class, were the bundle in force. Credential and actor: anybody's. */
  mayUse(policy: Policy, use: Use): boolean;
  /** What a bound limit's counters begin with. */
  counterPrefix(bound: BoundLimit): string;
}

export interface Use {
  readonly account: string;
  readonly route: string;
  /** Undefined on a route that is not metered. */
  readonly model: string | undefined;
  readonly class: string;
}

const EXAMPLES_MAX = 5;

/** Changes by effect, then in the order of the parts of a bundle; the same ones to several accounts stand once. */
export function diffPolicies(
  { before, after }: { readonly before: Side; readonly after: Side },
  ports: DiffPorts,
): readonly GroupedChange[] {
  const changes = [
    ...diffAccess(before, after, ports),
    ...diffAccounts(before, after, ports),
    ...diffPrices(before.policy.prices, after.policy.prices),
    ...diffTraffic(before, after),
    ...diffKeys(before, after),
  ];
  return grouped(changes);
}

function grouped(changes: readonly Change[]): readonly GroupedChange[] {
  const groups = Map.groupBy(changes, ({ effect, about, text }) => `${effect}\n${about}\n${text}`);
  return [...groups.values()]
    .map((same) => {
      const { effect, about, text } = same[0]!;
      const names = same.map(({ of }) => of).toSorted();
      return { effect, about, text, count: names.length, examples: names.slice(0, EXAMPLES_MAX) };
    })
    .toSorted((a, b) => EFFECTS.indexOf(a.effect) - EFFECTS.indexOf(b.effect));
}
