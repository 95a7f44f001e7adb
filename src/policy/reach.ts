/** What nobody will ever reach, though nothing is wrong with it: warnings about a bundle without errors. */
import { chainOf } from './accounts.ts';
import { parseDigest } from './digest.ts';
import type { Documents } from './documents.ts';
import type { Policy } from './policy.ts';
import type { Problems } from './problem.ts';
import type { Settings } from './settings.ts';

/** Accounts that bought something and that no rule lets in; rules about accounts that are not there. */
export function lintReach(documents: Documents, policy: Policy, problems: Problems): void {
  const declared = documents.accounts.flatMap(({ data }) => Object.keys(data));
  lintAccounts(documents, policy, problems);
  lintRules(documents, { policy, declared }, problems);
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

function isBelow(pattern: string): boolean {
  return pattern.endsWith('/**');
}

function baseOf(pattern: string): string {
  return isBelow(pattern) ? pattern.slice(0, -3) : pattern;
}
