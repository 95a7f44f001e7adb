/** plans.yaml's plans: entitlements, limits, ladders. */
import type { Enforce } from '../core/units.ts';
import type { Document } from './documents.ts';
import { weakest } from './enforce.ts';
import { compileLadder } from './ladder.ts';
import { lintLadder } from './ladder-lint.ts';
import { compileLimits, type LimitContext } from './limits.ts';
import { refer, referAll } from './names.ts';
import type { Entitlement, Limit, Model, Plan, PriceTables } from './policy.ts';
import type { Problems } from './problem.ts';
import type { PlanEntry, PlansFile } from './schema.ts';
import type { Path, Source } from './source.ts';

export interface PlanContext extends LimitContext {
  readonly prices: PriceTables;
  /** Dialects by route, for routes that have one. */
  readonly dialects: ReadonlyMap<string, string | undefined>;
  /** `enforce` of the whole bundle. */
  readonly enforce: Enforce;
}

export interface CompiledPlan {
  readonly plan: Plan;
  /** `off` ones too: overrides and ladders may name them. */
  readonly limits: readonly Limit[];
}

export function compilePlans(document: Document<PlansFile>, context: PlanContext): ReadonlyMap<string, CompiledPlan> {
  const plans = new Map<string, CompiledPlan>();
  for (const [name, entry] of Object.entries(document.data.plans)) {
    plans.set(name, compilePlan(name, entry, document, context));
  }
  lintCosts(document, context);
  return plans;
}

function compilePlan(
  name: string,
  entry: PlanEntry,
  { source, data }: Document<PlansFile>,
  context: PlanContext,
): CompiledPlan {
  const path = ['plans', name];
  const { problems, prices } = context;
  const lists = {
    what: 'a price list',
    names: new Map(Object.entries(data.prices)),
    broken: source.dropped,
    file: source.file,
  };
  refer(entry.prices, lists, { source, path: [...path, 'prices'], owned: true }, problems);
  const enforce = weakest([entry.enforce, data.enforce]);
  const entitlements = entry.entitlements.map((each, index) =>
    compileEntitlement(each, { source, path: [...path, 'entitlements', index] }, context),
  );
  lintPrices(entry, entitlements, { source, path, problems, prices });
  const within = [enforce, context.enforce];
  const limits = compileLimits(
    entry.limits ?? [],
    { source, path: [...path, 'limits'], within, traffic: false },
    context,
  );
  const ladder = compileLadder(entry.ladder ?? [], { source, path: [...path, 'ladder'], problems });
  const plan: Plan = Object.freeze({
    name,
    prices: entry.prices,
    billEstimated: entry.bill_estimated ?? true,
    entitlements: Object.freeze(entitlements),
    ladder,
    enforce,
  });
  const { catalog } = context.models;
  lintLadder({
    plan,
    entry,
    limits,
    catalog,
    prices,
    known: context.models.known,
    providers: context.models.providers,
    source,
    path,
    problems,
  });
  return { plan, limits };
}

function compileEntitlement(
  entry: PlanEntry['entitlements'][number],
  { source, path }: { readonly source: Source; readonly path: Path },
  { routes, classes, models, dialects, problems }: PlanContext,
): Entitlement {
  const reference = (key: string) => ({ source, path: [...path, key], owned: false });
  const entitlement = {
    routes: referAll(entry.routes, routes, reference('routes'), problems) ?? new Set<string>(),
    models: models.resolve(entry.models, { source, path: [...path, 'models'] }),
    classes: referAll(entry.classes, classes, reference('classes'), problems) ?? new Set<string>(),
  };
  for (const [index, pattern] of entry.models.entries()) {
    const model = models.catalog.byName.get(pattern);
    const spoken = [...entitlement.routes]
      .map((route) => dialects.get(route))
      .filter((dialect) => dialect !== undefined);
    if (
      model === undefined ||
      !models.providers.names.has(model.provider) ||
      spoken.length === 0 ||
      spoken.some((dialect) => model.dialects.has(dialect))
    )
      continue;
    problems.report('model-unserved', source.at([...path, 'models', index]), {
      text: `no route of this entitlement speaks a dialect of provider \`${model.provider}\`; model \`${model.name}\` is not served here`,
    });
  }
  return Object.freeze(entitlement);
}

/** Every model that a plan sells has a price in its list. */
function lintPrices(
  entry: PlanEntry,
  entitlements: readonly Entitlement[],
  at: { readonly source: Source; readonly path: Path; readonly problems: Problems; readonly prices: PriceTables },
): void {
  const table = at.prices.charge[entry.prices];
  if (table === undefined) return;
  const reported = new Set<string>();
  for (const [index, { models }] of entitlements.entries()) {
    for (const model of models) {
      if (Object.hasOwn(table, model) || reported.has(model) || at.source.dropped.has(model)) continue;
      reported.add(model);
      const literal = entry.entitlements[index]!.models.indexOf(model);
      const path = [...at.path, 'entitlements', index, 'models', ...(literal < 0 ? [] : [literal])];
      at.problems.report('price-missing', at.source.at(path), {
        text: `model \`${model}\` has no price in list \`${entry.prices}\``,
        misspelt: { name: model, known: Object.keys(table) },
      });
    }
  }
}

/** A priced model whose provider's cost is not known has no margin to show. */
function lintCosts({ source, data }: Document<PlansFile>, context: PlanContext): void {
  const { models, problems } = context;
  for (const [list, table] of Object.entries(data.prices)) {
    if (typeof table['like'] === 'string') continue;
    for (const name of Object.keys(table)) {
      const model = models.catalog.byName.get(name);
      if (model === undefined) {
        const reference = { source, path: ['prices', list, name], owned: false };
        refer(name, models.known, reference, problems);
      } else if (isCostMissing(model, source, context)) {
        problems.report('cost-missing', source.at(['prices', list, name], 'key'), {
          text: `model \`${name}\` has no cost under provider \`${model.provider}\``,
        });
      }
    }
  }
  for (const provider of Object.keys(data.costs ?? {})) {
    refer(provider, models.providers, { source, path: ['costs', provider], owned: false }, problems);
  }
}

function isCostMissing({ name, provider }: Model, source: Source, { prices, models }: PlanContext): boolean {
  if (Object.hasOwn(prices.cost[provider] ?? {}, name)) return false;
  return models.providers.names.has(provider) && !source.dropped.has(name) && !source.dropped.has(provider);
}
