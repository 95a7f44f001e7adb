/** API keys of a bundle as they are shown, by commands and by the admin port alike. */
import { dayOf } from '../core/day.ts';
import type { ApiKey, Policy } from '../policy/policy.ts';
import { judgeKey } from './identify.ts';
import { isRefusal } from './principal.ts';

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
  /** `active`, `revoked`, `expired`, `not yet valid`, `for ENVIRONMENT`, `account unknown`. */
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

/** As a request would be judged now. */
function stateOf(key: ApiKey, policy: Policy, nowMs: number): string {
  const found = judgeKey(key, policy.environment, nowMs);
  if (!isRefusal(found)) return policy.account(key.account) === undefined ? 'account unknown' : 'active';
  if (found.reason === 'credential_other_environment') return `for ${key.environment}`;
  return found.reason.replace(/^credential_/, '').replaceAll('_', ' ');
}
