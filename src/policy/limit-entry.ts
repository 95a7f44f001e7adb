/** One declared limit: from its words to what it counts and how. */
import type { Enforce } from '../core/units.ts';
import { type Amount, DECIMALS, isAmountFault, parseAmount } from './amount.ts';
import type { CompiledModels } from './catalog.ts';
import { type Known, refer, referAll } from './names.ts';
import type { Limit, Shape } from './policy.ts';
import { type Problems, show } from './problem.ts';
import { numberText, parseCount, parsePercent, parseScaled } from './quantity.ts';
import type { LimitEntry } from './schema.ts';
import type { Decimal, Path, Source } from './source.ts';

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

/** Compiles one limit; undefined after an error that leaves nothing to compile. */
export function compileLimit(entry: LimitEntry, site: LimitSite, context: LimitContext): Limit | undefined {
  const { source, path } = site;
  const amount = readAmount(entry.max, { source, path: [...path, 'max'] }, context);
  if (amount === undefined) return undefined;
  const shape = shapeOf(entry, amount, site, context.problems);
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

/** Reads `max` of a limit or an override. */
export function readAmount(
  text: string,
  { source, path }: { readonly source: Source; readonly path: Path },
  { currency, problems }: Pick<LimitContext, 'currency' | 'problems'>,
): Amount | undefined {
  const amount = parseAmount(text, currency);
  if (!isAmountFault(amount)) return amount;
  problems.report(amount.rule, source.at(path), amount);
  return undefined;
}

/** `off` before `observe` before `on`: what stands around a thing can only weaken its enforcement. */
export function weakest(modes: readonly (Enforce | undefined)[]): Enforce {
  if (modes.includes('off')) return 'off';
  return modes.includes('observe') ? 'observe' : 'on';
}

/** `80%` of the schema as 80. */
export function wholePercent(text: string): number {
  return (parsePercent(text) ?? 0) / 10_000;
}

/** A burst in the smallest unit of what it bursts; undefined after a problem. */
export function readBurst(
  written: number | string | Decimal,
  amount: Amount,
  { source, path }: { readonly source: Source; readonly path: Path },
  problems: Problems,
): number | undefined {
  const money = amount.unit === 'charge' || amount.unit === 'cost';
  const scaled = money ? parseScaled(numberText(written), DECIMALS) : parseCount(written);
  const burst = typeof scaled === 'bigint' ? Number(scaled) : scaled;
  if (typeof burst === 'number' && burst > 0 && Number.isSafeInteger(burst)) return burst;
  problems.report('amount-range', source.at(path), {
    expected: 'a burst above 0 and below 2^53 units',
    found: show(written),
  });
  return undefined;
}

/** N per P ms in lowest terms. Problem where the bucket's level, kept in 1/p units, would leave the exact integers. */
export function bucketOf(
  { max, burst, periodMs }: { readonly max: number; readonly burst: number; readonly periodMs: number },
  { source, path }: { readonly source: Source; readonly path: Path },
  problems: Problems,
): Extract<Shape, { kind: 'bucket' }> | undefined {
  const divisor = gcd(max, periodMs);
  const p = periodMs / divisor;
  if (!Number.isSafeInteger(burst * p * 2)) {
    const text = `the burst times ${p} (its period in lowest terms, ms) must stay below 2^52; choose a rounder rate`;
    problems.report('amount-range', source.at(path), { text });
    return undefined;
  }
  return { kind: 'bucket', n: max / divisor, p, burst, periodMs };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function shapeOf(entry: LimitEntry, amount: Amount, site: LimitSite, problems: Problems): Shape | undefined {
  const { source, path } = site;
  const at = source.at([...path, 'max']);
  if (amount.inFlight) {
    if (entry.burst === undefined) return { kind: 'slots' };
    problems.report('limit-shape', source.at([...path, 'burst'], 'key'), { text: 'a limit in flight has no burst' });
    return undefined;
  }
  if (entry.burst !== undefined) {
    const burst = readBurst(entry.burst, amount, { source, path: [...path, 'burst'] }, problems);
    if (burst === undefined) return undefined;
    const periodMs = amount.window?.bucketMs;
    if (periodMs !== undefined)
      return bucketOf({ max: amount.amount, burst, periodMs }, { source, path: [...path, 'burst'] }, problems);
    problems.report('limit-shape', at, { expected: 'a rate per day or less beside `burst`', found: show(entry.max) });
    return undefined;
  }
  if (amount.window !== undefined) return { kind: 'window', period: Object.freeze(amount.window.period) };
  if (entry.each === 'run') return { kind: 'total' };
  problems.report('limit-shape', at, {
    expected: 'a window (`per …`); only a limit of `each: run` has none',
    found: show(entry.max),
  });
  return undefined;
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
