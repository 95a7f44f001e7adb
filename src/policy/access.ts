/** access.yaml's rules: any deny wins, else one allow must match. */
import { type AccessParts, type AccessRule, hasLabels } from './access-rules.ts';
import type { CompiledModels } from './catalog.ts';
import type { Document } from './documents.ts';
import { type Known, refer, referAll } from './names.ts';
import type { Problems } from './problem.ts';
import type { AccessFile } from './schema.ts';
import type { Path, Source } from './source.ts';

export interface AccessContext {
  readonly models: CompiledModels;
  readonly routes: Known;
  readonly classes: Known;
  readonly problems: Problems;
}

/** The rules, denies before allows, and what is shut out. Plain data: `accessRules` judges by it. */
export function compileAccess(document: Document<AccessFile>, context: AccessContext): AccessParts {
  lintCallers(document, context);
  const { accounts = [], credentials = [], actors = [], models = [] } = document.data.blocked ?? {};
  return { rules: compileRules(document, context), blocked: { accounts, credentials, actors, models } };
}

function compileRules({ source, data }: Document<AccessFile>, context: AccessContext): readonly AccessRule[] {
  const rules: AccessRule[] = [];
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
      accounts: match.accounts,
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
): Pick<AccessRule, 'models' | 'said'> {
  const labels = match.model_labels;
  if (match.models === undefined && labels === undefined) return { models: undefined, said: undefined };
  const at = { source, path: [...path, 'models'], said: deny };
  const named = match.models === undefined ? undefined : models.resolve(match.models, at);
  const canonical = new Set<string>();
  for (const model of models.catalog.byName.values()) {
    if ((named === undefined || named.has(model.name)) && hasLabels(model, labels)) canonical.add(model.name);
  }
  if (match.models === undefined) return { models: canonical, said: undefined };
  return { models: canonical, said: { patterns: match.models, labels } };
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
