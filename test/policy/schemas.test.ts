import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { DAY, parseDay } from '../../src/core/day.ts';
import { AMOUNT, isAmountFault, parseAmount } from '../../src/policy/amount.ts';
import { loadBundle } from '../../src/policy/bundle.ts';
import { ENDPOINT, parseEndpoint } from '../../src/policy/endpoint.ts';
import type { Problem } from '../../src/policy/problem.ts';
import { parsePercent } from '../../src/policy/quantity.ts';
import { isZone, ZONE, zoneNames } from '../../src/policy/zone.ts';
import { BUNDLE_FILES, type Heading } from '../../tools/reference.ts';
import { schemaPath, schemaTexts } from '../../tools/schemas.ts';
import { misfits, type Schema } from '../support/json-schema.ts';
import { BAD_BUNDLES } from './bad-bundles.ts';
import { BUNDLES, bundleWith } from './bundles.ts';

const ROOT = join(import.meta.dirname, '../..');
const SAMPLE = join(ROOT, 'envoy/bundle');

const HEADINGS = Object.keys(BUNDLE_FILES) as Heading[];
const SCHEMAS = new Map(
  HEADINGS.map((heading) => [heading, JSON.parse(readFileSync(join(ROOT, schemaPath(heading)), 'utf8')) as Schema]),
);

/** `accounts/acme.yaml` is one of `accounts/*.yaml`; undefined: no file of a bundle. */
function headingOf(file: string): Heading | undefined {
  const name = file.replace(/\.json$/, '.yaml');
  return HEADINGS.find((heading) => (heading.includes('*') ? dirname(name) === dirname(heading) : name === heading));
}

/** A file as an editor reads it: YAML 1.2 without our own rules; undefined: it cannot be read. */
function readAsEditor(path: string): unknown {
  try {
    return parse(readFileSync(path, 'utf8'), { logLevel: 'silent' });
  } catch {
    return undefined;
  }
}

function filesOf(
  dir: string,
): readonly { readonly file: string; readonly heading: Heading; readonly value: unknown }[] {
  return globSync('**/*.{yaml,json}', { cwd: dir }).flatMap((file) => {
    const heading = headingOf(file);
    return heading === undefined ? [] : [{ file, heading, value: readAsEditor(join(dir, file)) }];
  });
}

test('docs/schema is what `npm run schemas` writes', () => {
  const texts = schemaTexts();
  assert.deepEqual(globSync('docs/schema/*', { cwd: ROOT }).toSorted(), [...texts.keys()].toSorted());
  for (const [path, text] of texts) {
    assert.equal(readFileSync(join(ROOT, path), 'utf8'), text, `${path} is not current: run \`npm run schemas\``);
  }
});

for (const [name, dir] of [
  ['sample', SAMPLE],
  ['example', join(BUNDLES, 'example')],
  ['base', join(BUNDLES, 'base')],
] as const) {
  test(`schemas: every file of the ${name} bundle fits`, () => {
    const files = filesOf(dir);
    assert.ok(files.length >= 5);
    for (const { file, heading, value } of files) assert.deepEqual(misfits(value, SCHEMAS.get(heading)!), [], file);
  });
}

test('the first line of each sample names its schema', () => {
  const files = filesOf(SAMPLE);
  for (const { file, heading } of files) {
    const [first] = readFileSync(join(SAMPLE, file), 'utf8').split('\n');
    const path = relative(dirname(join(SAMPLE, file)), join(ROOT, schemaPath(heading)));
    assert.equal(first, `# yaml-language-server: $schema=${path}`, file);
  }
});

/** Every mapping with fixed keys in a value, with the schema that it fits. */
function* recordsOf(
  value: unknown,
  schema: Schema,
  path = '',
): Generator<{ readonly record: Record<string, unknown>; readonly path: string }> {
  if (typeof value !== 'object' || value === null) return;
  const options = (schema['anyOf'] as Schema[] | undefined) ?? [];
  const fitting = options.find((option) => misfits(value, option).length === 0) ?? schema;
  const properties = (fitting['properties'] ?? {}) as Readonly<Record<string, Schema>>;
  if (fitting['additionalProperties'] === false) yield { record: value as Record<string, unknown>, path };
  for (const [key, each] of Object.entries(value)) {
    const inner = properties[key] ?? fitting['items'] ?? fitting['additionalProperties'];
    if (typeof inner !== 'object') continue;
    yield* recordsOf(
      each,
      inner as Schema,
      Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`,
    );
  }
}

test('schemas: every key of the sample and of the example, misspelt, is refused', () => {
  let refused = 0;
  for (const { file, heading, value } of [...filesOf(SAMPLE), ...filesOf(join(BUNDLES, 'example'))]) {
    const schema = SCHEMAS.get(heading)!;
    for (const { record, path } of [...recordsOf(value, schema)]) {
      for (const [key, kept] of Object.entries(record)) {
        delete record[key];
        record[`${key}x`] = kept;
        // A price list is a mapping of models as well: there the whole of it does not fit.
        const places = misfits(value, schema).map((misfit) => misfit.path);
        const expected = path === '' ? `${key}x` : `${path}.${key}x`;
        assert.ok(
          places.some((place) => place === expected || (path.startsWith('prices.') && path.startsWith(place))),
          `${file}: ${expected}`,
        );
        delete record[`${key}x`];
        record[key] = kept;
        refused += 1;
      }
    }
    assert.deepEqual(misfits(value, schema), [], file);
  }
  assert.ok(refused > 200, `${refused}`);
});

/** Rules that speak of the form of one value or one mapping, which is what a schema sees. */
const OF_FORM = /^(key-unknown|key-missing|value-wrong|type-wrong|owner-missing|price-missing|amount-form)$/;
/** Bad bundles whose fault is one of form by its rule, and beyond a schema. Each with the reason. */
const BEYOND: Readonly<Record<string, string>> = {
  'boolean-word': 'YAML 1.2 reads `False` as false',
  'customer-without-owner': 'only the path of an account says whether it is a customer',
  'digest-wrong': 'the last character of 43 has bits that must be zero',
  'fraction-of-a-token': '`1.5 USD` and `1.5M tokens` are sound, `1.5 tokens` is not',
  'no-such-day': 'months differ in length',
  'price-missing': 'the models stand in another list',
  'prototype-key': 'a name like others',
  'settings-one-address': 'two values are the same',
  'unknown-timezone': 'zones are those of the runtime',
  'wrong-currency': 'the currency stands elsewhere in the file',
};

describe('schemas: bad bundles', () => {
  test('those beyond a schema are there', () => {
    assert.deepEqual(
      Object.keys(BEYOND).filter((name) => !(name in BAD_BUNDLES)),
      [],
    );
  });

  for (const name of Object.keys(BAD_BUNDLES)) {
    test(name, async (t) => {
      const dir = await bundleWith(t, { overlay: `bad/${name}` });
      const { problems } = await loadBundle(dir);
      for (const { file, heading, value } of filesOf(dir)) {
        if (value === undefined) continue;
        const found = misfits(value, SCHEMAS.get(heading)!);
        const ours = problems.filter((problem) => problem.file === file);
        if (ours.length === 0) assert.deepEqual(found, [], `${file} is sound, and refused`);
        for (const problem of ours.filter(({ rule }) => OF_FORM.test(rule))) {
          assert.equal(found.length > 0, BEYOND[name] === undefined, `${file}: ${problem.text}`);
          if (problem.rule === 'key-unknown' && BEYOND[name] === undefined)
            assert.ok(found.some(isOf(problem)), `${file}: ${problem.text}`);
        }
      }
    });
  }
});

/** Whether a misfit is what a problem of an unknown key tells. */
function isOf({ path }: Problem): (misfit: { readonly path: string; readonly keyword: string }) => boolean {
  return (misfit) => misfit.path === path && misfit.keyword === 'additionalProperties';
}

test('schemas: every example fits the form that it is an example of', () => {
  let seen = 0;
  const walk = (schema: unknown): void => {
    if (typeof schema !== 'object' || schema === null) return;
    const { examples = [] } = schema as { readonly examples?: readonly unknown[] };
    for (const example of examples) {
      assert.deepEqual(misfits(example, schema as Schema), [], String(example));
      seen += 1;
    }
    for (const each of Object.values(schema)) walk(each);
  };
  for (const schema of SCHEMAS.values()) walk(schema);
  assert.ok(seen > 50, `${seen}`);
});

/** Texts near the grammar: pieces of it in any order. */
function textsOf(...pieces: readonly string[]): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...pieces), { maxLength: 7 }).map((each) => each.join(''));
}

const DIGITS = ['0', '1', '7', '10', '28', '30', '31', '99', '2026', '2028'];
const FORMS: readonly [
  name: string,
  pattern: RegExp,
  accepts: (text: string) => boolean,
  texts: fc.Arbitrary<string>,
][] = [
  [
    'amount',
    AMOUNT,
    (text) => !isAmountFault(parseAmount(text, 'USD')),
    fc
      .tuple(
        textsOf(...DIGITS, '.', 'k', 'M'),
        fc.constantFrom('', ' USD', ' USD cost', ' usd', ' tokens', ' runs', ' in flight', ' charge', ' EUR'),
        fc.constantFrom('', ' per month', ' per 5m', ' per  day', ' per 0s', ' per day ', ' per'),
      )
      .map((parts) => parts.join('')),
  ],
  [
    'day',
    DAY,
    (text) => parseDay(text) !== undefined,
    fc
      .tuple(fc.constantFrom('2026', '2028', '0000', '26'), fc.nat({ max: 14 }), fc.nat({ max: 33 }))
      .map(([year, month, day]) => `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`),
  ],
  [
    'endpoint',
    ENDPOINT,
    (text) => parseEndpoint(text) !== undefined,
    textsOf('unix:', '@', '/run/a', '[', ']', '::1', ':', '127.0.0.1', 'localhost', ...DIGITS),
  ],
  ['zone', ZONE, isZone, fc.oneof(fc.constantFrom(...zoneNames()), textsOf('UTC', 'Europe', '/', 'Berlin', '+02:00'))],
];

for (const [name, pattern, accepts, texts] of FORMS) {
  test(`schemas: what is taken as ${name} fits its pattern`, () => {
    let taken = 0;
    fc.assert(
      fc.property(texts, (text) => {
        if (!accepts(text)) return;
        taken += 1;
        assert.match(text, pattern);
      }),
      { numRuns: 5000, seed: 4 },
    );
    assert.ok(taken > 20, `${taken}`);
  });
}

test('a percent has no suffix and at most four decimals', () => {
  const rows: readonly [text: string, expected: number | undefined][] = [
    ['12.5%', 125_000],
    ['0%', 0],
    ['100.0000%', 1_000_000],
    ['100.1%', undefined],
    ['1.00000%', undefined],
    ['0.05k%', undefined],
    ['05%', undefined],
    ['5', undefined],
  ];
  for (const [text, expected] of rows) assert.equal(parsePercent(text), expected, text);
});
