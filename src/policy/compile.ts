/** From a bundle's files to the parts of its policy. Pure: the same files give the same parts and the same problems. */
import { createHash } from 'node:crypto';
import { compileAccess } from './access.ts';
import { compileAccounts } from './accounts.ts';
import { compileModels } from './catalog.ts';
import type { Documents } from './documents.ts';
import { compileIssuers } from './issuers.ts';
import { compileKeys } from './keys.ts';
import { type CompiledPlan, compilePlans } from './plans.ts';
import type { Limit, PriceTables } from './policy.ts';
import type { PolicyParts } from './policy-parts.ts';
import { compilePrices } from './price-lists.ts';
import type { Problems } from './problem.ts';
import { parseDuration } from './quantity.ts';
import type { Source } from './source.ts';
import { compileTraffic, compileTrafficLimits } from './traffic.ts';

/**
 * Compiles `documents`, reporting every problem. What comes out may be used only if no error was reported. `version` is the
 * hash of the files; what they name beside them lies relative to `dir`.
 */
export function compilePolicy(
  documents: Documents,
  { dir, version }: { readonly dir: string; readonly version: string },
  problems: Problems,
): PolicyParts {
  const { access, plans, traffic: trafficFile } = documents;
  const models = compileModels(documents.models, problems);
  const prices = compilePrices(plans, problems);
  const traffic = compileTraffic(trafficFile, problems);
  const enforce = access.data.enforce ?? 'on';
  const context = {
    currency: plans.data.currency,
    models,
    routes: traffic.knownRoutes,
    classes: traffic.knownClasses,
    problems,
    prices,
    enforce,
    dialects: new Map([...traffic.routes.values()].map(({ name, dialect }) => [name, dialect])),
  };
  const compiledPlans = compilePlans(plans, context);
  const trafficLimits = compileTrafficLimits(trafficFile, context);
  lintShared(compiledPlans, trafficLimits, trafficFile.source, problems);
  const plansFile = { file: plans.source.file, source: plans.source };
  const accounts = compileAccounts(documents.accounts, {
    ...context,
    plans: compiledPlans,
    plansFile,
    traffic: trafficLimits,
  });
  const classes = traffic.knownClasses;
  const rules = compileAccess(access, { models, routes: traffic.knownRoutes, classes, problems });
  const ageMax = access.data.credentials?.age_max;
  const keyAgeMaxMs = ageMax === undefined ? undefined : parseDuration(ageMax);
  const keys = compileKeys(documents.keys, {
    environment: access.data.environment,
    ageMaxMs: keyAgeMaxMs,
    classes,
    problems,
    accountExists: accounts.exists,
  });
  const issuers = compileIssuers(access, { dir, problems, accountExists: accounts.exists });
  return {
    version,
    environment: access.data.environment,
    enforce,
    classes: traffic.classes,
    runs: traffic.runs,
    routes: traffic.routes,
    models: models.parts,
    access: rules,
    keys,
    keyAgeMaxMs,
    issuers,
    prices,
    priceVersion: priceVersionOf(prices),
    plans: compiledPlans,
    trafficLimits,
    accounts: accounts.parts,
  };
}

/** sha256 of the tables with their keys in order, 16 hex digits. */
function priceVersionOf(prices: PriceTables): string {
  return createHash('sha256').update(canonical(prices)).digest('hex').slice(0, 16);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(',')}}`;
}

/** A customer owns the counters of its plan and of traffic.yaml: one name cannot be both. */
function lintShared(
  plans: ReadonlyMap<string, CompiledPlan>,
  traffic: readonly Limit[],
  source: Source,
  problems: Problems,
): void {
  const taken = new Map<string, Limit>();
  for (const { limits } of plans.values()) for (const limit of limits) taken.set(limit.name, limit);
  const entries = source.get(['limits']) as readonly { readonly name: string }[] | undefined;
  for (const limit of traffic) {
    const other = taken.get(limit.name);
    if (other === undefined) continue;
    const index = entries?.findIndex(({ name }) => name === limit.name) ?? 0;
    problems.report('limit-duplicate', source.at(['limits', index, 'name']), {
      text: `\`${limit.name}\` is already a limit of a plan, declared in ${other.at}`,
    });
  }
}
