/** What an allowed call holds, is served by, and is told, over a real store. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Asked, callOf, type Desk, deskOf, MESSAGES, NOW_MS } from './desk.ts';

const SPEND = '{name: spend, max: 1000 output_tokens per hour}';
const DAILY = '{name: daily, max: 500 output_tokens per day, models: [large]}';
const LADDER = [
  '{at: 50% of spend, from: large, use: small}',
  '{at: 100% of daily, from: large, use: small}',
  '{at: 80% of spend, from: small, use: tiny}',
];

test('a hold says who, what, until when, at which price, and what it reserved', async (t) => {
  const desk = await deskOf(t, {
    limits: [
      '{name: spend, max: 5 USD per day}',
      '{name: rate, max: 60 requests per minute, burst: 7, each: credential}',
    ],
    accounts: ['acme/team: {owner: t@acme.example, tags: {team: search}}'],
  });
  const { hold, bodyBytes, edits, route, credentialHeaders, stepLimit } = desk.allow({
    key: 'teamkey',
    headers: [
      ['x-api-key', 'k'],
      ['tollgate-class', 'batch'],
      ['tollgate-run', 'r1'],
    ],
  });
  const { decisionId, trace, estimate, spends, ...facts } = hold;
  assert.match(decisionId, /^abcdefgh-/);
  assert.deepEqual(facts, {
    decidedAtMs: NOW_MS,
    account: 'acme/team',
    customer: 'acme',
    credential: 'teamkey',
    actor: undefined,
    kind: 'service',
    proof: 'api_key',
    confidence: 'exact',
    classes: ['interactive', 'batch'],
    run: 'r1',
    route: 'chat',
    dialect: 'openai-chat',
    requestedModel: 'large',
    stream: false,
    plan: 'growth',
    tags: { cost_center: '47', team: 'search' },
    policyVersion: desk.policy.version,
    priceVersion: desk.policy.priceVersion,
    mode: 'normal',
    observed: [],
    expiresAtMs: NOW_MS + 660_000,
    model: 'large',
    downgradedBy: undefined,
    provider: 'openai',
    priceList: 'standard',
    billEstimated: true,
  });
  const { inputTokens } = estimate;
  assert.deepEqual(estimate, {
    inputTokens,
    outputTokens: 100,
    charge: inputTokens * 1000 + 1_000_000 + 2,
    cost: inputTokens * 500 + 500_000 + 2,
    outputMax: 100,
  });
  assert.deepEqual(
    spends.map(({ counter, ...spend }) => ({ owner: counter.split('|')[0], ...spend })),
    [
      {
        owner: 'acme',
        limit: 'spend',
        kind: 'window',
        unit: 'charge',
        reserved: estimate.charge,
        onExpiry: 'keep',
        end: Date.parse('2026-11-24T23:00Z'),
      },
      { owner: 'acme', limit: 'rate', kind: 'bucket', unit: 'requests', reserved: 1, onExpiry: 'keep', n: 1, p: 1000 },
    ],
  );
  assert.deepEqual(
    trace.map(({ model, spends: traced }) => [model, traced.map(({ limit, owner, fits }) => [limit, owner, fits])]),
    [
      [
        'large',
        [
          ['spend', 'acme', true],
          ['rate', 'acme', true],
        ],
      ],
    ],
  );
  assert.deepEqual([edits, route.name, credentialHeaders, stepLimit], [[], 'chat', ['x-api-key'], undefined]);
  assert.ok(bodyBytes > 0);
});

test('a route without metering holds what counts requests, and no model', async (t) => {
  const desk = await deskOf(t, { trafficLimits: ['{name: slots, max: 5 in flight, each: customer}'], limits: [SPEND] });
  const { hold, edits, bodyBytes } = desk.allow({ method: 'GET', path: '/v1/models', body: Buffer.alloc(0) });
  assert.deepEqual(
    [hold.model, hold.requestedModel, hold.provider, hold.dialect],
    [undefined, undefined, undefined, undefined],
  );
  assert.deepEqual(
    hold.spends.map(({ limit }) => limit),
    ['slots'],
  );
  assert.deepEqual([edits, bodyBytes, hold.estimate.charge], [[], 0, 0]);
});

/** Output tokens that were used before; what a call of 100 is served by, and the limit whose step it took. */
const LADDERS: readonly [n: number, used: number, expected: readonly [string, string | undefined] | 'budget_spent'][] =
  [
    [1, 0, ['large', undefined]],
    [2, 400, ['large', undefined]],
    [3, 401, ['small', 'spend']],
    [4, 700, ['small', 'spend']],
    [5, 701, ['tiny', 'spend']],
    [6, 900, ['tiny', 'spend']],
    [7, 901, 'budget_spent'],
  ];

for (const [n, used, expected] of LADDERS) {
  test(`ladder ${n}: ${used} of 1000 used`, async (t) => {
    const desk = await deskOf(t, { limits: [SPEND], ladder: [LADDER[0]!, LADDER[2]!] });
    // Used by a model without a step, and settled: what is held alone downgrades nobody.
    if (used > 0) {
      const { hold } = desk.allow({ json: { model: 'tiny', max_tokens: 1 } });
      desk.settle(hold, { output_tokens: used });
    }
    const decision = desk.decide();
    if (decision.outcome === 'deny') assert.equal(decision.reason, expected);
    else assert.deepEqual([decision.hold.model, decision.hold.downgradedBy], expected);
  });
}

test('the step of a limit that only the dearer model has', async (t) => {
  const desk = await deskOf(t, { limits: [SPEND, DAILY], ladder: LADDER });
  const { hold } = desk.allow({ json: { max_tokens: 450 } });
  desk.settle(hold, { output_tokens: 450 });
  const next = desk.allow();
  assert.deepEqual([next.hold.model, next.hold.downgradedBy, next.stepLimit], ['small', 'spend', 'spend']);
  assert.deepEqual(
    next.hold.trace.map(({ model, spends }) => [model, spends.map(({ limit, yielded }) => `${limit} ${yielded}`)]),
    [
      ['large', ['spend true', 'daily true']],
      ['small', ['spend false']],
    ],
  );
  assert.deepEqual(
    next.hold.spends.map(({ limit }) => limit),
    ['spend'],
  );
});

test('what is held downgrades nobody before the ceiling itself is full', async (t) => {
  const desk = await deskOf(t, { limits: [SPEND], ladder: LADDER.slice(0, 1) });
  for (let call = 0; call < 9; call++) assert.equal(desk.allow().hold.model, 'large');
  assert.equal(desk.allow().hold.model, 'large');
  assert.equal(desk.deny().reason, 'rate_limited');
});

test('`tollgate-downgrade: refuse` is served as asked, or refused', async (t) => {
  const desk = await deskOf(t, { limits: [SPEND], ladder: [LADDER[0]!] });
  const headers = [['tollgate-downgrade', 'refuse']] as const;
  desk.settle(desk.allow({ headers }).hold, { output_tokens: 401 });
  assert.equal(desk.deny({ headers }).limit?.name, 'spend');
  assert.equal(desk.allow().hold.model, 'small');
});

test('a burst refuses and never swaps the model', async (t) => {
  const desk = await deskOf(t, {
    limits: [SPEND],
    ladder: [LADDER[0]!],
    trafficLimits: ['{name: burst, max: 1 requests per second, burst: 1, each: credential}'],
  });
  desk.allow();
  const deny = desk.deny();
  assert.deepEqual([deny.reason, deny.limit?.name], ['rate_limited', 'burst']);
});

test('a run: its first call begins it, later ones are not counted as runs', async (t) => {
  const desk = await deskOf(t, {
    limits: ['{name: new-runs, max: 1 runs per hour}', '{name: calls, max: 5 requests per hour}'],
  });
  const names = (asked: Asked): string[] => desk.allow(asked).hold.spends.map(({ limit }) => limit);
  const r1: Asked = { headers: [['tollgate-run', 'r1']] };
  assert.deepEqual(names({}), ['calls']);
  assert.deepEqual(names(r1), ['new-runs', 'calls']);
  assert.deepEqual(names(r1), ['calls']);
  assert.equal(desk.deny({ headers: [['tollgate-run', 'r2']] }).limit?.name, 'new-runs');
});

describe('observed', () => {
  const over = async (
    t: Parameters<typeof deskOf>[0],
    parts: Parameters<typeof deskOf>[1],
  ): Promise<readonly string[]> => {
    const desk = await deskOf(t, parts);
    desk.allow();
    return desk.allow().hold.observed;
  };
  const one = (enforce: string): string => `{name: watched, max: 1 requests per day${enforce}}`;
  const NONE = '{routes: [chat], models: [small], classes: [interactive]}';
  const rows: readonly [n: number, what: string, parts: Parameters<typeof deskOf>[1], expected: readonly string[]][] = [
    [1, 'a limit', { limits: [one(', enforce: observe')] }, ['watched']],
    [2, 'limits of a plan', { limits: [one('')], planEnforce: 'observe' }, ['watched']],
    [3, 'limits of a bundle', { limits: [one('')], enforce: 'observe' }, ['watched']],
    [
      4,
      'an entitlement, then a limit',
      { limits: [one('')], planEnforce: 'observe', entitlements: [NONE] },
      ['model_not_entitled', 'watched'],
    ],
    [
      5,
      'a rule, then a limit',
      {
        limits: [one(', enforce: observe')],
        rules: [
          '{name: look, deny: {accounts: ["**"], models: [large]}, enforce: observe}',
          '{name: all, allow: {accounts: ["**"]}}',
        ],
      },
      ['look', 'watched'],
    ],
    [
      6,
      'limits of traffic.yaml on a route that observes',
      {
        trafficLimits: ['{name: burst, max: 1 in flight, each: credential}'],
        routes: ['chat: {dialect: openai-chat, match: {method: POST, path: /v1/chat/completions}, enforce: observe}'],
        entitlements: ['{routes: [chat], models: [large], classes: [interactive]}'],
      },
      ['burst'],
    ],
    [7, 'off is not recorded', { limits: [one(', enforce: off')] }, []],
    [8, 'nor what fits', { limits: ['{name: watched, max: 9 requests per day, enforce: observe}'] }, []],
  ];
  for (const [n, what, parts, expected] of rows) {
    test(`observed ${n}: ${what}`, async (t) => assert.deepEqual(await over(t, parts), expected));
  }

  test('a refusal has it too', async (t) => {
    const desk = await deskOf(t, {
      limits: ['{name: day, max: 1 requests per day}'],
      rules: [
        '{name: look, deny: {accounts: ["**"], models: [large]}, enforce: observe}',
        '{name: all, allow: {accounts: ["**"]}}',
      ],
    });
    desk.allow();
    desk.deny();
    assert.deepEqual(desk.refusals[0]?.observed, ['look']);
  });

  test('what observes is charged with the rest', async (t) => {
    const desk = await deskOf(t, { limits: [one(', enforce: observe')] });
    for (let call = 0; call < 3; call++) assert.equal(desk.allow().hold.trace[0]?.spends[0]?.used, call);
  });
});

describe('edits', async () => {
  /** The body as the provider gets it. */
  const served = (desk: Desk, asked: Asked): string => {
    const { edits } = desk.allow(asked);
    let text = Buffer.from(callOf(asked).body).toString('latin1');
    for (const edit of edits.toReversed()) {
      text = text.slice(0, edit.offset) + edit.text + text.slice(edit.offset + edit.length);
    }
    return text;
  };
  const DOWN = { limits: [SPEND], ladder: [LADDER[0]!] };
  const usage = '"stream_options":{"include_usage":true}';
  const body = (model: string, rest = ''): string =>
    `{"model":"${model}","messages":${JSON.stringify(MESSAGES)},"max_tokens":100${rest}}`;
  /** `used`: tokens used before, so that from 401 on the step to `small` is taken. */
  const rows: readonly [n: number, what: string, used: number, path: string, sent: string, got: string][] = [
    [1, 'as asked', 0, 'chat/completions', body('large'), body('large')],
    [2, 'an alias', 0, 'chat/completions', body('large-latest'), body('large')],
    [3, 'a step', 401, 'chat/completions', body('large'), body('small')],
    [4, 'a step from an alias', 401, 'chat/completions', body('large-latest'), body('small')],
    [5, 'an escaped name is kept as it came', 0, 'chat/completions', body('l\\u0061rge'), body('l\\u0061rge')],
    [6, 'a stream', 0, 'chat/completions', body('large', ',"stream":true'), body('large', `,"stream":true,${usage}`)],
    [
      7,
      'a stream and a step',
      401,
      'chat/completions',
      body('large', ',"stream":true'),
      body('small', `,"stream":true,${usage}`),
    ],
    [
      8,
      'a stream that asks',
      0,
      'chat/completions',
      body('large', `,"stream":true,${usage}`),
      body('large', `,"stream":true,${usage}`),
    ],
    [
      9,
      'an explicit false is replaced',
      0,
      'chat/completions',
      body('large', ',"stream":true,"stream_options":{"include_usage":false}'),
      body('large', `,"stream":true,${usage}`),
    ],
    [10, 'a route that accepts the gap', 0, 'plain', body('large', ',"stream":true'), body('large', ',"stream":true')],
  ];
  for (const [n, what, used, path, sent, got] of rows) {
    test(`edit ${n}: ${what}`, async (t) => {
      const desk = await deskOf(t, DOWN);
      if (used > 0) desk.settle(desk.allow({ json: { model: 'tiny', max_tokens: 1 } }).hold, { output_tokens: used });
      assert.equal(served(desk, { path: `/v1/${path}`, body: Buffer.from(sent) }), got);
    });
  }

  test('in a body where the model comes after the stream, edits ascend', async (t) => {
    const desk = await deskOf(t, DOWN);
    const sent = `{"stream":true,"max_tokens":5,"messages":[],"model":"large-latest"}`;
    const { edits } = desk.allow({ body: Buffer.from(sent) });
    assert.equal(edits.length, 2);
    assert.ok(edits[0]!.offset + edits[0]!.length <= edits[1]!.offset);
  });
});
