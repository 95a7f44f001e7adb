import type { Reason } from '../core/reasons.ts';
import type { Kind } from '../policy/policy.ts';

/** Who is calling, bound by a credential that was proved. Never from headers that anybody can write. */
export interface Principal {
  /** Account path, e.g. `acme/search`. */
  readonly account: string;
  /** Public id of the credential; never the secret. */
  readonly credential: string;
  readonly kind: Kind;
  readonly proof: 'api_key' | 'jwt' | 'certificate';
  /** Who acts for the account; undefined: nobody but the credential. */
  readonly actor: string | undefined;
  /** The class that the credential is bound to. */
  readonly class: string;
  readonly confidence: 'exact' | 'low';
}

/** A caller that was not let in. All of kind `credential` look alike from outside; one of kind `unavailable` says nothing of the credential; `detail` is for the log. */
export interface IdentityRefusal {
  readonly reason: Reason;
  readonly detail: string;
}

/** Values of one header as they came, one per occurrence, as latin-1 text of their raw bytes. */
export interface HeaderView {
  get(name: string): readonly string[];
}

export function isRefusal(found: Principal | IdentityRefusal): found is IdentityRefusal {
  return 'reason' in found;
}
