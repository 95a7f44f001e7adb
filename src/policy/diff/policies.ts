/** What another bundle would change: who gains, who loses, which counters begin anew, whose files it is in. Pure. */
import { diffAccess } from './access.ts';
import { diffAccounts } from './accounts.ts';
import { type Change, type DiffPorts, EFFECTS, type Side } from './change.ts';
import { diffKeys } from './keys.ts';
import { diffPrices } from './prices.ts';
import { diffTraffic } from './traffic.ts';

/** The same change to one or more things. */
export interface GroupedChange extends Omit<Change, 'of'> {
  readonly count: number;
  /** At most five names, in order. */
  readonly examples: readonly string[];
}

const EXAMPLES_MAX = 5;

/** Changes by effect, then in the order of the parts of a bundle; the same ones to several accounts stand once. */
export function diffPolicies(
  { before, after }: { readonly before: Side; readonly after: Side },
  ports: DiffPorts,
): readonly GroupedChange[] {
  const changes = [
    ...diffAccess(before, after, ports),
    ...diffAccounts(before, after, ports),
    ...diffPrices(before.policy.prices, after.policy.prices),
    ...diffTraffic(before, after),
    ...diffKeys(before, after),
  ];
  return grouped(changes);
}

function grouped(changes: readonly Change[]): readonly GroupedChange[] {
  const groups = Map.groupBy(changes, ({ effect, about, text }) => `${effect}\n${about}\n${text}`);
  return [...groups.values()]
    .map((same) => {
      const { effect, about, text } = same[0]!;
      const names = same.map(({ of }) => of).toSorted();
      return { effect, about, text, count: names.length, examples: names.slice(0, EXAMPLES_MAX) };
    })
    .toSorted((a, b) => EFFECTS.indexOf(a.effect) - EFFECTS.indexOf(b.effect));
}
