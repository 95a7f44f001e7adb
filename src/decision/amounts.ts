import type { Hold } from '../ledger/hold.ts';
import type { Limit } from '../policy/policy.ts';
import { chargePrices, costPrices, type ModelPrices, reserveCharge } from '../policy/prices.ts';
import type { Fault } from './denial.ts';
import { estimateTokens } from './estimate.ts';
import type { Subject } from './subject.ts';
import type { TemplateCandidate } from './template.ts';

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

/**
 * Tokens and money that a call may use of a candidate at the subject's instant. A model without a price in force is a
 * fault, never free; so is one whose cost is not known where a limit caps cost.
 */
export function amountsOf(subject: Subject, { model, lines }: TemplateCandidate): Amounts | Fault {
  const { facts, policy, account, decidedAtMs } = subject;
  if (facts === undefined || model === undefined) return NOTHING;
  const { inputTokens, outputTokens, outputAssumed } = estimateTokens(facts, model);
  const list = account.plan?.prices;
  const charges = list === undefined ? undefined : chargePrices(policy.prices, list, model.name);
  const costs = costPrices(policy.prices, model.provider, model.name);
  const reserve = (prices: ModelPrices | undefined, output: number): number | undefined =>
    prices && reserveCharge({ inputTokens, outputTokens: output, caching: facts.caching }, prices, decidedAtMs);
  const charge = reserve(charges, outputTokens);
  // Where the bundle only observes, a caller without a plan has no price list.
  if (charge === undefined && list !== undefined) {
    return { reason: 'price_missing', message: `model \`${model.name}\` has no price in force` };
  }
  const cost = reserve(costs, outputTokens);
  if (cost === undefined && lines.some(({ bound, observe }) => bound.limit.unit === 'cost' && !observe)) {
    return { reason: 'price_missing', message: `model \`${model.name}\` has no cost in force, which a limit counts` };
  }
  const estimate = { inputTokens, outputTokens, charge: charge ?? 0, cost: cost ?? 0, outputMax: outputTokens };
  if (outputAssumed === outputTokens) return { estimate, assumed: estimate };
  const assumed = {
    outputTokens: outputAssumed,
    charge: reserve(charges, outputAssumed) ?? 0,
    cost: reserve(costs, outputAssumed) ?? 0,
  };
  return { estimate, assumed };
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
