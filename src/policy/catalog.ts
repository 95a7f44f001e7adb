/** models.yaml: what stands behind the gateway, and the names by which models are asked for and answer. */
import type { Document } from './documents.ts';
import { compileGlob } from './glob.ts';
import { catalogOf, type ModelParts } from './model-catalog.ts';
import { type Known, refer } from './names.ts';
import { fitsPath, namesModelInPath } from './path-template.ts';
import type { Model, ModelCatalog } from './policy.ts';
import { type Problems, show } from './problem.ts';
import { parseCount } from './quantity.ts';
import type { ModelsFile } from './schema.ts';
import type { Path, Source } from './source.ts';

export interface CompiledModels {
  readonly parts: ModelParts;
  readonly catalog: ModelCatalog;
  readonly known: Known;
  readonly providers: Known;
  /**
   * Names of the models that any of the patterns matches. A literal name that is not declared is reported at its place;
   * with `said`, a word of callers is as good as a name, though it names no model here.
   */
  resolve(
    patterns: readonly string[],
    at: { readonly source: Source; readonly path: Path; readonly said?: boolean },
  ): ReadonlySet<string>;
}

export function compileModels(document: Document<ModelsFile>, problems: Problems): CompiledModels {
  const { source, data } = document;
  const declared = { broken: source.dropped, file: source.file };
  const providers: Known = { what: 'a provider', names: new Map(Object.entries(data.providers)), ...declared };
  const byName = new Map<string, Model>();
  for (const name of Object.keys(data.models)) {
    const reference = { source, path: ['models', name, 'provider'], owned: true };
    refer(data.models[name]!.provider, providers, reference, problems);
    byName.set(name, compileModel(name, document, problems));
  }
  const asked = compileAsked(document, byName, problems);
  const parts = { byName, asked, ...compileAnswered(document, byName, problems) };
  const catalog = catalogOf(parts);
  const known: Known = { what: 'a model', names: byName, ...declared };
  const words: Known = { ...known, names: asked };
  const resolve: CompiledModels['resolve'] = (patterns, { source: from, path, said }) => {
    const found = new Set<string>();
    for (const [index, pattern] of patterns.entries()) {
      const reference = { source: from, path: [...path, index], owned: false };
      if (!pattern.includes('*')) refer(pattern, said === true ? words : known, reference, problems);
      const matches = compileGlob(pattern);
      for (const name of byName.keys()) if (matches(name)) found.add(name);
    }
    return found;
  };
  return { parts, catalog, known, providers, resolve };
}

function compileModel(name: string, { source, data }: Document<ModelsFile>, problems: Problems): Model {
  const { provider, labels, output_max: max, output_assumed: assumed } = data.models[name]!;
  const outputMax = parseCount(max) ?? 0;
  const outputAssumed = assumed === undefined ? outputMax : (parseCount(assumed) ?? 0);
  if (outputMax === 0) {
    const place = source.at(['models', name, 'output_max']);
    problems.report('amount-range', place, { expected: 'a count above 0', found: '`0`' });
  } else if (outputAssumed === 0 || outputAssumed > outputMax) {
    const expected = `a count from 1 to \`output_max\` (${outputMax})`;
    problems.report('amount-range', source.at(['models', name, 'output_assumed']), { expected, found: show(assumed) });
  }
  const dialects = new Set(Object.hasOwn(data.providers, provider) ? data.providers[provider]!.dialects : []);
  const byPath = [...dialects].find(namesModelInPath);
  if (byPath !== undefined && !fitsPath(name)) {
    const expected = `a name without \`/\`, as dialect \`${byPath}\` has the model in one segment of the path`;
    problems.report('value-wrong', source.at(['models', name], 'key'), { expected, found: show(name) });
  }
  return Object.freeze({
    name,
    provider,
    labels: Object.freeze({ ...labels }),
    outputMax,
    outputAssumed,
    dialects,
  });
}

/** Exact names: a model's own, then `callers_say`. One name means one model. */
function compileAsked(
  { source, data }: Document<ModelsFile>,
  byName: ReadonlyMap<string, Model>,
  problems: Problems,
): ReadonlyMap<string, Model> {
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
  return asked;
}

/** A model's own name, then exact `provider_says`, then patterns. */
function compileAnswered(
  { source, data }: Document<ModelsFile>,
  byName: ReadonlyMap<string, Model>,
  problems: Problems,
): Pick<ModelParts, 'exact' | 'patterns'> {
  const exact = new Map(byName);
  const patterns: { pattern: string; model: Model }[] = [];
  for (const [name, { provider_says: said = [] }] of Object.entries(data.models)) {
    const model = byName.get(name)!;
    for (const [index, pattern] of said.entries()) {
      const at = source.at(['models', name, 'provider_says', index]);
      if (pattern.includes('*')) {
        const matches = compileGlob(pattern);
        patterns.push({ pattern, model });
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
  return { exact, patterns };
}
