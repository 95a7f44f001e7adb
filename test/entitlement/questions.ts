import type { ClearanceQuestion } from '../../src/entitlement/clearance.ts';
import type { Policy } from '../../src/policy/policy.ts';

/** Who asks; default: account `acme`, its key, on route `chat`, in class `interactive`. */
export interface Who {
  readonly account?: string;
  readonly credential?: string;
  readonly actor?: string;
  readonly route?: string;
  readonly classes?: readonly string[];
}

export function questionOf(policy: Policy, who: Who = {}): ClearanceQuestion {
  const account = policy.account(who.account ?? 'acme');
  const route = policy.routes.get(who.route ?? 'chat');
  if (account === undefined || route === undefined) throw new Error('the bundle has no such account or route');
  const { credential = 'acmekey', actor, classes = ['interactive'] } = who;
  return { policy, account, credential, actor, route, classes };
}
