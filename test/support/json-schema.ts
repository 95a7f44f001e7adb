/** As much of a JSON Schema validator (2020-12) as docs/schema needs. A keyword that it does not know is an error, not a pass. */

export interface Schema {
  readonly [keyword: string]: unknown;
}

/** What does not fit, and where: keys joined by dots, `[0]` for entries of lists. */
export interface Misfit {
  readonly path: string;
  readonly keyword: string;
}

/** Keywords that say something without demanding it. */
const SILENT = new Set(['$schema', 'title', 'description', 'examples']);

/** Judges `value` under one keyword; answers where it does not fit. */
type Judge = (value: unknown, argument: never, schema: Schema, path: string) => readonly Misfit[];

const JUDGES: Readonly<Record<string, Judge>> = {
  type: (value, types: string | readonly string[], _, path) =>
    fit(
      [types].flat().some((type) => isOfType(value, type)),
      path,
      'type',
    ),
  enum: (value, values: readonly unknown[], _, path) => fit(values.includes(value), path, 'enum'),
  pattern: (value, pattern: string, _, path) =>
    fit(typeof value !== 'string' || new RegExp(pattern, 'u').test(value), path, 'pattern'),
  minLength: (value, min: number, _, path) =>
    fit(typeof value !== 'string' || [...value].length >= min, path, 'minLength'),
  maxLength: (value, max: number, _, path) =>
    fit(typeof value !== 'string' || [...value].length <= max, path, 'maxLength'),
  minimum: (value, min: number, _, path) => fit(typeof value !== 'number' || value >= min, path, 'minimum'),
  maximum: (value, max: number, _, path) => fit(typeof value !== 'number' || value <= max, path, 'maximum'),
  minItems: (value, min: number, _, path) => fit(!Array.isArray(value) || value.length >= min, path, 'minItems'),
  maxItems: (value, max: number, _, path) => fit(!Array.isArray(value) || value.length <= max, path, 'maxItems'),
  items: (value, item: Schema, _, path) =>
    Array.isArray(value) ? value.flatMap((each, index) => misfits(each, item, `${path}[${index}]`)) : [],
  required: (value, keys: readonly string[], _, path) =>
    isMapping(value)
      ? keys.filter((key) => !Object.hasOwn(value, key)).map((key) => ({ path: below(path, key), keyword: 'required' }))
      : [],
  properties: (value, properties: Readonly<Record<string, Schema>>, _, path) =>
    entriesOf(value).flatMap(([key, each]) =>
      Object.hasOwn(properties, key) ? misfits(each, properties[key]!, below(path, key)) : [],
    ),
  additionalProperties: (value, rest: boolean | Schema, { properties = {} }, path) =>
    entriesOf(value)
      .filter(([key]) => !Object.hasOwn(properties as object, key))
      .flatMap(([key, each]) =>
        typeof rest === 'object'
          ? misfits(each, rest, below(path, key))
          : fit(rest, below(path, key), 'additionalProperties'),
      ),
  propertyNames: (value, names: Schema, _, path) =>
    entriesOf(value).flatMap(([key]) => misfits(key, names, below(path, key))),
  anyOf: (value, options: readonly Schema[], _, path) =>
    fit(
      options.some((option) => misfits(value, option).length === 0),
      path,
      'anyOf',
    ),
};

/** Everything in `value` that does not fit `schema`; empty: it is valid. Throws at a keyword that is not known here. */
export function misfits(value: unknown, schema: Schema, path = ''): readonly Misfit[] {
  return Object.entries(schema).flatMap(([keyword, argument]) => {
    if (SILENT.has(keyword)) return [];
    const judge = Object.hasOwn(JUDGES, keyword) ? JUDGES[keyword] : undefined;
    if (judge === undefined) throw new Error(`keyword \`${keyword}\` is not known`);
    return judge(value, argument as never, schema, path);
  });
}

function fit(fits: boolean, path: string, keyword: string): readonly Misfit[] {
  return fits ? [] : [{ path, keyword }];
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'object') return isMapping(value);
  if (type === 'array') return Array.isArray(value);
  return type === (value === null ? 'null' : typeof value);
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return isMapping(value) ? Object.entries(value) : [];
}

function below(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
