/** models.yaml: what stands behind the gateway, and the names by which models are asked for and answer. */
import { LRUCache } from 'lru-cache';
import type { Document } from './documents.ts';
import { compileGlob, type Matcher } from './glob.ts';
import { type Known, refer } from './names.ts';
import type { Model, ModelCatalog } from './policy.ts';
import { type Problems, show } from './problem.ts';
import { parseCount } from './quantity.ts';
import type { ModelsFile } from './schema.ts';
import type { Path, Source } from './source.ts';

/** Answered names come from providers; this many are remembered. */
const ANSWERED_MAX = 10_000;

export interface CompiledModels {
  readonly catalog: ModelCatalog;
  readonly known: Known;
  readonly providers: Known;
  /** Names of the models that any of the patterns matches. A literal name that is not declared is reported at its place. */
  resolve(patterns: readonly string[], at: { readonly source: Source; readonly path: Path }): ReadonlySet<string>;
}

export function compileModels(document: Document<ModelsFile>, problems: Problems): CompiledModels {
  const { source, data } = document;
  const providers: Known = {
    what: 'a provider',
    names: new Map(Object.entries(data.providers)),
    broken: source.dropped,
    file: source.file,
  };
  const byName = new Map<string, Model>();
  for (const [name, entry] of Object.entries(data.models)) {
    const path = ['models', name];
    refer(entry.provider, providers, { source, path: [...path, 'provider'], owned: true }, problems);
    const outputMax = parseCount(entry.output_max) ?? 0;
    const outputAssumed = entry.output_assumed === undefined ? outputMax : (parseCount(entry.output_assumed) ?? 0);
    if (outputMax === 0)
      problems.report('amount-range', source.at([...path, 'output_max']), {
        expected: 'a count above 0',
        found: '`0`',
      });
    else if (outputAssumed === 0 || outputAssumed > outputMax) {
      problems.report('amount-range', source.at([...path, 'output_assumed']), {
        expected: `a count from 1 to \`output_max\` (${outputMax})`,
        found: show(entry.output_assumed),
      });
    }
    const dialects = Object.hasOwn(data.providers, entry.provider) ? data.providers[entry.provider]!.dialects : [];
    byName.set(
      name,
      Object.freeze({
        name,
        provider: entry.provider,
        labels: Object.freeze({ ...entry.labels }),
        outputMax,
        outputAssumed,
        dialects: new Set(dialects),
      }),
    );
  }
  const known: Known = { what: 'a model', names: byName, broken: source.dropped, file: source.file };
  const catalog = Object.freeze({
    byName,
    asked: compileAsked(document, byName, problems),
    answered: compileAnswered(document, byName, problems),
  });
  const resolve: CompiledModels['resolve'] = (patterns, at) => {
    const found = new Set<string>();
    for (const [index, pattern] of patterns.entries()) {
      if (!pattern.includes('*')) {
        const reference = { source: at.source, path: [...at.path, index], owned: false };
        if (refer(pattern, known, reference, problems)) found.add(pattern);
        continue;
      }
      const matches = compileGlob(pattern);
      for (const name of byName.keys()) if (matches(name)) found.add(name);
    }
    return found;
  };
  return { catalog, known, providers, resolve };
}

/** Exact names: a model's own, then `callers_say`. One name means one model. */
function compileAsked(
  { source, data }: Document<ModelsFile>,
  byName: ReadonlyMap<string, Model>,
  problems: Problems,
): ModelCatalog['asked'] {
  const asked = new Map(byName);
  for (const [name, { callers_say: said = [] }] of Object.entries(data.models)) {
    for (const [index, word] of said.entries()) {
      const other = asked.get(word);
      if (other !== undefined) {
        problems.report('model-ambiguous', source.at(['models', name, 'callers_say', index]), {
          text: `\`${word}\` already means model \`${other.name}\``,
        });
      }
      asked.set(word, byName.get(name)!);
    }
  }
  return (name) => asked.get(name);
}

/** A model's own name, then exact `provider_says`, then patterns; an answer that two models claim means neither. */
function compileAnswered(
  { source, data }: Document<ModelsFile>,
  byName: ReadonlyMap<string, Model>,
  problems: Problems,
): ModelCatalog['answered'] {
  const exact = new Map(byName);
  const globs: { matches: Matcher; model: Model }[] = [];
  for (const [name, { provider_says: said = [] }] of Object.entries(data.models)) {
    const model = byName.get(name)!;
    for (const [index, pattern] of said.entries()) {
      const at = source.at(['models', name, 'provider_says', index]);
      if (pattern.includes('*')) {
        const matches = compileGlob(pattern);
        globs.push({ matches, model });
        const other = [...byName.keys()].find((each) => each !== name && matches(each));
        if (other !== undefined)
          problems.report('model-ambiguous', at, { text: `\`${pattern}\` also matches model \`${other}\`` });
      } else if (exact.has(pattern) && exact.get(pattern) !== model) {
        problems.report('model-ambiguous', at, {
          text: `\`${pattern}\` already means model \`${exact.get(pattern)!.name}\``,
        });
      } else exact.set(pattern, model);
    }
  }
  const seen = new LRUCache<string, { readonly model: Model | undefined }>({ max: ANSWERED_MAX });
  return (name) => {
    const known = exact.get(name) ?? seen.get(name)?.model;
    if (known !== undefined || seen.has(name) || name.length > 128) return known;
    const claims = new Set(globs.filter(({ matches }) => matches(name)).map(({ model }) => model));
    const model = claims.size === 1 ? [...claims][0] : undefined;
    seen.set(name, { model });
    return model;
  };
}
