/** Ladders that cannot work: found when the bundle is judged, not when a customer is refused. */
import { dayOf } from '../core/day.ts';
import { METERS } from '../core/units.ts';
import { parseCondition } from './condition.ts';
import { type Known, refer } from './names.ts';
import type { LadderStep, Limit, ModelCatalog, Plan, PriceTables } from './policy.ts';
import { chargePrices, type ModelPrices, ratesAt } from './prices.ts';
import { type Problems, show } from './problem.ts';
import type { RuleId } from './rules.ts';
import type { PlanEntry } from './schema.ts';
import type { Path, Source } from './source.ts';

export interface LadderSite {
  readonly plan: Plan;
  readonly entry: PlanEntry;
  readonly limits: readonly Limit[];
  readonly catalog: ModelCatalog;
  readonly known: Known;
  readonly providers: Known;
  readonly prices: PriceTables;
  readonly source: Source;
  /** Of the plan. */
  readonly path: Path;
  readonly problems: Problems;
}

export function lintLadder(site: LadderSite): void {
  const rows = site.entry.ladder ?? [];
  const steps = new Set<string>();
  for (const [index, row] of rows.entries()) {
    lintCondition(index, site);
    if (!steps.has(row.from)) lintStep(index, site);
    steps.add(row.from);
  }
  if (!lintCycles(site)) lintPercents(site);
  lintDeadEnds(site);
}

function report(rule: RuleId, inner: Path, finding: Parameters<Problems['report']>[2], site: LadderSite): void {
  site.problems.report(rule, site.source.at([...site.path, ...inner]), finding);
}

/** The limit of a condition is one of the plan's, and the model it leads from carries it. */
function lintCondition(index: number, site: LadderSite): void {
  const row = site.entry.ladder![index]!;
  const { limit: name } = parseCondition(row.at)!;
  const limit = site.limits.find((each) => each.name === name);
  if (limit === undefined) {
    if (site.source.dropped.has(name)) return;
    const names = site.limits.map((each) => each.name);
    report(
      'name-unknown',
      ['ladder', index, 'at'],
      { expected: 'a limit of this plan', found: show(name), misspelt: { name, known: names } },
      site,
    );
  } else if (limit.models !== undefined && !limit.models.has(row.from) && site.catalog.byName.has(row.from)) {
    report(
      'ladder-limit',
      ['ladder', index, 'at'],
      { text: `model \`${row.from}\` does not carry limit \`${name}\`` },
      site,
    );
  }
}

/** Both models are known and cleared, of one provider, and the step is not dearer. */
function lintStep(index: number, site: LadderSite): void {
  const { from, use } = site.entry.ladder![index]!;
  const { catalog, plan, problems, source, known } = site;
  const place = (key: string) => ({ source, path: [...site.path, 'ladder', index, key], owned: false });
  const knownFrom = refer(from, known, place('from'), problems);
  const knownUse = refer(use, known, place('use'), problems);
  if (!knownFrom || !knownUse) return;
  if (!plan.entitlements.some(({ models }) => models.has(use))) {
    report(
      'ladder-uncleared',
      ['ladder', index, 'use'],
      { text: `the plan does not clear model \`${use}\`; the step is skipped` },
      site,
    );
  }
  const [above, below] = [catalog.byName.get(from)!, catalog.byName.get(use)!];
  const bothKnown = site.providers.names.has(above.provider) && site.providers.names.has(below.provider);
  if (bothKnown && above.provider !== below.provider) {
    const finding = {
      expected: `a model of provider \`${above.provider}\``,
      found: `\`${use}\` of provider \`${below.provider}\``,
    };
    report('ladder-provider', ['ladder', index, 'use'], finding, site);
  }
  const prices = {
    from: chargePrices(site.prices, plan.prices, from),
    use: chargePrices(site.prices, plan.prices, use),
  };
  if (prices.from === undefined || prices.use === undefined) return;
  const dearer = dearerMeter({ from: prices.from, use: prices.use });
  if (dearer !== undefined) {
    const text = `\`${use}\` is dearer than \`${from}\` in list \`${plan.prices}\`: ${dearer}`;
    report('ladder-dearer', ['ladder', index, 'use'], { text }, site);
  }
}

/** Where `use` costs more: any meter, in any band, from any date on. */
function dearerMeter({ from, use }: { readonly from: ModelPrices; readonly use: ModelPrices }): string | undefined {
  const spans = [...from.spans, ...use.spans];
  const dates = new Set(spans.map(({ fromMs }) => fromMs));
  const bands = new Set(spans.flatMap((span) => span.bands.map(({ inputOver }) => inputOver)));
  for (const atMs of [...dates].toSorted((a, b) => a - b)) {
    for (const band of [...bands].toSorted((a, b) => a - b)) {
      const at = { atMs, inputTokens: band + 1 };
      const [above, below] = [ratesAt(from, at), ratesAt(use, at)];
      if (above === undefined || below === undefined) continue;
      for (const meter of METERS) {
        const price = (rates: typeof above) =>
          meter === 'reasoning' ? (rates.reasoning ?? rates.prices.output) : rates.prices[meter];
        if (price(below) > price(above)) {
          return `\`${meter}\` from ${dayOf(atMs)}${band === 0 ? '' : ` over ${band} input tokens`}`;
        }
      }
    }
  }
  return undefined;
}

/** True: there is a cycle. */
function lintCycles(site: LadderSite): boolean {
  const { ladder } = site.plan;
  const done = new Set<string>();
  let found = false;
  for (const start of ladder.keys()) {
    const walk = new Set<string>();
    let current: string | undefined = start;
    while (current !== undefined && !done.has(current) && !walk.has(current)) {
      walk.add(current);
      current = ladder.get(current)?.use;
    }
    if (current !== undefined && walk.has(current)) {
      const cycle = [...walk].slice([...walk].indexOf(current));
      const index = site.entry.ladder!.findIndex(({ from }) => from === cycle.at(-1));
      const text = `the ladder leads back: \`${[...cycle, current].join('` → `')}\``;
      report('ladder-cycle', ['ladder', index, 'use'], { text }, site);
      found = true;
    }
    for (const model of walk) done.add(model);
  }
  return found;
}

/** Down the ladder, the percents of one limit never fall: the lower step would be taken before the upper one. */
function lintPercents(site: LadderSite): void {
  const { ladder } = site.plan;
  const below = new Set([...ladder.values()].map(({ use }) => use));
  const reported = new Set<number>();
  for (const top of ladder.values()) {
    if (below.has(top.from)) continue;
    const above = new Map<string, number>();
    for (let step: LadderStep | undefined = top; step !== undefined; step = ladder.get(step.use)) {
      for (const { limit, percent } of step.when) {
        const percentMin = above.get(limit) ?? 0;
        if (percent < percentMin) reportPercent({ step, limit, percent, percentMin, reported }, site);
        above.set(limit, Math.max(percent, percentMin));
      }
    }
  }
}

/** Once, however many ladders lead down to the step. */
function reportPercent(
  fall: {
    readonly step: LadderStep;
    readonly limit: string;
    readonly percent: number;
    readonly percentMin: number;
    readonly reported: Set<number>;
  },
  site: LadderSite,
): void {
  const { step, limit, percent, percentMin, reported } = fall;
  const index = site.entry.ladder!.findIndex(
    ({ from, at }) => from === step.from && parseCondition(at)?.limit === limit,
  );
  if (reported.has(index)) return;
  reported.add(index);
  const finding = { expected: `at least ${percentMin}% as in a step above it`, found: `\`${percent}%\`` };
  report('ladder-percent', ['ladder', index, 'at'], finding, site);
}

/** A limit that only the upper model carries refuses, although there is a step down that would help. */
function lintDeadEnds(site: LadderSite): void {
  for (const step of site.plan.ladder.values()) {
    for (const limit of site.limits) {
      const only = limit.models?.has(step.from) === true && !limit.models.has(step.use);
      if (!only || limit.enforce !== 'on' || step.when.some((each) => each.limit === limit.name)) continue;
      const index = site.entry.limits?.findIndex(({ name }) => name === limit.name) ?? 0;
      const text = `only \`${step.from}\` carries this limit, and no step to \`${step.use}\` names it: it refuses when it is full`;
      report('ladder-dead-end', ['limits', index, 'name'], { text }, site);
    }
  }
}
