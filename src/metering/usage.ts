import { inputTokens, METERS, NO_QUANTITIES, type Quantities } from '../core/units.ts';
import type { ReportedUsage } from '../dialects/dialect.ts';
import type { Hold } from '../ledger/hold.ts';
import type { Line } from '../ledger/ledger.ts';
import type { ModelCatalog, PriceTables } from '../policy/policy.ts';
import { type ChargeLine, chargeOf, chargePrices, costPrices, type Rates, ratesAt } from '../policy/prices.ts';

/** No provider's window holds more input than this; it bounds what a report of input is believed. */
const INPUT_TOKENS_MAX = 10_000_000;

/**
 * Whether reported usage cannot be true: values that the dialect rejects, or more than twice what the request could use.
 * Output is held against what its caps allow. Input is not held against its estimate, which cannot know of images and
 * files that a body only names.
 */
export function isFaulty({ quantities, faulty }: ReportedUsage, hold: Hold): boolean {
  if (faulty) return true;
  if (quantities === undefined) return false;
  if (METERS.some((meter) => !Number.isSafeInteger(quantities[meter]) || quantities[meter] < 0)) return true;
  if (quantities.reasoning > quantities.output) return true;
  const outputMax = Math.max(hold.estimate.outputMax, hold.estimate.outputTokens);
  return quantities.output > 2 * outputMax || inputTokens(quantities) > 2 * INPUT_TOKENS_MAX;
}

/** What one end costs: its ledger lines, the model whose price was used, and what finance must see. */
export interface Priced {
  readonly lines: readonly Line[];
  readonly pricedModel: string | undefined;
  readonly flags: readonly string[];
}

/** What prices are read from. */
export interface PricingFacts {
  /** Of the hold's price version; undefined: not at hand. */
  readonly tables: PriceTables | undefined;
  /** Undefined: no answered model is known. */
  readonly models: ModelCatalog | undefined;
}

/** What a request used, by whom it was answered, and whether its plan bills it; not billed: charge 0, cost kept. */
export interface Used {
  readonly quantities: Quantities;
  readonly answeredModel: string | undefined;
  readonly billed: boolean;
}

/**
 * Prices what a request used by (price version, answered model, decided_at). No answered model: the decided one. An
 * answered model that is unknown or has no price: the decided one's price, flagged. Where that has none either, the
 * estimate's money stands, flagged; never 0. Pure.
 */
export function priceUsage({ quantities, answeredModel, billed }: Used, hold: Hold, facts: PricingFacts): Priced {
  if (hold.model === undefined) return { lines: [], pricedModel: undefined, flags: [] };
  const look = { hold, tables: facts.tables, inputTokens: inputTokens(quantities) };
  const { pricedModel, flags } = pricedModelOf(answeredModel, { ...look, decided: hold.model, models: facts.models });
  const charges = chargeRates(pricedModel, look);
  const costs = costRates(pricedModel, look);
  if (charges === undefined) flags.push('price_missing');
  if (costs === undefined) flags.push('cost_missing');
  const lines = linesOf(quantities, {
    charges: charges ? chargeOf(quantities, charges) : spread(hold.estimate.charge, quantities),
    costs: costs ? chargeOf(quantities, costs) : spread(hold.estimate.cost, quantities),
    billed,
  });
  return { lines, pricedModel, flags };
}

/**
 * The lines of a request that nobody reported on: its whole estimate, to the unit, so that ledger and counters agree.
 * Tables, where there are any, only say how much of it is input. Not billed: charge 0, cost kept. Pure.
 */
export function priceEstimate(hold: Hold, tables: PriceTables | undefined): Priced {
  if (hold.model === undefined) return { lines: [], pricedModel: undefined, flags: [] };
  const { inputTokens: input, outputTokens: output, charge, cost } = hold.estimate;
  const quantities = { ...NO_QUANTITIES, input, output };
  const look = { hold, tables, inputTokens: input };
  const lines = linesOf(quantities, {
    charges: spread(charge, quantities, chargeRates(hold.model, look)),
    costs: spread(cost, quantities, costRates(hold.model, look)),
    billed: hold.billEstimated,
  });
  return { lines, pricedModel: hold.model, flags: [] };
}

interface Look {
  readonly hold: Hold;
  readonly tables: PriceTables | undefined;
  readonly inputTokens: number;
}

function chargeRates(model: string, { hold, tables, inputTokens }: Look): Rates | undefined {
  if (tables === undefined || hold.priceList === undefined) return undefined;
  const prices = chargePrices(tables, hold.priceList, model);
  return prices && ratesAt(prices, { atMs: hold.decidedAtMs, inputTokens });
}

function costRates(model: string, { hold, tables, inputTokens }: Look): Rates | undefined {
  if (tables === undefined || hold.provider === undefined) return undefined;
  const prices = costPrices(tables, hold.provider, model);
  return prices && ratesAt(prices, { atMs: hold.decidedAtMs, inputTokens });
}

function pricedModelOf(
  answeredModel: string | undefined,
  { decided, models, ...look }: Look & { readonly decided: string; readonly models: ModelCatalog | undefined },
): { pricedModel: string; flags: string[] } {
  if (answeredModel === undefined) return { pricedModel: decided, flags: [] };
  const answered = models?.answered(answeredModel)?.name;
  if (answered === undefined) return { pricedModel: decided, flags: ['unknown_model'] };
  if (answered === decided) return { pricedModel: decided, flags: [] };
  if (chargeRates(answered, look) !== undefined) return { pricedModel: answered, flags: ['model_mismatch'] };
  return { pricedModel: decided, flags: ['model_mismatch', 'unpriced_model'] };
}

/** Shares `amount` out over input and output: by `rates` where there are any, else by tokens; the last line takes the rest. */
function spread(amount: number, quantities: Quantities, rates?: Rates): readonly ChargeLine[] {
  const tokens = BigInt(inputTokens(quantities) + quantities.output);
  const priced = rates && new Map(chargeOf(quantities, rates).map((line) => [line.meter, line.charge]));
  const meters = METERS.filter((meter) => meter !== 'reasoning' && quantities[meter] > 0);
  let left = BigInt(amount);
  return meters.map((meter, index) => {
    const share = priced?.get(meter) ?? (BigInt(amount) * BigInt(quantities[meter])) / tokens;
    const charge = index === meters.length - 1 || share > left ? left : share;
    left -= charge;
    return { meter, quantity: quantities[meter], charge };
  });
}

function linesOf(
  quantities: Quantities,
  money: { readonly charges: readonly ChargeLine[]; readonly costs: readonly ChargeLine[]; readonly billed: boolean },
): readonly Line[] {
  const of = (lines: readonly ChargeLine[], meter: string) => lines.find((line) => line.meter === meter)?.charge ?? 0n;
  return METERS.filter((meter) => quantities[meter] > 0).map((meter) => ({
    meter,
    quantity: quantities[meter],
    charge: money.billed ? of(money.charges, meter) : 0n,
    cost: of(money.costs, meter),
  }));
}
