/** References from one part of the bundle to another. */
import { type Problems, show } from './problem.ts';
import type { Path, Source } from './source.ts';

/** What may be referred to: `names` that are declared, and those that were but are themselves wrong. */
export interface Known {
  /** Completes "expected …": `a route`. */
  readonly what: string;
  readonly names: { has(name: string): boolean; keys(): Iterable<string> };
  readonly broken: ReadonlySet<string>;
  /** The file that declares them. */
  readonly file: string;
}

/** Where a reference stands. `owned`: both sides have the same owner, so that a dangling name is the file's own fault. */
export interface Reference {
  readonly source: Source;
  readonly path: Path;
  readonly owned: boolean;
}

/**
 * Whether `name` is declared. A dangling name is an error within one owner's files; elsewhere a warning, because no file
 * may block another's narrowing.
 */
export function refer(name: string, known: Known, reference: Reference, problems: Problems): boolean {
  if (known.names.has(name)) return true;
  if (known.broken.has(name)) return false;
  const { source, path, owned } = reference;
  problems.report(owned ? 'name-unknown' : 'name-elsewhere', source.at(path), {
    expected: `${known.what} of ${known.file}`,
    found: show(name),
    misspelt: { name, known: known.names.keys() },
  });
  return false;
}

/** The declared ones of `names`; undefined for undefined. */
export function referAll(
  names: readonly string[] | undefined,
  known: Known,
  reference: Reference,
  problems: Problems,
): ReadonlySet<string> | undefined {
  if (names === undefined) return undefined;
  const { path } = reference;
  return new Set(names.filter((name, index) => refer(name, known, { ...reference, path: [...path, index] }, problems)));
}
