import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Unit } from '../../src/core/units.ts';
import { amountFor, amountsOf } from '../../src/decision/amounts.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { fileScope } from '../support/scope.ts';
import { type BundleParts, policyOf } from './bundle.ts';
import { type Planned, subjectOf, templateOf } from './planned.ts';

const scope = fileScope();

/** The amount of each limit, by its name, of the model asked for; or the reason why there is none. */
function amounts(policy: Policy, planned: Planned = {}): Record<string, number> | string {
  const [candidate] = templateOf(policy, planned).candidates;
  const found = amountsOf(subjectOf(policy, planned), candidate!);
  if ('reason' in found) return found.reason;
  return Object.fromEntries(candidate!.lines.map(({ bound }) => [bound.limit.name, amountFor(bound.limit, found)]));
}

const UNITS: readonly (readonly [unit: Unit, max: string])[] = [
  ['requests', '1M requests'],
  ['tokens', '1M tokens'],
  ['input_tokens', '1M input_tokens'],
  ['output_tokens', '1M output_tokens'],
  ['charge', '1M USD'],
  ['cost', '1M USD cost'],
  ['runs', '1M runs'],
];
const LIMITS = [
  ...UNITS.map(([unit, max]) => `{name: ${unit}, max: ${max} per day}`),
  ...UNITS.map(([unit, max]) => `{name: ${unit}-assumed, max: ${max} per day, estimate: assumed}`),
];

describe('amounts per unit', async () => {
  const policy = await policyOf(scope, { limits: LIMITS });
  const input = subjectOf(policy).facts!.inputTokens;
  /**
   * Money is in 10⁻⁹ USD: a token of `large` costs 1000 in and 10000 out, half of it is cost; one more for the second ledger
   * line that input may be split into (tokens read from a cache), and one for the line of output.
   */
  const priced = (output: number): { charge: number; cost: number } => {
    const lines = output > 0 ? 2 : 1;
    return { charge: input * 1000 + output * 10_000 + lines, cost: input * 500 + output * 5000 + lines };
  };
  const rows: readonly [n: number, json: object, full: number, assumed: number][] = [
    [1, { max_tokens: 100 }, 100, 100],
    [2, { max_tokens: 100, n: 3 }, 300, 300],
    [3, { max_tokens: undefined }, 1000, 100],
    [4, { max_tokens: undefined, n: 2 }, 2000, 200],
    [5, { max_tokens: 0 }, 0, 0],
    [6, { max_tokens: 10, max_completion_tokens: 20 }, 20, 20],
    [7, { max_tokens: undefined, best_of: 4 }, 4000, 400],
    [8, { max_tokens: 1001 }, 1000, 1000],
    // Alike for the model's other name.
    [9, { model: 'large-latest', max_tokens: 100 }, 100, 100],
  ];
  for (const [n, json, full, assumed] of rows) {
    test(`amounts ${n}: ${JSON.stringify(json)}`, () => {
      const { inputTokens } = subjectOf(policy, { json }).facts!;
      assert.ok(Math.abs(inputTokens - input) < 20);
      const more = inputTokens - input;
      const of = (output: number, suffix: string): Record<string, number> => {
        const { charge, cost } = priced(output);
        return {
          [`requests${suffix}`]: 1,
          [`tokens${suffix}`]: inputTokens + output,
          [`input_tokens${suffix}`]: inputTokens,
          [`output_tokens${suffix}`]: output,
          [`charge${suffix}`]: charge + more * 1000,
          [`cost${suffix}`]: cost + more * 500,
          [`runs${suffix}`]: 1,
        };
      };
      assert.deepEqual(amounts(policy, { json }), { ...of(full, ''), ...of(assumed, '-assumed') });
    });
  }

  test('a body that asks for caches reserves its input at the dearest write', async (t) => {
    const messages = await policyOf(t, { limits: ['{name: spend, max: 1M USD per day}'] });
    const asked = (content: object): number => {
      const json = { model: 'claude', max_tokens: 100, messages: [{ role: 'user', content: [content] }] };
      const found = amounts(messages, { route: 'messages', json }) as Record<string, number>;
      const { inputTokens } = subjectOf(messages, { route: 'messages', json }).facts!;
      return found['spend']! - inputTokens * 2000 - 100 * 20_000;
    };
    const text = { type: 'text', text: 'hello' };
    const { inputTokens } = subjectOf(messages, {
      route: 'messages',
      json: {
        model: 'claude',
        max_tokens: 100,
        messages: [{ role: 'user', content: [{ ...text, cache_control: { type: 'ephemeral' } }] }],
      },
    }).facts!;
    assert.equal(asked(text), 2);
    assert.equal(asked({ ...text, cache_control: { type: 'ephemeral' } }), inputTokens * 1000 + 4);
  });

  test('a route that is not metered counts requests and nothing else', () => {
    assert.deepEqual(amounts(policy, { route: 'models' }), { requests: 1, 'requests-assumed': 1 });
  });
});

const FUTURE = 'large: [{from: 2027-01-01, per: 1M tokens, input: 1, output: 10}]';
const SMALL = 'small: [{from: 2026-01-01, per: 1M tokens, input: 0.5, output: 5}]';
const ONE = ['{routes: [chat], models: [large, small], classes: [interactive]}'];
const SPEND = '{name: spend, max: 1 USD per day}';
const COST = '{name: cost-cap, max: 1 USD cost per day}';

/** A reason, or what is asked. */
const MISSING: readonly [n: number, what: string, parts: BundleParts, expected: string][] = [
  [1, 'no price in force yet', { prices: [FUTURE, SMALL], costs: [SMALL], limits: [SPEND] }, 'price_missing'],
  [
    2,
    'nor where no limit counts money: nothing is given away',
    { prices: [FUTURE, SMALL], costs: [SMALL] },
    'price_missing',
  ],
  [3, 'no cost, and a limit that caps cost', { costs: [SMALL], limits: [COST] }, 'price_missing'],
  [4, 'no cost in force yet', { costs: [FUTURE, SMALL], limits: [COST] }, 'price_missing'],
  [5, 'no cost, and none capped', { costs: [SMALL], limits: [SPEND] }, 'spend'],
  [
    6,
    'no cost, and a limit that only observes',
    { costs: [SMALL], limits: [SPEND, COST.replace('}', ', enforce: observe}')] },
    'spend cost-cap',
  ],
  [
    7,
    'no cost, and the cap is of another model',
    { costs: [SMALL], limits: [COST.replace('}', ', models: [small]}')] },
    '',
  ],
];

for (const [n, what, parts, expected] of MISSING) {
  test(`missing ${n}: ${what}`, async (t) => {
    const prices = ['large: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 10}]', SMALL];
    const found = amounts(await policyOf(t, { prices, entitlements: ONE, ...parts }));
    assert.equal(typeof found === 'string' ? found : Object.keys(found).join(' '), expected);
  });
}

test('a price is that of the instant of the decision', async (t) => {
  const policy = await policyOf(t, {
    limits: ['{name: spend, max: 1M USD per day}'],
    prices: [
      'large: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 10}, {from: 2026-12-01, per: 1M tokens, input: 2, output: 20}]',
      SMALL,
    ],
    entitlements: ONE,
  });
  const at = (iso: string): number => {
    const json = { max_tokens: 100 };
    return (amounts(policy, { json, atMs: Date.parse(iso) }) as Record<string, number>)['spend']!;
  };
  const { inputTokens } = subjectOf(policy).facts!;
  assert.equal(at('2026-11-30T23:59:59.999Z'), inputTokens * 1000 + 1_000_000 + 2);
  assert.equal(at('2026-12-01T00:00:00Z'), inputTokens * 2000 + 2_000_000 + 2);
});

test('a caller without a plan, where the bundle only observes, has no price', async (t) => {
  const policy = await policyOf(t, {
    enforce: 'observe',
    accounts: [
      'bare/team: {owner: t@bare.example, limits: [{name: spend, max: 1 USD per day}, {name: out, max: 1k output_tokens per day}]}',
    ],
  });
  assert.deepEqual(amounts(policy, { account: 'bare/team' }), { spend: 0, out: 100 });
});
