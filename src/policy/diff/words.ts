/** Parts of a policy in words, for a comparison. */
import { formatMoney } from '../../core/money.ts';
import type { BoundLimit, Period, PriceTables } from '../policy.ts';

const SPANS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
];

/** `500 USD per month`, `20 requests per second, burst 40`, `50 requests in flight`: what counts now, an override included. */
export function capText({ limit, override }: BoundLimit, prices: PriceTables): string {
  const { shape, unit } = limit;
  const amount = (value: number): string =>
    unit === 'charge' || unit === 'cost'
      ? `${moneyText(value, prices)}${unit === 'cost' ? ' cost' : ''}`
      : `${value} ${unit.replace('_', ' ')}`;
  const max = amount(override?.max ?? limit.max);
  switch (shape.kind) {
    case 'bucket':
      return `${max} per ${spanText(shape.periodMs)}, burst ${override?.burst ?? shape.burst}`;
    case 'window':
      return `${max} per ${periodText(shape.period)}`;
    case 'slots':
      return `${max} in flight`;
    case 'total':
      return max;
  }
}

/** Trailing zeros cut, two places left. */
export function moneyText(amount: number, { currency, decimals }: PriceTables): string {
  const text = formatMoney(BigInt(amount), { decimals });
  return `${text.replace(/(\.\d\d\d*?)0+$/, '$1')} ${currency}`;
}

function periodText(period: Period): string {
  return period.kind === 'calendar' ? period.unit : spanText(period.ms);
}

function spanText(ms: number): string {
  const [length, name] = SPANS.find(([each]) => ms % each === 0) ?? [1, 'ms'];
  return ms === length ? name : `${ms / length} ${name}s`;
}
