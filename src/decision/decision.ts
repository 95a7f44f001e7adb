import type { Reason } from '../core/reasons.ts';
import type { Edit } from '../dialects/dialect.ts';
import type { Principal } from '../identity/principal.ts';
import type { Hold } from '../ledger/hold.ts';
import type { Route } from '../policy/policy.ts';

/** A limit as the draft-ietf-httpapi-ratelimit-headers fields show it. */
export interface LimitStatus {
  readonly name: string;
  readonly unit: string;
  readonly max: number;
  readonly remaining: number;
  /** Until it may fit again; undefined: unknown or never. */
  readonly resetMs: number | undefined;
  readonly windowMs: number | undefined;
}

export interface Allow {
  readonly outcome: 'allow';
  readonly hold: Hold;
  /** Byte edits for the body, ascending, not overlapping; empty: the body goes as it came. */
  readonly edits: readonly Edit[];
  readonly bodyBytes: number;
  /** The `:path` to ask the provider with instead, query and all; undefined: as it came. */
  readonly path: string | undefined;
  readonly route: Route;
  /** Headers that carried the credential, to be removed. */
  readonly credentialHeaders: readonly string[];
  /** The limit whose ladder step was taken, if it is of the caller's own account; for the answer. The hold has it in any case. */
  readonly stepLimit: string | undefined;
}

export interface Deny {
  readonly outcome: 'deny';
  readonly reason: Reason;
  /** For the caller: lower case, values in backticks, no internals. */
  readonly message: string;
  readonly decisionId: string;
  readonly decidedAtMs: number;
  readonly policyVersion: string;
  /** What was known when it was refused. */
  readonly principal: Principal | undefined;
  readonly customer: string | undefined;
  readonly route: Route | undefined;
  readonly requestedModel: string | undefined;
  /** The limit that fired; undefined where none did, or one above the caller's own account. */
  readonly limit: LimitStatus | undefined;
  /** Name of the limit that fired, whosever it is: for books and operators, never for the caller. */
  readonly firedLimit: string | undefined;
  readonly waitMs: number | 'never' | undefined;
}

/** Allow (with the model, which may not be the requested one) or deny (with a reason). */
export type Decision = Allow | Deny;
