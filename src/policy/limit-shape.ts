/** What a limit is, by its words: a rate with burst, a window, a total or slots. */
import { type Amount, DECIMALS, isAmountFault, parseAmount } from './amount.ts';
import type { Shape } from './policy.ts';
import { type Problems, show } from './problem.ts';
import { numberText, parseCount, parseScaled } from './quantity.ts';
import type { LimitEntry } from './schema.ts';
import type { Decimal, Path, Source } from './source.ts';

interface Place {
  readonly source: Source;
  readonly path: Path;
}

/** Reads `max` of a limit or an override. */
export function readAmount(
  text: string,
  { source, path }: Place,
  { currency, problems }: { readonly currency: string; readonly problems: Problems },
): Amount | undefined {
  const amount = parseAmount(text, currency);
  if (!isAmountFault(amount)) return amount;
  problems.report(amount.rule, source.at(path), amount);
  return undefined;
}

/** What a limit is, by its words; undefined after a problem. `path` is the limit's. */
export function compileShape(
  entry: Pick<LimitEntry, 'max' | 'burst' | 'each'>,
  amount: Amount,
  { source, path }: Place,
  problems: Problems,
): Shape | undefined {
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

/** A burst in the smallest unit of what it bursts; undefined after a problem. */
export function readBurst(
  written: number | string | Decimal,
  amount: Amount,
  { source, path }: Place,
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
  { source, path }: Place,
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
