/** API keys of a bundle as they are shown, by commands and by the admin port alike. */
import { dayOf } from '../core/day.ts';
import type { ApiKey, Policy } from '../policy/policy.ts';

/** What there is of each key but the key and its digest; by account, the oldest first. */
export function listKeys(policy: Policy, nowMs: number): readonly KeyRow[] {
  return [...policy.keys.values()]
    .toSorted((a, b) => (a.account === b.account ? a.createdMs - b.createdMs : a.account < b.account ? -1 : 1))
    .map((key) => keyRow(key, policy, nowMs));
}

export interface KeyRow {
  readonly id: string;
  readonly account: string;
  readonly class: string;
  readonly kind: string;
  readonly owner: string;
  readonly created: string;
  /** Last day, UTC. */
  readonly expires: string;
  readonly state: string;
}

export function keyRow(key: ApiKey, policy: Policy, nowMs: number): KeyRow {
  return {
    id: key.id,
    account: key.account,
    class: key.class,
    kind: key.kind,
    owner: key.owner,
    created: dayOf(key.createdMs),
    expires: dayOf(key.expiresMs - 1),
    state: stateOf(key, policy, nowMs),
  };
}

/** In the order in which a request would be refused. */
function stateOf(key: ApiKey, policy: Policy, nowMs: number): string {
  if (key.environment !== policy.environment) return `for ${key.environment}`;
  if (key.revoked) return 'revoked';
  if (nowMs >= key.expiresMs) return 'expired';
  if (nowMs < key.createdMs) return 'not yet valid';
  return policy.account(key.account) === undefined ? 'account unknown' : 'active';
}
