import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { template } from '../../src/decision/template.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { fileScope } from '../support/scope.ts';
import { type BundleParts, policyOf } from './bundle.ts';
import { type Planned, subjectOf, templateOf } from './planned.ts';

const scope = fileScope();

/** Limits that are asked, by candidate: `?` observes, `@80` yields at that percent. */
function asked(policy: Policy, planned: Planned = {}): Record<string, string> {
  return Object.fromEntries(
    templateOf(policy, planned).candidates.map(({ model, lines }) => [
      model?.name ?? '-',
      lines
        .map(({ bound, observe, percent }) => {
          return `${bound.limit.name}${observe ? '?' : ''}${percent === undefined ? '' : `@${percent}`}`;
        })
        .sort()
        .join(' '),
    ]),
  );
}

describe('which limits are asked', async () => {
  const policy = await policyOf(scope, {
    limits: [
      '{name: all, max: 1 USD per day}',
      '{name: one-model, max: 1 USD per day, models: [large]}',
      '{name: other-model, max: 1 USD per day, models: [small]}',
      '{name: one-route, max: 1k requests per day, routes: [chat]}',
      '{name: no-route, max: 1k requests per day, routes: [strict]}',
      '{name: batch-only, max: 1k tokens per day, classes: [batch]}',
      '{name: watched, max: 1 USD per day, enforce: observe}',
      '{name: dead, max: 1 USD per day, enforce: off}',
      '{name: calls, max: 1k requests per day}',
    ],
    accounts: ['acme/team: {owner: t@acme.example, limits: [{name: team, max: 1 USD per day}]}'],
    trafficLimits: [
      '{name: burst, max: 5 requests per second, burst: 5, each: credential}',
      '{name: slots, max: 5 in flight, each: customer}',
      '{name: model-slots, max: 5 in flight, each: customer, models: [large]}',
    ],
  });
  const BOTH = 'all burst calls model-slots one-model one-route slots watched?';
  const rows: readonly [n: number, planned: Planned, expected: Record<string, string>][] = [
    [1, {}, { large: BOTH }],
    [2, { json: { model: 'large-latest' } }, { large: BOTH }],
    [3, { json: { model: 'small' } }, { small: 'all burst calls one-route other-model slots watched?' }],
    [4, { json: { model: 'tiny' } }, { tiny: 'all burst calls one-route slots watched?' }],
    [5, { route: 'strict' }, { large: 'all burst calls model-slots no-route one-model slots watched?' }],
    [6, { classes: ['batch'] }, { large: `all batch-only burst calls model-slots one-model one-route slots watched?` }],
    // A claimed class is added: limits of both apply.
    [
      7,
      { classes: ['interactive', 'batch'] },
      { large: 'all batch-only burst calls model-slots one-model one-route slots watched?' },
    ],
    [8, { account: 'acme/team' }, { large: 'all burst calls model-slots one-model one-route slots team watched?' }],
    [
      9,
      { account: 'acme/team/deep' },
      { large: 'all burst calls model-slots one-model one-route slots team watched?' },
    ],
    // Without metering: what counts requests, of no model and of this route.
    [10, { route: 'models' }, { '-': 'burst calls slots' }],
  ];
  for (const [n, planned, expected] of rows) {
    test(`asked ${n}`, () => assert.deepEqual(asked(policy, planned), expected));
  }
});

describe('ladders', async () => {
  const policy = await policyOf(scope, {
    limits: ['{name: spend, max: 500 USD per month}', '{name: daily, max: 2M tokens per day, models: [large]}'],
    ladder: [
      '{at: 80% of spend, from: large, use: small}',
      '{at: 100% of daily, from: large, use: small}',
      '{at: 90% of spend, from: small, use: tiny}',
    ],
    accounts: ['acme/one: {owner: t@acme.example}'],
    rules: [
      '{name: one, deny: {accounts: [acme/one], models: [small, tiny]}}',
      '{name: two, deny: {accounts: [acme/two], models: [small]}}',
      '{name: all, allow: {accounts: ["**"]}}',
    ],
  });
  const rows: readonly [n: number, planned: Planned, expected: Record<string, string>][] = [
    [1, {}, { large: 'daily@100 spend@80', small: 'spend@90', tiny: 'spend' }],
    [2, { json: { model: 'small' } }, { small: 'spend@90', tiny: 'spend' }],
    [3, { json: { model: 'tiny' } }, { tiny: 'spend' }],
    // A void step has no percents.
    [4, { account: 'acme/one' }, { large: 'daily spend' }],
    [5, { account: 'acme/two' }, { large: 'daily@100 spend@80', tiny: 'spend' }],
    // With `tollgate-downgrade: refuse` the limit that asks for the step refuses where it would have stepped.
    [6, { refuseDowngrade: true }, { large: 'daily@100 spend@80' }],
    [7, { account: 'acme/one', refuseDowngrade: true }, { large: 'daily spend' }],
  ];
  for (const [n, planned, expected] of rows) {
    test(`ladder ${n}`, () => assert.deepEqual(asked(policy, planned), expected));
  }
});

/** By mode: what becomes of a limit of the plan, of an account, of traffic.yaml and of one that observes. */
describe('observe and off', () => {
  const route = (enforce: string): string =>
    `chat: {dialect: openai-chat, match: {method: POST, path: /v1/chat/completions}, enforce: ${enforce}}`;
  const rows: readonly [n: number, what: string, parts: BundleParts, expected: string][] = [
    [1, 'all on', {}, 'burst plan team watched?'],
    [2, 'bundle observes', { enforce: 'observe' }, 'burst? plan? team? watched?'],
    [3, 'bundle off', { enforce: 'off' }, ''],
    // A plan is finance's and speaks of its own limits only; a route is platform's and speaks of those of traffic.yaml.
    [4, 'plan observes', { planEnforce: 'observe' }, 'burst plan? team watched?'],
    [5, 'plan off', { planEnforce: 'off' }, 'burst team'],
    [6, 'route observes', { routes: [route('observe')] }, 'burst? plan team watched?'],
    [7, 'route off', { routes: [route('off')] }, 'plan team watched?'],
    [
      8,
      'a limit that is off stays off on a route that observes',
      {
        routes: [route('observe')],
        trafficLimits: ['{name: burst, max: 5 in flight, each: credential, enforce: off}'],
      },
      'plan team watched?',
    ],
  ];
  for (const [n, what, parts, expected] of rows) {
    test(`modes ${n}: ${what}`, async (t) => {
      const policy = await policyOf(t, {
        entitlements: ['{routes: [chat], models: [large, small], classes: [interactive]}'],
        limits: ['{name: plan, max: 1 USD per day}', '{name: watched, max: 1 USD per day, enforce: observe}'],
        accounts: ['acme/team: {owner: t@acme.example, limits: [{name: team, max: 1 USD per day}]}'],
        trafficLimits: ['{name: burst, max: 5 requests per second, burst: 5, each: credential}'],
        ...parts,
      });
      assert.deepEqual(asked(policy, { account: 'acme/team' }), { large: expected });
    });
  }

  test('what observes on a route without a model is recorded too', async (t) => {
    const policy = await policyOf(t, {
      enforce: 'observe',
      rules: ['{name: chat, allow: {accounts: ["**"], routes: [chat]}}'],
    });
    assert.deepEqual(templateOf(policy, { route: 'models' }).candidates[0]?.observed, ['access_denied']);
  });
});

test('one template serves like calls, and no other: account, credential, actor, route, classes, word, header', async (t) => {
  const policy = await policyOf(t, {
    limits: ['{name: spend, max: 500 USD per month}'],
    ladder: ['{at: 80% of spend, from: large, use: small}'],
    blocked: '{actors: [mallory]}',
  });
  const of = (planned: Planned) => {
    const subject = subjectOf(policy, planned);
    return template({ ...subject, said: subject.facts?.model, refuseDowngrade: planned.refuseDowngrade ?? false });
  };
  const first = of({});
  assert.equal(of({}), first);
  assert.equal(of({ json: { max_tokens: 5 } }), first);
  const others: readonly Planned[] = [
    { account: 'acme/x' },
    { credential: 'otherkey' },
    { actor: 'alice' },
    { route: 'strict' },
    { classes: ['batch'] },
    { classes: ['interactive', 'batch'] },
    { json: { model: 'large-latest' } },
    { refuseDowngrade: true },
  ];
  const seen = new Set([first, ...others.map(of)]);
  assert.equal(seen.size, others.length + 1);
  const barred = of({ actor: 'mallory' });
  assert.ok('reason' in barred && barred.reason === 'access_denied');
  const another = await policyOf(t);
  assert.notEqual(templateOf(another), first);
});
