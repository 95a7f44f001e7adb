/** What a limit allows, in words. */
import { moneyText } from '../../core/money.ts';
import { spanText } from '../../core/span.ts';
import type { BoundLimit, Period, PriceTables } from '../policy.ts';

/** `500 USD per month`, `20 requests per second, burst 40`, `50 requests in flight`: what counts now, an override included. */
export function capText({ limit, override }: BoundLimit, prices: PriceTables): string {
  const { shape, unit } = limit;
  const amount = (value: number): string =>
    unit === 'charge' || unit === 'cost'
      ? `${moneyText(BigInt(value), prices)}${unit === 'cost' ? ' cost' : ''}`
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

function periodText(period: Period): string {
  return period.kind === 'calendar' ? period.unit : spanText(period.ms);
}
