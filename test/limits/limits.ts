/** Limits of the policy, for tests. */
import type { BoundLimit, Limit, Shape } from '../../src/policy/policy.ts';

export const month: Shape = { kind: 'window', period: { kind: 'calendar', unit: 'month' } };

export function aBound(limit: Partial<Limit>, bound: Partial<Omit<BoundLimit, 'limit'>> = {}): BoundLimit {
  return {
    limit: {
      name: 'limit',
      max: 1000,
      unit: 'charge',
      shape: month,
      each: undefined,
      routes: undefined,
      models: undefined,
      classes: undefined,
      ceiling: new Map(),
      warn: [],
      estimate: 'full',
      storeDown: 'closed',
      onExpiry: 'keep',
      enforce: 'on',
      ofTraffic: false,
      at: 'plans.yaml:1:1',
      ...limit,
    },
    owner: 'acme',
    zone: 'Europe/Berlin',
    monthStarts: 1,
    override: undefined,
    ...bound,
  };
}
