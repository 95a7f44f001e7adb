/**
 * `npm run schemas`: writes docs/schema/*.schema.json, the JSON Schemas of a bundle's files for editors. The grammar is that
 * of src/policy, what a field means is that of docs/reference.md. They see one file at a time and say no more than its form;
 * `tollgate check` judges the bundle.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { BUNDLE_FILES, type Heading, introOf, LIMIT, rowsOf } from './reference.ts';

const ROOT = join(import.meta.dirname, '..');
const DIRECTORY = 'docs/schema';

type Node = z.core.JSONSchema.BaseSchema;

/** What docs/reference.md says of the field at a path of its notation; undefined: nothing. */
type Meanings = (path: string) => string | undefined;

/** Text of every schema file by its path in the repository. Pure but for reading docs/reference.md. */
export function schemaTexts(): ReadonlyMap<string, string> {
  const page = readFileSync(join(ROOT, 'docs/reference.md'), 'utf8');
  const headings = Object.keys(BUNDLE_FILES) as Heading[];
  return new Map(
    headings.map((heading) => [schemaPath(heading), `${JSON.stringify(schemaOf(page, heading), null, 2)}\n`]),
  );
}

/** `accounts/*.yaml` is docs/schema/accounts.schema.json. */
export function schemaPath(heading: Heading): string {
  return `${DIRECTORY}/${heading.replace(/(\/\*)?\.yaml$/, '')}.schema.json`;
}

function schemaOf(page: string, heading: Heading): Node {
  const grammar = z.toJSONSchema(BUNDLE_FILES[heading], {
    target: 'draft-2020-12',
    io: 'input',
    // A number with a fraction is a class of ours; its form says what it is.
    unrepresentable: 'any',
    override: ({ jsonSchema }) => tidy(jsonSchema),
  });
  explain(grammar, '', meaningsOf(page, heading));
  const { $schema, ...rest } = grammar;
  return {
    ...($schema === undefined ? {} : { $schema }),
    title: `Tollgate: ${heading}`,
    ...rest,
    description: plain(introOf(page, heading)),
  };
}

/** A form that says its type says it whole; bounds of safe integers say nothing to whoever writes the file. */
function tidy(schema: Node): void {
  if (schema.type !== undefined) delete schema.anyOf;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  const examples = examplesOf(schema);
  if (examples.length > 0) schema.examples = examples;
}

/** What follows the word `like` in a form: `30s` and `15m` of "a length of time like `30s` or `15m`". */
function examplesOf({ type, description = '' }: Node): (string | number)[] {
  const types: readonly unknown[] = [type].flat();
  if (!types.some((each) => each === 'string' || each === 'number')) return [];
  const listed = /\blike ((?:`[^`]+`(?:, | or |, or )?)+)/.exec(description)?.[1] ?? '';
  const texts = [...listed.matchAll(/`([^`]+)`/g)].map(([, example]) => example!);
  return texts.map((text) =>
    (types.length === 1 && types[0] === 'string') || !/^[0-9.]+$/.test(text) ? text : Number(text),
  );
}

/** Puts what a field means before how it is written, at every field below `path`. */
function explain(schema: Node, path: string, meanings: Meanings): void {
  const enter = (each: Node['items'] | Node['additionalProperties'], below: string): void => {
    if (typeof each === 'object' && !Array.isArray(each)) explain(each, below, meanings);
  };
  for (const [key, field] of Object.entries(schema.properties ?? {})) {
    if (typeof field === 'boolean') continue;
    const below = path === '' ? key : `${path}.${key}`;
    explain(field, below, meanings);
    const said = [meanings(below), field.description].filter((each) => each !== undefined);
    if (said.length > 0) field.description = said.join('\n\n');
  }
  for (const option of schema.anyOf ?? []) enter(option, path);
  enter(schema.items, `${path}[]`);
  enter(schema.additionalProperties, path === '' ? 'NAME' : `${path}.NAME`);
}

/** The meanings of one file. What another row or section lists (`see …`) is looked up there. */
function meaningsOf(page: string, heading: Heading): Meanings {
  const texts = new Map<string, string>();
  const sections = [
    { prefix: '', rows: rowsOf(page, heading) },
    { prefix: `${LIMIT.link}.`, rows: rowsOf(page, LIMIT.heading) },
  ];
  const elsewhere: { readonly from: string; readonly to: string }[] = [];
  for (const { prefix, rows } of sections) {
    for (const [field = '', , form = '', means = ''] of rows) {
      const path = prefix + field.slice(1, -1);
      texts.set(path, plain(means));
      const there = form.startsWith('see ') ? form.slice('see '.length) : undefined;
      if (there === LIMIT.link) elsewhere.push({ from: `${path}[].`, to: `${LIMIT.link}.` });
      else if (there !== undefined) elsewhere.push({ from: path, to: there.slice(1, -1) });
    }
  }
  return (path) => {
    const found = texts.get(path);
    if (found !== undefined) return found;
    const way = elsewhere.find(({ from }) => path.startsWith(from));
    return way === undefined ? undefined : texts.get(way.to + path.slice(way.from.length));
  };
}

/** Links lead nowhere from within an editor: their words stay. */
function plain(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1').replaceAll('\\|', '|');
}

if (import.meta.main) {
  for (const [path, text] of schemaTexts()) writeFileSync(join(ROOT, path), text);
}
