/** One change between two bundles, and what is needed to find it. */
import type { BoundLimit, Policy } from '../policy.ts';
import type { PolicyParts } from '../policy-parts.ts';

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
