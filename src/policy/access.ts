/** access.yaml's rules: any deny wins, else one allow must match. */
import { LRUCache } from 'lru-cache';
import type { CompiledModels } from './catalog.ts';
import type { Document } from './documents.ts';
import { compileAccountPatterns, compileGlobs, type Matcher } from './glob.ts';
import { type Known, refer, referAll } from './names.ts';
import type { AccessAnswer, AccessQuestion, AccessRules, Model } from './policy.ts';
import type { Problems } from './problem.ts';
import type { AccessFile } from './schema.ts';
import type { Path, Source } from './source.ts';

export interface AccessContext {
  readonly models: CompiledModels;
  readonly routes: Known;
  readonly classes: Known;
  readonly problems: Problems;
}

interface Rule {
  readonly name: string;
  readonly reason: string | undefined;
  readonly deny: boolean;
  /** A deny that only records. */
  readonly observe: boolean;
  readonly accounts: Matcher;
  readonly routes: ReadonlySet<string> | undefined;
  /** Canonical names that `models` and `model_labels` leave; undefined: any model, or none. */
  readonly models: ReadonlySet<string> | undefined;
  /** Matches what the caller said; undefined where the rule names no models. */
  readonly said: Matcher | undefined;
}

/** Accounts whose rules are remembered. */
const ACCOUNTS_MAX = 10_000;

export function compileAccess({ source, data }: Document<AccessFile>, context: AccessContext): AccessRules {
  lintCallers({ source, data }, context);
  const rules = compileRules({ source, data }, context);
  const blocked = compileBlocked(data.blocked);
  const byAccount = new LRUCache<string, readonly Rule[]>({ max: ACCOUNTS_MAX });
  const rulesOf = (account: string): readonly Rule[] => {
    const known = byAccount.get(account);
    if (known !== undefined) return known;
    const found = rules.filter(({ accounts }) => accounts(account));
    byAccount.set(account, found);
    return found;
  };
  return Object.freeze({
    judge: (question: AccessQuestion): AccessAnswer => {
      const what = blocked(question);
      return what === undefined ? judge(question, rulesOf(question.account)) : { outcome: 'blocked', what };
    },
  });
}

/** Denies stand before allows in `rules`. */
function judge(question: AccessQuestion, rules: readonly Rule[]): AccessAnswer {
  let observed: { readonly rule: string; readonly reason: string | undefined } | undefined;
  for (const rule of rules) {
    if (!matches(rule, question)) continue;
    if (!rule.deny)
      return observed === undefined
        ? { outcome: 'allowed', rule: rule.name }
        : { outcome: 'allowed', rule: rule.name, observed };
    if (!rule.observe) return { outcome: 'denied', rule: rule.name, reason: rule.reason };
    observed ??= { rule: rule.name, reason: rule.reason };
  }
  return { outcome: 'unlisted' };
}

/** A rule that names models does not speak of calls without one. */
function matches({ routes, models, said, deny }: Rule, question: AccessQuestion): boolean {
  if (routes !== undefined && !routes.has(question.route)) return false;
  if (models === undefined) return true;
  const { model } = question;
  if (model !== undefined && models.has(model.name)) return true;
  return deny && said !== undefined && question.said !== undefined && said(question.said);
}

function compileRules({ source, data }: Document<AccessFile>, context: AccessContext): readonly Rule[] {
  const rules: Rule[] = [];
  const seen = new Set<string>();
  for (const [index, entry] of data.rules.entries()) {
    const path = ['rules', index];
    if (seen.has(entry.name)) {
      context.problems.report('name-duplicate', source.at([...path, 'name']), {
        text: `a rule \`${entry.name}\` stands above`,
      });
    }
    seen.add(entry.name);
    const match = entry.deny ?? entry.allow;
    if (match === undefined || (entry.deny !== undefined && entry.allow !== undefined)) {
      context.problems.report('rule-form', source.at(path), { text: 'a rule has either `allow` or `deny`' });
      continue;
    }
    const deny = entry.deny !== undefined;
    const at = { source, path: [...path, deny ? 'deny' : 'allow'] };
    const { problems } = context;
    if (entry.enforce === 'off') continue;
    rules.push({
      name: entry.name,
      reason: entry.reason,
      deny,
      observe: entry.enforce === 'observe',
      accounts: compileAccountPatterns(match.accounts),
      routes: referAll(match.routes, context.routes, { ...at, path: [...at.path, 'routes'], owned: false }, problems),
      ...compileModelMatch(match, { ...at, deny }, context),
    });
  }
  return [...rules.filter(({ deny }) => deny), ...rules.filter(({ deny }) => !deny)];
}

function compileModelMatch(
  match: NonNullable<AccessFile['rules'][number]['deny']>,
  { source, path, deny }: { readonly source: Source; readonly path: Path; readonly deny: boolean },
  { models }: AccessContext,
): Pick<Rule, 'models' | 'said'> {
  const labels = match.model_labels;
  if (match.models === undefined && labels === undefined) return { models: undefined, said: undefined };
  const at = { source, path: [...path, 'models'], said: deny };
  const named = match.models === undefined ? undefined : models.resolve(match.models, at);
  const canonical = new Set<string>();
  for (const model of models.catalog.byName.values()) {
    if ((named === undefined || named.has(model.name)) && hasLabels(model, labels)) canonical.add(model.name);
  }
  if (match.models === undefined) return { models: canonical, said: undefined };
  const patterns = compileGlobs(match.models);
  // With labels beside the names, what was said must mean a model that has them.
  const said: Matcher = (word) => {
    if (!patterns(word)) return false;
    const model = models.catalog.asked(word);
    return labels === undefined || (model !== undefined && hasLabels(model, labels));
  };
  return { models: canonical, said };
}

function hasLabels(model: Model, labels: Readonly<Record<string, string>> | undefined): boolean {
  return Object.entries(labels ?? {}).every(
    ([key, value]) => Object.hasOwn(model.labels, key) && model.labels[key] === value,
  );
}

type Blocked = Extract<AccessAnswer, { outcome: 'blocked' }>['what'];

/** Accounts, credentials, actors and models that are shut out whatever the rules say. */
function compileBlocked(blocked: AccessFile['blocked']): (question: AccessQuestion) => Blocked | undefined {
  if (blocked === undefined) return () => undefined;
  const accounts = compileAccountPatterns(blocked.accounts ?? []);
  const credentials = new Set(blocked.credentials);
  const actors = new Set(blocked.actors);
  const models = compileGlobs(blocked.models ?? []);
  return ({ account, credential, actor, model, said }) => {
    if (accounts(account)) return 'account';
    if (credentials.has(credential)) return 'credential';
    if (actor !== undefined && actors.has(actor)) return 'actor';
    return (model !== undefined && models(model.name)) || (said !== undefined && models(said)) ? 'model' : undefined;
  };
}

/** Classes that issuers and certificates bind are platform's words. */
function lintCallers({ source, data }: Document<AccessFile>, { classes, problems }: AccessContext): void {
  for (const [name, issuer] of Object.entries(data.issuers ?? {})) {
    refer(issuer.class, classes, { source, path: ['issuers', name, 'class'], owned: false }, problems);
  }
  for (const [index, certificate] of (data.certificates ?? []).entries()) {
    refer(certificate.class, classes, { source, path: ['certificates', index, 'class'], owned: false }, problems);
  }
}
