import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Problems } from '../../src/policy/problem.ts';
import { Decimal } from '../../src/policy/source.ts';
import { parseSource } from '../../src/policy/yaml.ts';
import { BUNDLES } from './bundles.ts';

function parse(text: string | Uint8Array, file = 'x.yaml') {
  const problems = new Problems();
  const source = parseSource(file, typeof text === 'string' ? Buffer.from(text) : text, problems);
  return { source, found: problems.sorted().map(({ line, column, rule }) => `${line}:${column} ${rule}`) };
}

test('values keep their exact form', () => {
  const { source, found } = parse(
    'a: 1.10\nb: 9007199254740991\nc: -3\nd: "1.10"\ne: true\nf: on\ng: no\nh: 2026-01-01\ni: 12:30\nj: 1_000\nk: 0.1\n',
  );
  assert.deepEqual(found, []);
  assert.deepEqual(source?.value, {
    a: new Decimal('1.10'),
    b: 9007199254740991,
    c: -3,
    d: '1.10',
    e: true,
    f: 'on',
    g: 'no',
    h: '2026-01-01',
    i: '12:30',
    j: '1_000',
    k: new Decimal('0.1'),
  });
});

test('Y2 Y4 Y5 Y6 Y7 Y8 what YAML allows and a bundle does not', () => {
  const rows: readonly [text: string, expected: string[]][] = [
    ['a: 017\n', ['1:4 number-form']],
    ['a: 0x1F\n', ['1:4 number-form']],
    ['a: 0o17\n', ['1:4 number-form']],
    ['a: +1\n', ['1:4 number-form']],
    ['a: 1e9999\n', ['1:4 number-form']],
    ['a: 1e3\n', ['1:4 number-form']],
    ['a: .5\n', ['1:4 number-form']],
    ['a: .nan\n', ['1:4 number-form']],
    ['a: -.inf\n', ['1:4 number-form']],
    ['a: 9007199254740992\n', ['1:4 amount-range']],
    ['a: True\n', ['1:4 value-wrong']],
    ['a: &x 1\n', ['1:7 yaml-feature']],
    ['a: !!int "1"\n', ['1:10 yaml-feature']],
    ['a: !<tag:x> 1\n', ['1:4 yaml-feature']],
    ['? [a]\n: 1\n', ['1:3 yaml-syntax']],
    ['{a: 1, a: 2}\n', ['1:8 key-duplicate']],
    ['a: {b: {c: 1, "c": 2}}\n', ['1:15 key-duplicate']],
    ['constructor: 1\n', ['1:1 key-unknown']],
    ['a: {prototype: 1}\n', ['1:5 key-unknown']],
    ['a: |\n  two\n  lines\n', ['1:4 file-encoding']],
    ['a: "x\\ny"\n', ['1:4 file-encoding']],
    ['a: "\\u200b"\n', ['1:4 file-encoding']],
    ['a: b\u00a0c\n', ['1:5 file-encoding']],
    ['# a\ud800b'.replace('\ud800', '\u2066'), ['1:4 file-encoding']],
    ['a: 1\rb: 2\n', ['1:5 file-encoding']],
    ['a: 1\r\nb: 2\r\n', []],
    ['---\na: 1\n', []],
    ['a: 1\n...\n', []],
    ['a: 1\n---\nb: 1\n', ['2:1 yaml-feature']],
    ['%TAG ! x:\n---\na: 1\n', ['1:1 yaml-feature']],
    ['- a\n', ['1:1 type-wrong']],
    ['just text\n', ['1:1 type-wrong']],
    ['null\n', ['1:1 file-empty']],
    ['   \n', ['1:1 file-empty']],
    ['# only\n', ['1:1 file-empty']],
    ['a: *b\n', ['1:4 yaml-feature']],
    [`${'a: {'.repeat(20)}${'}'.repeat(20)}`, ['1:68 nesting-depth']],
  ];
  for (const [index, [text, expected]] of rows.entries()) {
    const { found } = parse(text);
    // Where the parser itself complains it may do so twice; the first place is ours to name.
    if (expected[0]?.includes('yaml-')) assert.equal(found[0], expected[0], `row ${index}: ${text}`);
    else assert.deepEqual(found, expected, `row ${index}: ${text}`);
  }
});

test('Y10 what looks like a secret is refused wherever it stands, and not repeated', () => {
  const KEY = `tg_prod_k7f3q2abcdef_${'Ab1'.repeat(12)}`;
  const rows: readonly [text: string, at: string][] = [
    [`a: ${KEY}\n`, '1:4'],
    [`a: "Bearer ${KEY}"\n`, '1:4'],
    [`${KEY}: {account: acme}\n`, '1:1'],
    [`a: {b: [x, ${KEY}]}\n`, '1:12'],
    [`a: sk-proj-${'x'.repeat(30)}\n`, '1:4'],
    ['a: "-----BEGIN PRIVATE KEY-----"\n', '1:4'],
  ];
  for (const [index, [text, at]] of rows.entries()) {
    const problems = new Problems();
    parseSource('x.yaml', Buffer.from(text), problems);
    const told = problems.sorted();
    assert.deepEqual(
      told.map(({ line, column, rule }) => `${line}:${column} ${rule}`),
      [`${at} secret-inline`],
      `row ${index}`,
    );
    assert.doesNotMatch(JSON.stringify(told), /Ab1Ab1|xxxx/);
  }
  for (const text of ['a: task-force-of-twenty-or-more-letters', 'a: tg_prod_k7f3q2abcdef', 'a: hmac-sha256:v1:AAEC']) {
    assert.deepEqual(parse(text).found, []);
  }
});

test('Y1 aliases cannot grow, sizes are bounded, bytes must be UTF-8', () => {
  const laughs = `a: &a [x, x]\nb: &b [${'*a, '.repeat(9)}*a]\nc: [${'*b, '.repeat(9)}*b]\n`;
  assert.equal(parse(laughs).source, undefined);
  assert.deepEqual(parse(Buffer.alloc(2 * 1024 * 1024 + 1, 0x61)).found, ['1:1 file-size']);
  assert.deepEqual(parse(Buffer.alloc(8 * 1024 * 1024 + 1, 0x20), 'x.json').found, ['1:1 file-size']);
  assert.deepEqual(parse(Uint8Array.of(0x61, 0x3a, 0x20, 0xc3, 0x28)).found, ['1:1 file-encoding']);
});

test('JSON is held to JSON', () => {
  const rows: readonly [text: string, expected: string[]][] = [
    ['{"a": {"b": [1, 2.50, true, "x"]}}', []],
    ['{a: 1}', ['1:2 json-syntax']],
    ['{"a": 1,}', ['1:9 json-syntax']],
    ['{"a": 1, "a": 2}', ['1:10 key-duplicate']],
    ['{"a": 1, "\\u0061": 2}', ['1:10 key-duplicate']],
    ['{"a": 1e3}', ['1:7 number-form']],
    ['[1]', ['1:1 type-wrong']],
    ['{"a": "\\u0000"}', ['1:7 file-encoding']],
  ];
  for (const [index, [text, expected]] of rows.entries())
    assert.deepEqual(parse(text, 'x.json').found, expected, `row ${index}: ${text}`);
  assert.deepEqual(parse('{"a": {"b": [1, 2.50]}}', 'x.json').source?.value, { a: { b: [1, new Decimal('2.50')] } });
});

test('places survive what is taken out', () => {
  const { source } = parse('a:\n  - {name: one}\n  - {name: two}\n  - {name: three}\n');
  assert.equal(source?.ref(['a', 2, 'name']), 'x.yaml:4:12');
  assert.equal(source?.drop(['a', 1]), true);
  assert.equal(source?.ref(['a', 1, 'name']), 'x.yaml:4:12');
  assert.deepEqual([...source!.dropped], ['two']);
  assert.equal(source?.drop(['a', 7]), false);
  assert.equal(source?.at(['a'], 'key').column, 1);
  assert.equal(source?.at(['b', 'c']).line, 1);
});

test('property: half-written and damaged files never throw and never parse to something in silence', () => {
  const text = readFileSync(join(BUNDLES, 'base/plans.yaml'), 'utf8');
  const piece = fc.constantFrom(
    '',
    '\t',
    '\0',
    '&a ',
    '*a',
    '!!str ',
    '{',
    '}',
    '[',
    '"',
    ': ',
    '- ',
    '\n',
    '#',
    '1e9',
    '\u202e',
    '---\n',
  );
  fc.assert(
    fc.property(fc.nat({ max: text.length }), fc.nat({ max: 20 }), piece, (at, cut, insert) => {
      const { source, found } = parse(text.slice(0, at) + insert + text.slice(at + cut));
      return source !== undefined || found.length > 0;
    }),
    { seed: 20260704, numRuns: 200 },
  );
});
