/** Holds a parsed file to its schema and says in the bundle's own words what does not fit. */
import type * as z from 'zod';
import { type Problems, show } from './problem.ts';
import type { RuleId } from './rules.ts';
import type { Path, Source } from './source.ts';

type Issue = z.core.$ZodIssue;

/** Keys whose absence has a rule of its own. */
const MISSING: ReadonlyMap<string, RuleId> = new Map([
  ['owner', 'owner-missing'],
  ['prices', 'price-missing'],
  ['input', 'price-missing'],
  ['output', 'price-missing'],
]);

/** Keys whose values may be secrets put into the wrong place. */
const HIDDEN: ReadonlySet<string> = new Set(['digest']);

/** Taking out what is wrong lays bare what is wrong around it, level by level; the grammar is not deeper. */
const ROUNDS_MAX = 12;

/**
 * The file's content as `schema` types it. What does not fit is reported and dropped, so that the rest can still be judged;
 * undefined: nothing of it can.
 */
export function validate<T extends z.ZodType>(source: Source, schema: T, problems: Problems): z.infer<T> | undefined {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const result = schema.safeParse(source.value);
    if (result.success) return result.data;
    const issues = flatten(result.error.issues, schema, source, []);
    if (round === 0) for (const issue of issues) report(issue, source, problems);
    let dropped = fillOwner(source, issues);
    // Backwards, so that the places of list items yet to be dropped do not move.
    for (const path of issues.flatMap((each) => culprits(each, source)).toSorted(byPathDescending))
      dropped = source.drop(path) || dropped;
    if (!dropped) return undefined;
  }
  return undefined;
}

/** An issue at its full path, with the schema that stands there. */
interface Found {
  readonly issue: Issue;
  readonly path: Path;
  readonly schema: z.core.$ZodType | undefined;
}

function flatten(issues: readonly Issue[], schema: z.core.$ZodType, source: Source, base: Path): Found[] {
  return issues.flatMap((issue) => {
    const path: Path = [...base, ...(issue.path as Path)];
    const there = schemaAt(schema, issue.path as Path, source, base);
    if (issue.code === 'invalid_union' && there !== undefined && described(there) === undefined) {
      const branches = inner(there)._zod.def as z.core.$ZodUnionDef;
      const index = branches.options.indexOf(branch(branches.options, source.get(path)));
      return flatten(issue.errors[index] ?? [], branches.options[index]!, source, path);
    }
    return [{ issue, path, schema: there }];
  });
}

function report({ issue, path, schema }: Found, source: Source, problems: Problems): void {
  if (issue.code === 'unrecognized_keys') {
    const known = schema === undefined ? [] : keysOf(schema);
    for (const key of issue.keys) {
      problems.report('key-unknown', source.at([...path, key], 'key'), {
        text: `unknown key \`${key.slice(0, 60)}\``,
        misspelt: { name: key, known },
      });
    }
    return;
  }
  const value = source.get(path);
  if (issue.code === 'invalid_key') {
    const expected = schema === undefined ? 'another key' : (described(keySchema(schema)) ?? 'another key');
    problems.report('value-wrong', source.at(path, 'key'), { expected, found: show(path.at(-1)) });
    return;
  }
  const expected = described(schema) ?? mappingText(schema) ?? 'another value';
  if (value === undefined) {
    const key = String(path.at(-1));
    problems.report(MISSING.get(key) ?? 'key-missing', source.at(path.slice(0, -1), 'key'), {
      text: `missing key \`${key}\`: expected ${expected}`,
    });
    return;
  }
  const options = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  problems.report(
    issue.code === 'invalid_type' || issue.code === 'invalid_union' ? 'type-wrong' : 'value-wrong',
    source.at(path),
    {
      expected: lengths(issue) ?? expected,
      found: HIDDEN.has(String(path.at(-1))) ? 'another text' : show(value),
      misspelt: typeof value === 'string' ? { name: value, known: options } : undefined,
    },
  );
}

function lengths(issue: Issue): string | undefined {
  if (issue.code === 'too_small' && issue.origin === 'array') return `at least ${issue.minimum} entry`;
  if (issue.code === 'too_big' && issue.origin === 'array') return `at most ${issue.maximum} entries`;
  return undefined;
}

/** A file that lacks only its owner is judged as if it had one. */
function fillOwner(source: Source, issues: readonly Found[]): boolean {
  if (!issues.some(({ path }) => path.length === 1 && path[0] === 'owner' && source.get(path) === undefined))
    return false;
  source.fill('owner', 'nobody@invalid');
  return true;
}

/** What must go for the rest to be judged: unknown keys, the wrong value, or what lacks a key. */
function culprits({ issue, path }: Found, source: Source): Path[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...path, key]);
  return [source.get(path) === undefined ? path.slice(0, -1) : path];
}

function byPathDescending(a: Path, b: Path): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i]!, b[i]!];
    if (x === y) continue;
    if (typeof x === 'number' && typeof y === 'number') return y - x;
    return String(x) < String(y) ? 1 : -1;
  }
  return b.length - a.length;
}

function inner(schema: z.core.$ZodType): z.core.$ZodType {
  const def = schema._zod.def as { type: string; innerType?: z.core.$ZodType };
  return def.type === 'optional' && def.innerType !== undefined ? inner(def.innerType) : schema;
}

function described(schema: z.core.$ZodType | undefined): string | undefined {
  return schema === undefined ? undefined : (inner(schema) as z.ZodType).description;
}

function keysOf(schema: z.core.$ZodType): readonly string[] {
  const def = inner(schema)._zod.def as { type: string; shape?: Record<string, unknown> };
  return def.type === 'object' && def.shape !== undefined ? Object.keys(def.shape) : [];
}

/** A mapping in the words of `expected …`: by its keys. */
function mappingText(schema: z.core.$ZodType | undefined): string | undefined {
  const keys = schema === undefined ? [] : keysOf(schema);
  return keys.length === 0 ? undefined : `a mapping of \`${keys.join('`, `')}\``;
}

function keySchema(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const def = inner(schema)._zod.def as { type: string; keyType?: z.core.$ZodType };
  return def.keyType;
}

/** The schema at `path` below `schema`; a union is followed into the branch that the value means. */
function schemaAt(schema: z.core.$ZodType, path: Path, source: Source, base: Path): z.core.$ZodType | undefined {
  let current: z.core.$ZodType | undefined = schema;
  for (const [index, part] of path.entries()) {
    if (current === undefined) return undefined;
    let def = inner(current)._zod.def as Partial<z.core.$ZodUnionDef> & {
      shape?: Record<string, z.core.$ZodType>;
      valueType?: z.core.$ZodType;
      element?: z.core.$ZodType;
    };
    if (def.options !== undefined) {
      const chosen = branch(def.options, source.get([...base, ...path.slice(0, index)]));
      def = inner(chosen)._zod.def as typeof def;
    }
    current = def.shape?.[String(part)] ?? def.valueType ?? def.element;
  }
  return current;
}

/** The branch that a value was meant for: the first mapping whose first key it has, else the last. */
function branch(options: readonly z.core.$ZodType[], value: unknown): z.core.$ZodType {
  const meant = options.find((option) => {
    const [first] = keysOf(option);
    return first !== undefined && typeof value === 'object' && value !== null && first in value;
  });
  return meant ?? options.at(-1)!;
}
