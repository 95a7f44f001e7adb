/**
 * What a policy is made of: plain data, as the compiler makes it and as it goes from thread to thread. The functions of a
 * policy are made from it where it is used.
 */
import { type AccessParts, accessRules } from './access-rules.ts';
import { AccountResolver, type ResolverParts } from './account-resolver.ts';
import { catalogOf, type ModelParts } from './model-catalog.ts';
import type { Policy } from './policy.ts';
import { RouteMatcher } from './route-matcher.ts';

export interface PolicyParts
  extends Omit<Policy, 'access' | 'models' | 'route' | 'account' | 'declaredAccounts' | 'limitNames'>,
    ResolverParts {
  readonly access: AccessParts;
  readonly models: ModelParts;
}

/** The policy of `parts`, whose objects it shares. Takes as long as there are rules, models and routes, not accounts or keys. */
export function assemblePolicy(parts: PolicyParts): Policy {
  const { version, environment, enforce, classes, runs, routes, keys, keyAgeMaxMs, issuers, prices, priceVersion } =
    parts;
  const matcher = new RouteMatcher();
  for (const route of routes.values()) matcher.add(route);
  const models = catalogOf(parts.models);
  const accounts = new AccountResolver(parts);
  return Object.freeze({
    version,
    environment,
    enforce,
    classes,
    runs,
    routes,
    route: (method: string, path: string) => matcher.find(method, path),
    models,
    access: accessRules(parts.access, models.asked),
    keys,
    keyAgeMaxMs,
    issuers,
    prices,
    priceVersion,
    account: (path: string) => accounts.account(path),
    declaredAccounts: () => parts.accounts.keys(),
    limitNames: () => limitNamesOf(parts),
  });
}

function limitNamesOf({ trafficLimits, plans, accounts }: ResolverParts): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { limits } of [{ limits: trafficLimits }, ...plans.values(), ...accounts.values()]) {
    for (const { name, enforce } of limits) if (enforce !== 'off') names.add(name);
  }
  return names;
}
