import { holdFromFields } from '../ledger/fields.ts';
import type { Hold } from '../ledger/hold.ts';

/**
 * Whether the copy in an access-log entry tells another story than the hold, in anything that a bill depends on. A copy
 * that was too large for its spends is not asked for them. Pure.
 */
export function copyDiffers(fields: ReadonlyMap<string, string>, hold: Hold): boolean {
  const copy = holdFromFields(fields);
  if (copy === undefined) return true;
  if (FACTS.some((fact) => copy[fact] !== hold[fact])) return true;
  if (ESTIMATES.some((part) => copy.estimate[part] !== hold.estimate[part])) return true;
  return fields.get('spends_omitted') !== 'true' && !sameSpends(copy, hold);
}

const FACTS = [
  'account',
  'billEstimated',
  'credential',
  'decidedAtMs',
  'dialect',
  'expiresAtMs',
  'model',
  'priceList',
  'priceVersion',
  'provider',
  'route',
  'stream',
] as const satisfies readonly (keyof Hold)[];

const ESTIMATES = [
  'inputTokens',
  'outputTokens',
  'charge',
  'cost',
] as const satisfies readonly (keyof Hold['estimate'])[];

function sameSpends({ spends: some }: Hold, { spends: others }: Hold): boolean {
  if (some.length !== others.length) return false;
  const reserved = new Map(others.map((spend) => [spend.counter, spend.reserved]));
  return some.every((spend) => reserved.get(spend.counter) === spend.reserved);
}
