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
  return halfEven({ dividend: BigInt(quantity) * BigInt(price), divisor: 1_000_000n });
}

/** The quotient, rounded to the nearest integer and to the even one of two. `dividend` ≥ 0, `divisor` > 0. */
export function halfEven({ dividend, divisor }: { readonly dividend: bigint; readonly divisor: bigint }): bigint {
  const whole = dividend / divisor;
  const twice = (dividend % divisor) * 2n;
  return twice > divisor || (twice === divisor && whole % 2n === 1n) ? whole + 1n : whole;
}

/**
 * Shows an amount: `1234567890` with 9 decimals and 4 places is `1.2346`. Half to even at the last place shown.
 * `places` defaults to all `decimals`.
 */
export function formatMoney(amount: bigint, options: { decimals: number; places?: number }): string {
  const places = options.places ?? options.decimals;
  const negative = amount < 0n;
  const divisor = 10n ** BigInt(options.decimals - places);
  const shown = halfEven({ dividend: negative ? -amount : amount, divisor });
  const digits = shown.toString().padStart(places + 1, '0');
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return negative && shown !== 0n ? `-${text}` : text;
}

/**
 * An amount with its currency for people: `12.50 USD`, `0.000125 USD`. Trailing zeros are cut, two places left. `places`
 * defaults to all `decimals`.
 */
export function moneyText(
  amount: bigint,
  money: { readonly currency: string; readonly decimals: number; readonly places?: number },
): string {
  return `${formatMoney(amount, money).replace(/(\.\d\d\d*?)0+$/, '$1')} ${money.currency}`;
}
