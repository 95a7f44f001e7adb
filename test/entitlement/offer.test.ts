import assert from 'node:assert/strict';
import { test } from 'node:test';
import { offer } from '../../src/entitlement/offer.ts';
import { type BundleParts, policyOf } from '../decision/bundle.ts';
import { questionOf, type Who } from './questions.ts';

const LIMITS = ['{name: spend, max: 500 USD per month}'];
const LADDER = ['{at: 80% of spend, from: large, use: small}', '{at: 90% of spend, from: small, use: tiny}'];
const WHOLE = { limits: LIMITS, ladder: LADDER };
const ALL = 'classes: [interactive, agentic, batch]';

/** Models in order, each with `>` and where its step leads; or the reason. */
const ROWS: readonly [n: number, what: string, parts: BundleParts, who: Who, said: string, expected: string][] = [
  [1, 'no ladder', {}, {}, 'large', 'large'],
  [2, 'the whole ladder', WHOLE, {}, 'large', 'large>small small>tiny tiny'],
  [3, 'from the middle', WHOLE, {}, 'small', 'small>tiny tiny'],
  [4, 'from its end', WHOLE, {}, 'tiny', 'tiny'],
  [5, 'an alias means the model', WHOLE, {}, 'large-latest', 'large>small small>tiny tiny'],
  [
    6,
    'a step to a model that access.yaml refuses goes on to the next cleared one',
    {
      ...WHOLE,
      rules: ['{name: no, deny: {accounts: ["**"], models: [small]}}', '{name: all, allow: {accounts: ["**"]}}'],
    },
    {},
    'large',
    'large>small tiny',
  ],
  [
    7,
    'so does one to a model that the plan does not include',
    { ...WHOLE, entitlements: [`{routes: [chat], models: [large, tiny], ${ALL}}`] },
    {},
    'large',
    'large>small tiny',
  ],
  [
    8,
    'and one that lacks a class',
    {
      ...WHOLE,
      entitlements: [
        `{routes: [chat], models: [large, tiny], ${ALL}}`,
        '{routes: [chat], models: [small], classes: [interactive]}',
      ],
    },
    { classes: ['interactive', 'batch'] },
    'large',
    'large>small tiny',
  ],
  [
    9,
    'none cleared below: the step is void',
    { ...WHOLE, rules: ['{name: one, allow: {accounts: ["**"], models: [large]}}'] },
    {},
    'large',
    'large',
  ],
  [
    10,
    'the last one not cleared: the ladder ends above it',
    { ...WHOLE, blocked: '{models: [tiny]}' },
    {},
    'large',
    'large>small small',
  ],
  [
    11,
    'what was asked for must itself be cleared, whatever lies below',
    { ...WHOLE, entitlements: [`{routes: [chat], models: [small, tiny], ${ALL}}`] },
    {},
    'large',
    'model_not_entitled',
  ],
  [12, 'a model that does not exist', WHOLE, {}, 'nosuch', 'model_unknown'],
  [13, 'a provider’s word is not a caller’s', WHOLE, {}, 'large-2026-01-01', 'model_unknown'],
  [14, 'another case is another name', WHOLE, {}, 'Large', 'model_unknown'],
  [15, 'a name of the language', WHOLE, {}, '__proto__', 'model_unknown'],
  [16, 'a model of another dialect', WHOLE, {}, 'claude', 'model_unknown'],
  [17, 'on its own route, without a ladder', WHOLE, { route: 'messages' }, 'claude', 'claude'],
  [
    18,
    'a deny of the caller’s word does not close the steps below',
    {
      ...WHOLE,
      rules: ['{name: no, deny: {accounts: ["**"], models: ["*-latest"]}}', '{name: all, allow: {accounts: ["**"]}}'],
    },
    {},
    'large',
    'large>small small>tiny tiny',
  ],
];

for (const [n, what, parts, who, said, expected] of ROWS) {
  test(`offer ${n}: ${what}`, async (t) => {
    const found = offer(questionOf(await policyOf(t, parts), who), said);
    const shown =
      'reason' in found
        ? found.reason
        : found.models
            .map(({ model, step }) => (step === undefined ? model.name : `${model.name}>${step.use}`))
            .join(' ');
    assert.equal(shown, expected);
  });
}

test('what only observes is noted for the model asked for, and for each one below', async (t) => {
  const policy = await policyOf(t, {
    ...WHOLE,
    rules: [
      '{name: watch-large, deny: {accounts: ["**"], models: [large]}, enforce: observe}',
      '{name: watch-tiny, deny: {accounts: ["**"], models: [tiny]}, enforce: observe}',
      '{name: all, allow: {accounts: ["**"]}}',
    ],
  });
  const found = offer(questionOf(policy), 'large');
  assert.ok('models' in found);
  assert.deepEqual(
    found.models.map(({ model, observed }) => [model.name, observed]),
    [
      ['large', ['watch-large']],
      ['small', ['watch-large']],
      ['tiny', ['watch-large', 'watch-tiny']],
    ],
  );
});

test('a ladder that lint would not let through: every model once', async (t) => {
  const policy = await policyOf(t, WHOLE);
  const question = questionOf(policy);
  const when = [{ limit: 'spend', percent: 50 }];
  const ladder = new Map([
    ['large', { from: 'large', use: 'small', when }],
    ['small', { from: 'small', use: 'large', when }],
  ]);
  const account = { ...question.account, plan: { ...question.account.plan!, ladder } };
  const found = offer({ ...question, account }, 'large');
  assert.ok('models' in found);
  assert.deepEqual(
    found.models.map(({ model }) => model.name),
    ['large', 'small'],
  );
});
