/** What nobody will ever reach, though nothing is wrong with it: warnings about a bundle without errors. */
import { chainOf } from './account-resolver.ts';
import { parseDigest } from './digest.ts';
import type { Documents } from './documents.ts';
import type { Policy } from './policy.ts';
import type { Problems } from './problem.ts';
import type { Settings } from './settings.ts';

/** Accounts that bought something and that no rule lets in; rules about accounts that are not there; steps that no rule lets be taken. */
export function lintReach(documents: Documents, policy: Policy, problems: Problems): void {
  const declared = documents.accounts.flatMap(({ data }) => Object.keys(data));
  lintAccounts(documents, policy, problems);
  lintRules(documents, { policy, declared }, problems);
  lintSteps(documents, { policy, declared }, problems);
}

/** Keys under a pepper that `settings` do not name: told once for each version. A revoked key needs none. */
export function lintPeppers({ keys }: Documents, { peppers }: Settings, problems: Problems): void {
  const told = new Set<string>();
  for (const { source, data } of keys) {
    for (const [id, { digest, revoked = false }] of Object.entries(data)) {
      const pepper = parseDigest(digest)?.pepper;
      if (pepper === undefined || revoked || peppers.has(pepper) || told.has(pepper)) continue;
      told.add(pepper);
      problems.report('credential-pepper', source.at([id, 'digest']), {
        text: `tollgate.yaml names no pepper \`${pepper}\`; keys under it are refused`,
      });
    }
  }
}

/** Told at the topmost account of those that no rule lets in. */
function lintAccounts({ access, accounts }: Documents, policy: Policy, problems: Problems): void {
  if (policy.enforce !== 'on') return;
  const allows = access.data.rules.flatMap(({ allow, enforce }) => (enforce === 'off' ? [] : (allow?.accounts ?? [])));
  if (allows.includes('**')) return;
  const exact = new Set(allows.filter((pattern) => !isBelow(pattern)));
  const below = new Set(allows.filter(isBelow).map(baseOf));
  const above = new Set(allows.flatMap((pattern) => chainOf(baseOf(pattern))));
  const isReached = (path: string): boolean =>
    exact.has(path) || above.has(path) || chainOf(path).some((each) => below.has(each));
  const isLeftOut = (path: string): boolean => policy.account(path)?.plan !== undefined && !isReached(path);
  for (const { source, data } of accounts) {
    for (const path of Object.keys(data)) {
      const [, ...parents] = chainOf(path);
      if (!isLeftOut(path) || parents.some(isLeftOut)) continue;
      problems.report('account-unreached', source.at([path], 'key'), {
        text: 'no allow rule of access.yaml matches this account or one below it; all its calls are refused',
      });
    }
  }
}

function lintRules(
  { access: { source, data } }: Documents,
  { policy, declared }: { readonly policy: Policy; readonly declared: readonly string[] },
  problems: Problems,
): void {
  const above = new Set(declared.flatMap(chainOf));
  const matches = (pattern: string): boolean => {
    const base = baseOf(pattern);
    return pattern === '**' || policy.account(base) !== undefined || (isBelow(pattern) && above.has(base));
  };
  for (const [index, { deny, allow, enforce }] of data.rules.entries()) {
    if (enforce === 'off') continue;
    for (const [at, pattern] of (deny ?? allow)?.accounts.entries() ?? []) {
      if (matches(pattern)) continue;
      const path = ['rules', index, deny === undefined ? 'allow' : 'deny', 'accounts', at];
      problems.report('rule-vain', source.at(path), {
        text: `no declared account matches \`${pattern}\``,
        misspelt: { name: baseOf(pattern), known: declared },
      });
    }
  }
}

/** A step of a ladder to a model that access.yaml clears for none of the plan's accounts, on none of its routes. */
function lintSteps(
  { plans: { source, data } }: Documents,
  { policy, declared }: { readonly policy: Policy; readonly declared: readonly string[] },
  problems: Problems,
): void {
  if (policy.enforce !== 'on') return;
  const holders = Map.groupBy(declared, (path) => policy.account(path)?.plan?.name);
  for (const [name, { ladder = [] }] of Object.entries(data.plans)) {
    const accounts = holders.get(name) ?? [];
    const sold = accounts.length === 0 ? [] : policy.account(accounts[0]!)!.plan!.entitlements;
    for (const [index, { use }] of ladder.entries()) {
      const model = policy.models.byName.get(use);
      const routes = new Set(sold.filter(({ models }) => models.has(use)).flatMap((each) => [...each.routes]));
      if (model === undefined || routes.size === 0) continue;
      const isCleared = (account: string): boolean =>
        [...routes].some((route) => {
          const question = { account, credential: '', actor: undefined, route, model, said: use };
          return policy.access.judge(question).outcome === 'allowed';
        });
      if (accounts.some(isCleared)) continue;
      problems.report('ladder-uncleared', source.at(['plans', name, 'ladder', index, 'use']), {
        text: `access.yaml clears model \`${use}\` for no account of this plan; the step is skipped`,
      });
    }
  }
}

function isBelow(pattern: string): boolean {
  return pattern.endsWith('/**');
}

function baseOf(pattern: string): string {
  return isBelow(pattern) ? pattern.slice(0, -3) : pattern;
}
