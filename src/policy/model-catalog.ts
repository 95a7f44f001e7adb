/** Looks models up by the names that callers and providers use for them. */
import { LRUCache } from 'lru-cache';
import { compileGlob } from './glob.ts';
import type { Model, ModelCatalog } from './policy.ts';

/** models.yaml as it was compiled: plain data. Every model stands once, and is referred to. */
export interface ModelParts {
  readonly byName: ReadonlyMap<string, Model>;
  /** By a model's own name and its `callers_say`. */
  readonly asked: ReadonlyMap<string, Model>;
  /** By a model's own name and its `provider_says` without `*`. */
  readonly exact: ReadonlyMap<string, Model>;
  readonly patterns: readonly { readonly pattern: string; readonly model: Model }[];
}

/** Answered names come from providers; this many are remembered. */
const ANSWERED_MAX = 10_000;
const NAME_CHARS_MAX = 128;

/** An answer that the patterns of two models claim means neither. */
export function catalogOf({ byName, asked, exact, patterns }: ModelParts): ModelCatalog {
  const globs = patterns.map(({ pattern, model }) => ({ matches: compileGlob(pattern), model }));
  const seen = new LRUCache<string, { readonly model: Model | undefined }>({ max: ANSWERED_MAX });
  return Object.freeze({
    byName,
    asked: (name: string) => asked.get(name),
    answered: (name: string) => {
      const known = exact.get(name) ?? seen.get(name)?.model;
      if (known !== undefined || seen.has(name) || name.length > NAME_CHARS_MAX) return known;
      const claims = new Set(globs.filter(({ matches }) => matches(name)).map(({ model }) => model));
      const model = claims.size === 1 ? [...claims][0] : undefined;
      seen.set(name, { model });
      return model;
    },
  });
}
