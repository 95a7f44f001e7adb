import type { Reason } from '../core/reasons.ts';
import type { IdentityRefusal, Principal } from '../identity/principal.ts';
import type { TracedCandidate } from '../ledger/hold.ts';
import type { Policy, Route } from '../policy/policy.ts';
import type { Deny, LimitStatus } from './decision.ts';

/** What is wrong with a call, in words for its author. */
export interface Fault {
  readonly reason: Reason;
  readonly message: string;
}

/** Why a call is not served, as the ledger and the caller are told. */
export interface Denial extends Fault {
  /** The limit that fired; for the ledger. */
  readonly limit?: string | undefined;
  /** The same for the caller: only of its own account. */
  readonly status?: LimitStatus | undefined;
  readonly waitMs?: number | 'never' | undefined;
  readonly trace?: readonly TracedCandidate[];
  readonly observed?: readonly string[];
}

/** What is known of a call when it is refused. */
export interface KnownOfCall {
  readonly decisionId: string;
  readonly decidedAtMs: number;
  readonly policy: Policy | undefined;
  readonly principal?: Principal;
  readonly customer?: string;
  readonly route?: Route;
  readonly requestedModel?: string | undefined;
}

export function denyOf(denial: Denial, known: KnownOfCall): Deny {
  return {
    outcome: 'deny',
    reason: denial.reason,
    message: denial.message,
    decisionId: known.decisionId,
    decidedAtMs: known.decidedAtMs,
    policyVersion: known.policy?.version ?? '',
    principal: known.principal,
    customer: known.customer,
    route: known.route,
    requestedModel: known.requestedModel,
    limit: denial.status,
    firedLimit: denial.limit,
    waitMs: denial.waitMs,
  };
}

const UNKNOWN_CREDENTIAL = 'the credential is not valid';
const CREDENTIAL_TEXT: Readonly<Partial<Record<Reason, string>>> = {
  credential_missing: 'a credential is required: send `authorization: Bearer KEY` or `x-api-key: KEY`',
  keys_unavailable: 'the credential cannot be verified now',
  credentials_ambiguous: 'exactly one credential is accepted',
};

/** What a caller that was not let in is told: nothing that tells a revoked credential from one that never was. */
export function credentialDenial({ reason }: Pick<IdentityRefusal, 'reason'>): Denial {
  return { reason, message: CREDENTIAL_TEXT[reason] ?? UNKNOWN_CREDENTIAL };
}

/** J21. Said before anybody is known, so it tells nothing of the key. */
export const QUERY_CREDENTIAL: Denial = {
  reason: 'credential_unsupported',
  message: 'a credential in the query is not accepted: send it in a header',
};
export const POLICY_MISSING: Denial = { reason: 'policy_missing', message: 'no policy is loaded' };
export const LIMITS_UNAVAILABLE: Denial = { reason: 'limits_unavailable', message: 'limits cannot be checked now' };
export const OVERLOADED: Denial = { reason: 'overloaded', message: 'too much is asked for now: try again soon' };
export const CLOCK_MOVED: Denial = { reason: 'clock_moved', message: 'the clock moved while limits were checked' };
export const COUNTERS_EXHAUSTED: Denial = { reason: 'counters_exhausted', message: 'no room to count this call now' };
export const DECIDED_BEFORE: Denial = { reason: 'internal_error', message: 'this call was decided before' };
export const DEADLINE_EXCEEDED: Denial = { reason: 'deadline_exceeded', message: 'the decision took too long' };
export const LEDGER_FULL: Denial = { reason: 'ledger_full', message: 'usage cannot be booked now' };
