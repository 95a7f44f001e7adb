import type { Clock } from '../core/clock.ts';
import type { IdentityRefusal, Principal } from '../identity/principal.ts';
import type { Refusal } from '../ledger/hold.ts';
import type { LimitStore } from '../limits/store.ts';
import type { Policy } from '../policy/policy.ts';
import type { Call } from './call.ts';
import { Decider } from './check.ts';
import type { Decision } from './decision.ts';

export interface DryQuestion {
  readonly call: Call;
  readonly policy: Policy;
  /** Who would be calling, instead of a proof. */
  readonly caller: Principal | IdentityRefusal;
  readonly store: LimitStore;
  readonly clock: Clock;
}

export interface DryAnswer {
  readonly decision: Decision;
  /** The row that a refusal of somebody known would have had. */
  readonly refusal: Refusal | undefined;
}

/**
 * Decides as `serve` would, by the same code, and changes nothing: the question to the store is dry, no row is written. What
 * is overdue still counts, since ending it would change something.
 */
export async function decideDry({ call, policy, caller, store, clock }: DryQuestion): Promise<DryAnswer> {
  let refusal: Refusal | undefined;
  const decider = new Decider({
    policy: () => policy,
    identifier: { identify: () => caller },
    store: { ...NO_STORE, reserve: (ask) => store.reserve(ask, { dry: true }) },
    clock,
    ledgerId: DRY_LEDGER,
    admit: () => true,
    withdraw: () => {},
    expire: () => {},
    refuse: (row) => {
      refusal = row;
      return row.decisionId;
    },
    expiryGraceMs: 0,
  });
  const decision = await decider.decide(call);
  return { decision, refusal };
}

/** Marks the ids of decisions that were never made; no ledger has it. */
const DRY_LEDGER = 'aaaaaaaa';

const NO_STORE: Omit<LimitStore, 'reserve'> = {
  settle: () => unasked(),
  extend: () => unasked(),
  expire: () => unasked(),
  adjust: () => unasked(),
};

function unasked(): never {
  throw new TypeError('a dry decision only asks');
}
