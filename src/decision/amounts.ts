import type { Hold } from '../ledger/hold.ts';
import type { Limit, Model } from '../policy/policy.ts';
import { chargePrices, costPrices, reserveCharge } from '../policy/prices.ts';
import { estimateTokens } from './estimate.ts';
import type { Fault } from './request.ts';
import type { Subject } from './subject.ts';

/** What one candidate may use, in every unit that a limit counts. Safe integers ≥ 0. */
export interface Amounts {
  readonly estimate: Hold['estimate'];
  /** Of limits that say `estimate: assumed`. */
  readonly assumed: { readonly outputTokens: number; readonly charge: number; readonly cost: number };
}

const NOTHING: Amounts = Object.freeze({
  estimate: Object.freeze({ inputTokens: 0, outputTokens: 0, charge: 0, cost: 0, outputMax: 0 }),
  assumed: Object.freeze({ outputTokens: 0, charge: 0, cost: 0 }),
});

/** Tokens and money that a call may use of a model at the subject's instant. A model without a price in force is a fault, never free. */
export function amountsOf(subject: Subject, model: Model | undefined): Amounts | Fault {
  const { facts, policy, account, decidedAtMs } = subject;
  if (facts === undefined || model === undefined) return NOTHING;
  const { inputTokens, outputTokens, outputAssumed, outputMax } = estimateTokens(facts, model);
  const list = account.plan?.prices;
  const charges = list === undefined ? undefined : chargePrices(policy.prices, list, model.name);
  const costs = costPrices(policy.prices, model.provider, model.name);
  const most = { inputTokens, outputTokens, caching: facts.caching };
  const charge = charges === undefined ? undefined : reserveCharge(most, charges, decidedAtMs);
  // Where a plan only observes, a caller without one has no price list.
  if (charge === undefined && list !== undefined) {
    return { reason: 'price_missing', message: `model \`${model.name}\` has no price in force` };
  }
  const cost = costs === undefined ? 0 : (reserveCharge(most, costs, decidedAtMs) ?? 0);
  const estimate = { inputTokens, outputTokens, charge: charge ?? 0, cost, outputMax };
  if (outputAssumed === outputTokens) return { estimate, assumed: estimate };
  const assumed = { inputTokens, outputTokens: outputAssumed, caching: facts.caching };
  return {
    estimate,
    assumed: {
      outputTokens: outputAssumed,
      charge: charges === undefined ? 0 : (reserveCharge(assumed, charges, decidedAtMs) ?? 0),
      cost: costs === undefined ? 0 : (reserveCharge(assumed, costs, decidedAtMs) ?? 0),
    },
  };
}

/** The amount that a limit counts of a candidate, in the limit's unit; 0 is not asked for. */
export function amountFor(limit: Limit, { estimate, assumed }: Amounts): number {
  const { outputTokens, charge, cost } = limit.estimate === 'assumed' ? assumed : estimate;
  switch (limit.unit) {
    case 'requests':
    case 'runs':
      return 1;
    case 'input_tokens':
      return estimate.inputTokens;
    case 'output_tokens':
      return outputTokens;
    case 'tokens':
      return estimate.inputTokens + outputTokens;
    case 'charge':
      return charge;
    case 'cost':
      return cost;
  }
}
