/** What stands instead of a limit's `max` at one account for a while. */
import { samePeriod, type Window } from './amount.ts';
import { bucketOf, readAmount, readBurst } from './limit-shape.ts';
import type { LimitContext } from './limits.ts';
import type { BoundLimit, Limit } from './policy.ts';
import { show } from './problem.ts';
import type { AccountEntry } from './schema.ts';
import type { Path, Source } from './source.ts';
import { endOfDayMs } from './zone.ts';

export type Override = NonNullable<BoundLimit['override']>;

/** A limit as it binds an account, and whose counter it is. */
export interface Candidate {
  readonly limit: Limit;
  readonly owner: string;
}

/** Plain data. The limit is known by the place of its declaration: a name may stand for two, further down a chain. */
export interface CompiledOverride {
  readonly value: Override;
  /** `at` of the limit that it is of. */
  readonly at: string;
  /** Where it stands. */
  readonly account: string;
}

export interface OverrideSite {
  /** Where the override stands. */
  readonly account: string;
  /** The limits of that name that bind the account. */
  readonly candidates: readonly Candidate[];
  /** The customer's. */
  readonly zone: string;
  readonly source: Source;
  readonly path: Path;
}

/** Partitions that lie at or below the account that a principal is bound to, whoever owns the limit. */
const BELOW: ReadonlySet<string> = new Set(['account', 'credential', 'actor', 'run']);

/** Compiles one override; undefined after an error. */
export function compileOverride(
  entry: NonNullable<AccountEntry['overrides']>[string],
  site: OverrideSite,
  context: LimitContext,
): CompiledOverride | undefined {
  const { account, source, path } = site;
  const target = site.candidates.find((candidate) => isBelow(candidate, account));
  const { problems } = context;
  if (target === undefined) {
    const [{ limit, owner } = { limit: undefined, owner: '' }] = site.candidates;
    const text = `limit \`${limit?.name}\` is counted at \`${owner}\`; an override of it stands there`;
    problems.report('override-scope', source.at(path, 'key'), { text });
    return undefined;
  }
  const { limit } = target;
  const amount = readAmount(entry.max, { source, path: [...path, 'max'] }, context);
  if (amount === undefined) return undefined;
  if (
    amount.unit !== limit.unit ||
    amount.inFlight !== (limit.shape.kind === 'slots') ||
    !hasPeriodOf(limit, amount.window)
  ) {
    const expected = `the same unit and period as limit \`${limit.name}\` (${limit.at})`;
    problems.report('override-unit', source.at([...path, 'max']), { expected, found: show(entry.max) });
    return undefined;
  }
  let burst: number | undefined;
  if (limit.shape.kind === 'bucket') {
    const at = { source, path: [...path, entry.burst === undefined ? 'max' : 'burst'] };
    burst = entry.burst === undefined ? undefined : readBurst(entry.burst, amount, at, problems);
    const bucket = { max: amount.amount, burst: burst ?? limit.shape.burst, periodMs: limit.shape.periodMs };
    if (bucketOf(bucket, at, problems) === undefined) return undefined;
  } else if (entry.burst !== undefined) {
    problems.report('override-unit', source.at([...path, 'burst'], 'key'), {
      text: `limit \`${limit.name}\` has no burst`,
    });
    return undefined;
  }
  const value = Object.freeze({ max: amount.amount, burst, untilMs: endOfDayMs(entry.until, site.zone) });
  return { value, at: limit.at, account };
}

/** Whether it stands instead of this limit's value: its counter lies at the override's account or below. */
export function reaches({ at, account }: CompiledOverride, candidate: Candidate): boolean {
  return candidate.limit.at === at && isBelow(candidate, account);
}

function isBelow({ limit, owner }: Candidate, account: string): boolean {
  return owner === account || BELOW.has(limit.each ?? '');
}

function hasPeriodOf({ shape }: Limit, window: Window | undefined): boolean {
  if (shape.kind === 'bucket') return window?.bucketMs === shape.periodMs;
  if (shape.kind === 'window') return window !== undefined && samePeriod(window.period, shape.period);
  return window === undefined;
}
