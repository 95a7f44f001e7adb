import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCondition } from '../../src/policy/condition.ts';
import { loadWith } from './bundles.ts';

const PRICE = '[{from: 2026-01-01, per: 1M tokens, input: 1, output: 2}]';
/** A bundle whose plan has these ladder rows, over models of one price that all limits bind. */
function files(rows: readonly string[], models: readonly string[] = ['a', 'b', 'c', 'd']): Record<string, string> {
  const priced = models.map((name) => `${name}: ${PRICE}`).join(', ');
  const declared = models.map((name) => `${name}: {provider: openai, output_max: 1k}`).join(', ');
  return {
    'plans.yaml': `owner: f@acme.example
currency: USD
plans:
  growth:
    prices: standard
    entitlements: [{routes: [chat], models: ["*"], classes: [interactive]}]
    limits: [{name: month, max: 5 USD per month}, {name: day, max: 1 USD per day}]
    ladder:
${rows.map((row) => `      - {${row}}\n`).join('')}prices: {standard: {${priced}}}
costs: {openai: {${priced}}}
`,
    'models.yaml': `owner: p@acme.example\nproviders: {openai: {dialects: [openai-chat]}}\nmodels: {${declared}}\n`,
    'accounts/acme.yaml': 'acme: {plan: growth, owner: a@b.example, timezone: UTC, unlisted: allow}\n',
    'access.yaml': 'owner: s@acme.example\nenvironment: prod\nrules: [{name: all, allow: {accounts: ["**"]}}]\n',
  };
}

// Ladder rows from line 9 on.
const ROWS: readonly (readonly [what: string, rows: readonly string[], problems: readonly string[]])[] = [
  ['steps that rise', ['at: 50% of month, from: a, use: b', 'at: 80% of month, from: b, use: c'], []],
  ['steps that stay', ['at: 80% of month, from: a, use: b', 'at: 80% of month, from: b, use: c'], []],
  [
    'a step that falls',
    ['at: 80% of month, from: a, use: b', 'at: 70% of month, from: b, use: c'],
    ['10:14 ladder-percent'],
  ],
  [
    'a step that falls behind one of another limit',
    ['at: 80% of month, from: a, use: b', 'at: 50% of day, from: b, use: c', 'at: 70% of month, from: c, use: d'],
    ['11:14 ladder-percent'],
  ],
  [
    'a fall below two ladders is told once',
    ['at: 80% of month, from: a, use: c', 'at: 90% of month, from: b, use: c', 'at: 70% of month, from: c, use: d'],
    ['11:14 ladder-percent'],
  ],
  ['a step to itself', ['at: 80% of month, from: a, use: a'], ['9:42 ladder-cycle']],
  [
    'a cycle with a way into it: only the cycle is named',
    ['at: 50% of month, from: a, use: b', 'at: 60% of month, from: b, use: c', 'at: 70% of month, from: c, use: b'],
    ['11:42 ladder-cycle'],
  ],
  [
    'two cycles',
    [
      'at: 50% of month, from: a, use: b',
      'at: 50% of month, from: b, use: a',
      'at: 50% of month, from: c, use: d',
      'at: 50% of month, from: d, use: c',
    ],
    ['10:42 ladder-cycle', '12:42 ladder-cycle'],
  ],
  ['more than all', ['at: 101% of month, from: a, use: b'], ['9:14 value-wrong']],
  ['nothing', ['at: 0% of month, from: a, use: b'], ['9:14 value-wrong']],
];

for (const [index, [what, rows, expected]] of ROWS.entries()) {
  test(`ladder ${index + 1}: ${what}`, async (t) => {
    const { problems } = await loadWith(t, files(rows));
    assert.deepEqual(
      problems.map(({ line, column, rule }) => `${line}:${column} ${rule}`),
      expected,
    );
  });
}

test('a cycle is shown from where it begins', async (t) => {
  const [, rows] = ROWS[6]!;
  const { problems } = await loadWith(t, files(rows));
  assert.match(problems[0]!.text, /the ladder leads back: `b` → `c` → `b`$/);
});

test('a ladder of many steps is judged in linear work', async (t) => {
  const models = Array.from({ length: 3000 }, (_, i) => `m${i}`);
  const rows = models.slice(1).map((name, i) => `at: 80% of month, from: m${i}, use: ${name}`);
  // Judging each step's whole way down again would take minutes.
  assert.deepEqual((await loadWith(t, files(rows, models))).problems, []);
});

test('conditions', () => {
  const texts = [
    '80% of a',
    '100% of a.b-c',
    '9% of A',
    '0% of a',
    '101% of a',
    '80 of a',
    '80% a',
    '80% of ',
    '8.5% of a',
    '80%  of a',
  ];
  assert.deepEqual(
    texts.map((text) => parseCondition(text)?.percent),
    [80, 100, 9, ...Array(7).fill(undefined)],
  );
});
