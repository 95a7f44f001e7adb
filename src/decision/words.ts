import { moneyText } from '../core/money.ts';
import { SPANS, spanText } from '../core/span.ts';
import type { Spend } from '../limits/store.ts';
import type { Limit, Policy } from '../policy/policy.ts';

/** Places of money that is shown to callers: a cent is a lot for one call. */
const PLACES = 6;

/** An amount in a limit's unit for people: `12.50 USD`, `0.000125 USD`, `1 request`, `1200 input tokens`. */
export function amountText(amount: number, unit: Limit['unit'], policy: Policy): string {
  if (unit === 'charge' || unit === 'cost') {
    const { currency, decimals } = policy.prices;
    return moneyText(BigInt(amount), { currency, decimals, places: Math.min(decimals, PLACES) });
  }
  const name = unit.replace('_', ' ');
  return `${amount} ${amount === 1 ? name.slice(0, -1) : name}`;
}

/** A limit as its owner wrote it, with what holds of it now (override, share of a class): `20 requests per second`, `50 requests in flight`. */
export function limitText({ shape, unit, each }: Limit, { ceiling, n, p }: Spend, policy: Policy): string {
  const amount = amountText(ceiling, unit, policy);
  switch (shape.kind) {
    case 'slots':
      return `${amount} in flight`;
    case 'total':
      return `${amount} per ${each}`;
    case 'bucket':
      return `${amountText((shape.periodMs / p!) * n!, unit, policy)} per ${spanText(shape.periodMs)}`;
    case 'window':
      return `${amount} per ${shape.period.kind === 'calendar' ? shape.period.unit : spanText(shape.period.ms)}`;
  }
}

/** Why a call asks for more than its author would think. `outputTokens`: of all its choices together. */
export function uncappedText(outputTokens: number): string {
  return `this call gives no output cap, so ${outputTokens} output tokens were assumed`;
}

/**
 * How long to wait, for people: rounded up to whole seconds, from two minutes on to the unit below the largest that fits
 * (`6 days 2 hours`). Never shorter than the wait.
 */
export function waitText(ms: number): string {
  for (const [at, [size, name]] of SPANS.slice(0, 3).entries()) {
    if (ms < 2 * size) continue;
    const [part, partName] = SPANS[at + 1]!;
    const parts = Math.ceil(ms / part);
    const rest = parts % (size / part);
    return `${countText(Math.floor(parts / (size / part)), name)}${rest === 0 ? '' : ` ${countText(rest, partName)}`}`;
  }
  return countText(Math.max(1, Math.ceil(ms / 1000)), 'second');
}

function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
