/**
 * Money is integers of 10^-decimals of the bundle's currency (`decimals` 9 by default). Prices are integers of that unit
 * per million of their meter. Amounts in one decision are numbers below 2^53 (lint); the ledger sums BigInt.
 */
const MILLION = 1_000_000;

/** One quantity at one price: `quantity` a safe integer ≥ 0, `price` an integer ≥ 0 of money units per million. */
export interface Item {
  readonly quantity: number;
  readonly price: number;
}

/**
 * The charge of a candidate, rounded up once: Σ q·⌊p/10⁶⌋ + ⌈Σ q·(p mod 10⁶)/10⁶⌉.
 * Exact for results below 2^53; a result that is not a safe integer is returned as `Number.MAX_SAFE_INTEGER`, which no cap admits.
 */
export function chargeUp(items: readonly Item[]): number {
  let whole = 0;
  let parts = 0;
  for (const { quantity, price } of items) {
    whole += quantity * Math.floor(price / MILLION);
    parts += quantity * (price % MILLION);
  }
  const charge = whole + Math.ceil(parts / MILLION);
  return Number.isSafeInteger(whole) && Number.isSafeInteger(parts) && Number.isSafeInteger(charge)
    ? charge
    : Number.MAX_SAFE_INTEGER;
}

/** One ledger line's charge: quantity·price/10⁶, half to even, exact. */
export function chargeHalfEven({ quantity, price }: Item): bigint {
  const product = BigInt(quantity) * BigInt(price);
  const whole = product / 1_000_000n;
  const rest = product % 1_000_000n;
  if (rest > 500_000n || (rest === 500_000n && whole % 2n === 1n)) return whole + 1n;
  return whole;
}

/**
 * Shows an amount: `1234567890` with 9 decimals and 4 places is `1.2346`. Half to even at the last place shown.
 * `places` defaults to all `decimals`.
 */
export function formatMoney(amount: bigint, options: { decimals: number; places?: number }): string {
  const places = options.places ?? options.decimals;
  const step = 10n ** BigInt(options.decimals - places);
  const negative = amount < 0n;
  const absolute = negative ? -amount : amount;
  let shown = absolute / step;
  const twice = (absolute % step) * 2n;
  if (twice > step || (twice === step && shown % 2n === 1n)) shown += 1n;
  const digits = shown.toString().padStart(places + 1, '0');
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return negative && shown !== 0n ? `-${text}` : text;
}
