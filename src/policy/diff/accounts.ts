/** Accounts, their plans and the limits whose counters they own. */

import { dayOf } from '../../core/day.ts';
import type { AccountPolicy, BoundLimit, Plan } from '../policy.ts';
import { capText } from './cap-text.ts';
import type { Change, DiffPorts, Effect, Side } from './change.ts';

type Own = Omit<Change, 'of' | 'about'>;

export function* diffAccounts(before: Side, after: Side, ports: DiffPorts): Generator<Change, void> {
  for (const of of new Set([...before.parts.accounts.keys(), ...after.parts.accounts.keys()])) {
    const [was, is] = [before, after].map(({ parts, policy }) =>
      parts.accounts.has(of) ? policy.account(of) : undefined,
    );
    for (const change of accountChanges({ was, is }, { before, after, ports }))
      yield { ...change, about: 'account', of };
  }
  yield* diffPlans(before, after);
}

interface Sides {
  readonly before: Side;
  readonly after: Side;
  readonly ports: DiffPorts;
}

function* accountChanges(
  { was, is }: { readonly was: AccountPolicy | undefined; readonly is: AccountPolicy | undefined },
  sides: Sides,
): Generator<Own, void> {
  if (was === undefined || is === undefined) {
    const [effect, text] =
      was === undefined ? (['gain', 'is declared'] as const) : (['lose', 'is declared no more'] as const);
    yield { effect, text };
    return;
  }
  const { before, after } = sides;
  const facts = ({ plan, zone, monthStarts, owner, tags }: AccountPolicy, { parts }: Side): Record<string, string> => ({
    plan: plan?.name ?? 'none',
    timezone: zone,
    month_starts: String(monthStarts),
    owner,
    tags: Object.entries(tags)
      .map(([name, value]) => `${name}=${value}`)
      .toSorted()
      .join(' '),
    unlisted: parts.accounts.get(was.path)?.unlisted === true ? 'allow' : 'refuse',
  });
  const [old, now] = [facts(was, before), facts(is, after)];
  for (const name of Object.keys(now)) {
    if (old[name] !== now[name])
      yield { effect: 'change', text: `${name}: ${old[name] || 'none'} → ${now[name] || 'none'}` };
  }
  yield* limitChanges(was, is, sides);
}

/** Only at the account that owns the counter, or that an override of its own stands at: told once. */
function* limitChanges(was: AccountPolicy, is: AccountPolicy, { before, after, ports }: Sides): Generator<Own, void> {
  const [old, now] = [told(was, before), told(is, after)];
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    const [a, b] = [old.get(key) ?? inherited(was, key), now.get(key) ?? inherited(is, key)];
    if (a === undefined && b !== undefined) {
      const effect = b.limit.enforce === 'on' ? 'lose' : 'change';
      yield { effect, text: `new limit ${named(b)}: ${capText(b, after.policy.prices)}${scopeText(b)}` };
    } else if (a !== undefined && b === undefined) {
      const effect = a.limit.enforce === 'on' ? 'gain' : 'change';
      yield { effect, text: `limit ${named(a)} is gone (${capText(a, before.policy.prices)})` };
    } else if (a !== undefined && b !== undefined) {
      const caps = [capText(a, before.policy.prices), capText(b, after.policy.prices)] as const;
      yield* boundChanges(a, b, { caps, isAnew: identityOf(a, ports) !== identityOf(b, ports) });
    }
  }
}

function told({ limits, path }: AccountPolicy, { parts }: Side): ReadonlyMap<string, BoundLimit> {
  const overrides = parts.accounts.get(path)?.overrides;
  const own = limits.filter(({ owner, limit }) => owner === path || overrides?.has(limit.name) === true);
  return new Map(own.map((bound) => [keyOf(bound), bound]));
}

function inherited({ limits }: AccountPolicy, key: string): BoundLimit | undefined {
  return limits.find((bound) => keyOf(bound) === key);
}

function keyOf({ limit, owner }: BoundLimit): string {
  return `${limit.name}\n${owner}`;
}

function* boundChanges(
  a: BoundLimit,
  b: BoundLimit,
  { caps: [was, is], isAnew }: { readonly caps: readonly [string, string]; readonly isAnew: boolean },
): Generator<Own, void> {
  if (was !== is) {
    const direction = a.limit.shape.kind === b.limit.shape.kind && !isAnew ? directionOf(a, b) : undefined;
    const word = direction === undefined ? 'changed' : direction === 'gain' ? 'raised' : 'lowered';
    const until = b.override === undefined ? '' : ` until ${dayOf(b.override.untilMs)}`;
    yield { effect: direction ?? 'change', text: `limit ${named(b)} ${word}: ${was} → ${is}${until}` };
  }
  if (a.limit.enforce !== b.limit.enforce) {
    const effect = b.limit.enforce === 'on' ? 'lose' : 'gain';
    yield { effect, text: `limit ${named(b)} enforce: ${a.limit.enforce} → ${b.limit.enforce}` };
  }
  const [before, after] = [scopeText(a), scopeText(b)];
  if (before !== after) yield { effect: 'change', text: `limit ${named(b)}:${before || ' all'} →${after || ' all'}` };
  if (isAnew)
    yield {
      effect: 'anew',
      text: `limit ${named(b)}: its counters begin at 0 (unit, period, zone or partition changed)`,
    };
}

function named({ limit }: BoundLimit): string {
  return `\`${limit.name}\``;
}

function directionOf(a: BoundLimit, b: BoundLimit): Effect | undefined {
  const [was, is] = [sizesOf(a), sizesOf(b)];
  if (is.every((size, index) => size >= was[index]!)) return 'gain';
  return is.every((size, index) => size <= was[index]!) ? 'lose' : undefined;
}

function sizesOf({ limit, override }: BoundLimit): readonly number[] {
  const { shape } = limit;
  return [override?.max ?? limit.max, shape.kind === 'bucket' ? (override?.burst ?? shape.burst) : 0];
}

/** What makes it the same counter: all of its name but the partition's value and the window. */
function identityOf(bound: BoundLimit, { counterPrefix }: DiffPorts): string {
  return `${counterPrefix(bound)} ${bound.limit.each ?? ''}`;
}

/** What it holds for and how, where it says so; empty: everything, as by default. */
function scopeText({ limit }: BoundLimit): string {
  const { routes, models, classes, each, ceiling, warn, storeDown, onExpiry, estimate, unit } = limit;
  const storeDownPreset = unit === 'charge' || unit === 'cost' ? 'closed' : 'local';
  const list = (name: string, values: Iterable<string> | undefined): string =>
    values === undefined ? '' : ` ${name} ${[...values].toSorted().join(', ')};`;
  const parts = [
    list('routes', routes),
    list('models', models),
    list('classes', classes),
    each === undefined ? '' : ` each ${each};`,
    ceiling.size === 0
      ? ''
      : list(
          'ceiling',
          [...ceiling].map(([name, percent]) => `${name} ${percent}%`),
        ),
    warn.length === 0
      ? ''
      : list(
          'warn',
          warn.map((percent) => `${percent}%`),
        ),
    storeDown === storeDownPreset ? '' : ` store_down ${storeDown};`,
    onExpiry === 'keep' ? '' : ` on_expiry ${onExpiry};`,
    estimate === 'full' ? '' : ` estimate ${estimate};`,
  ];
  return parts.join('').replace(/;$/, '');
}

function* diffPlans(before: Side, after: Side): Generator<Change, void> {
  const [was, is] = [before.parts.plans, after.parts.plans];
  for (const of of new Set([...was.keys(), ...is.keys()])) {
    const [a, b] = [was.get(of)?.plan, is.get(of)?.plan];
    if (a === undefined || b === undefined) {
      yield { effect: 'change', about: 'plan', of, text: a === undefined ? 'is new' : 'is gone' };
      continue;
    }
    const [old, now] = [planFacts(a), planFacts(b)];
    for (const name of new Set([...old.keys(), ...now.keys()])) {
      const [x, y] = [old.get(name) ?? 'none', now.get(name) ?? 'none'];
      if (x !== y) yield { effect: 'change', about: 'plan', of, text: `${name}: ${x} → ${y}` };
    }
  }
}

function planFacts({ prices, billEstimated, enforce, ladder }: Plan): ReadonlyMap<string, string> {
  const steps = [...ladder.values()].map(({ from, use, when }) => {
    const conditions = when.map(({ limit, percent }) => `${percent}% of ${limit}`);
    return [`step from \`${from}\``, `\`${use}\` at ${conditions.join(' or ')}`] as const;
  });
  return new Map([['prices', prices], ['bill_estimated', String(billEstimated)], ['enforce', enforce], ...steps]);
}
