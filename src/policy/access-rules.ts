/** Judges by access.yaml's rules as they were compiled: any deny wins, else one allow must match. */
import { LRUCache } from 'lru-cache';
import { compileAccountPatterns, compileGlobs, type Matcher } from './glob.ts';
import type { AccessAnswer, AccessQuestion, AccessRules, Model } from './policy.ts';

/** One rule, as plain data. */
export interface AccessRule {
  readonly name: string;
  readonly reason: string | undefined;
  readonly deny: boolean;
  /** A deny that only records. */
  readonly observe: boolean;
  readonly accounts: readonly string[];
  readonly routes: ReadonlySet<string> | undefined;
  /** Canonical names that `models` and `model_labels` leave; undefined: any model, or none. */
  readonly models: ReadonlySet<string> | undefined;
  /** What matches the caller's word; undefined where the rule names no models. */
  readonly said:
    | { readonly patterns: readonly string[]; readonly labels: Readonly<Record<string, string>> | undefined }
    | undefined;
}

export interface AccessParts {
  /** Denies stand before allows. */
  readonly rules: readonly AccessRule[];
  /** Accounts, credentials, actors and models that are shut out whatever the rules say. */
  readonly blocked: Readonly<Record<'accounts' | 'credentials' | 'actors' | 'models', readonly string[]>>;
}

interface Rule extends Omit<AccessRule, 'accounts' | 'said'> {
  readonly accounts: Matcher;
  readonly said: Matcher | undefined;
}

/** Accounts whose rules are remembered. */
const ACCOUNTS_MAX = 10_000;

/** `asked`: the model that a caller's word means. */
export function accessRules(parts: AccessParts, asked: (name: string) => Model | undefined): AccessRules {
  const rules = parts.rules.map((rule): Rule => {
    return { ...rule, accounts: compileAccountPatterns(rule.accounts), said: saidOf(rule, asked) };
  });
  const blocked = blockedOf(parts.blocked);
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

export function hasLabels(model: Model, labels: Readonly<Record<string, string>> | undefined): boolean {
  return Object.entries(labels ?? {}).every(
    ([key, value]) => Object.hasOwn(model.labels, key) && model.labels[key] === value,
  );
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

/** With labels beside the names, what was said must mean a model that has them. */
function saidOf({ said }: AccessRule, asked: (name: string) => Model | undefined): Matcher | undefined {
  if (said === undefined) return undefined;
  const patterns = compileGlobs(said.patterns);
  const { labels } = said;
  return (word) => {
    if (!patterns(word)) return false;
    const model = asked(word);
    return labels === undefined || (model !== undefined && hasLabels(model, labels));
  };
}

type Blocked = Extract<AccessAnswer, { outcome: 'blocked' }>['what'];

function blockedOf(blocked: AccessParts['blocked']): (question: AccessQuestion) => Blocked | undefined {
  if (Object.values(blocked).every((names) => names.length === 0)) return () => undefined;
  const accounts = compileAccountPatterns(blocked.accounts);
  const credentials = new Set(blocked.credentials);
  const actors = new Set(blocked.actors);
  const models = compileGlobs(blocked.models);
  return ({ account, credential, actor, model, said }) => {
    if (accounts(account)) return 'account';
    if (credentials.has(credential)) return 'credential';
    if (actor !== undefined && actors.has(actor)) return 'actor';
    return (model !== undefined && models(model.name)) || (said !== undefined && models(said)) ? 'model' : undefined;
  };
}
