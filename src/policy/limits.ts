/** Declared limits: from their words to what they count and how. */
import type { Enforce } from '../core/units.ts';
import type { Amount } from './amount.ts';
import type { CompiledModels } from './catalog.ts';
import { weakest } from './enforce.ts';
import { compileShape, readAmount } from './limit-shape.ts';
import { type Known, refer, referAll } from './names.ts';
import type { Limit, Shape } from './policy.ts';
import { type Problems, show } from './problem.ts';
import { parsePercent } from './quantity.ts';
import type { LimitEntry } from './schema.ts';
import type { Path, Source } from './source.ts';

/** What a limit may refer to, and what it is counted in. */
export interface LimitContext {
  readonly currency: string;
  readonly models: CompiledModels;
  readonly routes: Known;
  readonly classes: Known;
  readonly problems: Problems;
}

export interface LimitSite {
  readonly source: Source;
  readonly path: Path;
  /** What stands around it: `off` and `observe` weaken it, `on` leaves it as it is. */
  readonly within: readonly (Enforce | undefined)[];
  /** traffic.yaml: routes and classes are its own, and `each` is required. */
  readonly traffic: boolean;
}

/** Limits of one list: each compiled, names unique within it. */
export function compileLimits(
  entries: readonly LimitEntry[],
  site: LimitSite,
  context: LimitContext,
): readonly Limit[] {
  const seen = new Set<string>();
  const limits: Limit[] = [];
  for (const [index, entry] of entries.entries()) {
    const path = [...site.path, index];
    if (seen.has(entry.name)) {
      context.problems.report('name-duplicate', site.source.at([...path, 'name']), {
        text: `a limit \`${entry.name}\` stands above`,
      });
    }
    seen.add(entry.name);
    const limit = compileLimit(entry, { ...site, path }, context);
    if (limit === undefined) site.source.dropped.add(entry.name);
    else limits.push(limit);
  }
  return Object.freeze(limits);
}

/** Undefined after an error that leaves nothing to compile. */
function compileLimit(entry: LimitEntry, site: LimitSite, context: LimitContext): Limit | undefined {
  const { source, path } = site;
  const amount = readAmount(entry.max, { source, path: [...path, 'max'] }, context);
  if (amount === undefined) return undefined;
  const shape = compileShape(entry, amount, site, context.problems);
  if (shape === undefined || !isPartitioned(entry, amount, shape, site, context.problems)) return undefined;
  const { routes, classes, problems } = context;
  const reference = (key: string) => ({ source, path: [...path, key], owned: site.traffic });
  return Object.freeze({
    name: entry.name,
    max: amount.amount,
    unit: amount.unit,
    shape: Object.freeze(shape),
    each: entry.each,
    routes: referAll(entry.routes, routes, reference('routes'), problems),
    models: limitedModels(entry, site, context),
    classes: referAll(entry.classes, classes, reference('classes'), problems),
    ceiling: ceilingOf(entry, shape, site, context),
    warn: Object.freeze([...new Set((entry.warn ?? []).map(wholePercent))].toSorted((a, b) => a - b)),
    estimate: entry.estimate ?? 'full',
    storeDown: entry.store_down ?? (amount.unit === 'charge' || amount.unit === 'cost' ? 'closed' : 'local'),
    onExpiry: entry.on_expiry ?? 'keep',
    enforce: weakest([entry.enforce, ...site.within]),
    ofTraffic: site.traffic,
    at: source.ref(path),
  });
}

function limitedModels(
  { models: patterns }: LimitEntry,
  { source, path }: LimitSite,
  { models, problems }: LimitContext,
): ReadonlySet<string> | undefined {
  if (patterns === undefined) return undefined;
  const at = [...path, 'models'];
  const found = models.resolve(patterns, { source, path: at });
  // A literal name that is not declared has been reported; a pattern that matches nothing is silent elsewhere.
  if (found.size === 0 && patterns.every((pattern) => pattern.includes('*'))) {
    problems.report('limit-vain', source.at(at), { text: 'no declared model matches; the limit binds nothing' });
  }
  return found;
}

function isPartitioned(entry: LimitEntry, amount: Amount, shape: Shape, site: LimitSite, problems: Problems): boolean {
  const { source, path } = site;
  const each = entry.each;
  const place = each === undefined ? source.at(path) : source.at([...path, 'each']);
  if (site.traffic && each === undefined) {
    problems.report('limit-shape', place, {
      text: 'missing key `each`: in traffic.yaml every limit names its partition',
    });
    return false;
  }
  if (amount.unit === 'cost' && each !== undefined && each !== 'customer') {
    problems.report('limit-shape', place, {
      expected: '`customer` or nothing, as `cost` caps hold per customer',
      found: show(each),
    });
    return false;
  }
  if (amount.unit === 'runs' && (each === 'run' || shape.kind === 'total')) {
    problems.report('limit-shape', place, { text: 'runs cannot be counted within one run' });
    return false;
  }
  return true;
}

function ceilingOf(
  entry: LimitEntry,
  shape: Shape,
  { source, path, traffic }: LimitSite,
  { classes, problems }: LimitContext,
): ReadonlyMap<string, number> {
  const ceiling = new Map<string, number>();
  if (entry.ceiling === undefined) return ceiling;
  if (shape.kind !== 'bucket' && shape.kind !== 'slots') {
    const text = 'only a rate (with `burst`) or a limit in flight has shares of classes';
    problems.report('limit-shape', source.at([...path, 'ceiling'], 'key'), { text });
    return ceiling;
  }
  for (const [name, share] of Object.entries(entry.ceiling)) {
    const reference = { source, path: [...path, 'ceiling', name], owned: traffic };
    if (refer(name, classes, reference, problems)) ceiling.set(name, wholePercent(share));
  }
  return ceiling;
}

/** `80%` of the schema as 80. */
function wholePercent(text: string): number {
  return (parsePercent(text) ?? 0) / 10_000;
}
