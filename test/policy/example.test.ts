import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { type LoadedBundle, loadBundle } from '../../src/policy/bundle.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { chargePrices, ratesAt } from '../../src/policy/prices.ts';
import { BUNDLES, policyOf } from './bundles.ts';

const USD = 1_000_000_000;

describe('the example of the design', () => {
  let loaded: LoadedBundle;
  let policy: Policy;

  before(async () => {
    loaded = await loadBundle(join(BUNDLES, 'example'));
    policy = policyOf(loaded);
  });

  test('passes without a warning and has the hash of its files as version', () => {
    assert.deepEqual([...loaded.problems, ...loaded.warnings], []);
    assert.match(policy.version, /^[0-9a-f]{16}$/);
    assert.match(policy.priceVersion, /^[0-9a-f]{16}$/);
    assert.equal(policy.environment, 'prod');
    assert.equal(policy.enforce, 'on');
  });

  test('says what is not served yet', () => {
    assert.deepEqual(loaded.unserved, [
      'access.yaml:18:5: client certificate `spiffe://acme/ns/search/sa/indexer` is not served yet; its callers are answered 401',
    ]);
  });

  test('an issuer is told by the value of `iss`', () => {
    assert.deepEqual(
      [...policy.issuers],
      [
        [
          'https://id.acme.example',
          [
            {
              name: 'corp',
              issuer: 'https://id.acme.example',
              audience: 'ai-gateway',
              algorithms: ['RS256', 'ES256'],
              type: 'at+jwt',
              ageMaxMs: 86_400_000,
              keys: { kind: 'url', url: 'https://id.acme.example/jwks.json' },
              account: [{ literal: 'acme' }, { claim: 'team' }],
              actor: 'sub',
              kind: 'human',
              class: 'interactive',
            },
          ],
        ],
      ],
    );
  });

  test('routes by exact method and path', () => {
    const chat = policy.route('POST', '/v1/chat/completions');
    assert.deepEqual(chat, {
      name: 'chat',
      method: 'POST',
      path: '/v1/chat/completions',
      template: undefined,
      dialect: 'openai-chat',
      metered: true,
      bodyMaxBytes: 4 * 1024 * 1024,
      lastsMaxMs: 15 * 60_000,
      streamUsage: 'add',
      storedState: 'allow',
      ledgerFull: 'refuse',
      forwardCredential: false,
      enforce: 'on',
    });
    const models = policy.route('GET', '/v1/models');
    assert.equal(models?.metered, false);
    assert.equal(models?.dialect, undefined);
    assert.equal(models?.lastsMaxMs, 60_000);
    assert.equal(models?.ledgerFull, 'continue');
    for (const [method, path] of [
      ['GET', '/v1/chat/completions'],
      ['post', '/v1/chat/completions'],
      ['POST', '/v1/chat/completions/'],
      ['POST', '/V1/chat/completions'],
      ['POST', '/v1/chat/completions?x=1'],
      ['POST', '__proto__'],
    ] as const) {
      assert.equal(policy.route(method, path), undefined, `${method} ${path}`);
    }
  });

  test('reads classes and runs', () => {
    assert.deepEqual(policy.classes, ['interactive', 'agentic', 'batch']);
    assert.deepEqual([...policy.runs.requiredFor], ['agentic']);
    assert.equal(policy.runs.idleMs, 3_600_000);
  });

  test('binds every limit of the chain to the account that owns its counter', () => {
    const search = policy.account('acme/search');
    assert.deepEqual(
      search?.limits.map(({ limit, owner, zone, monthStarts }) => [limit.name, owner, zone, monthStarts]),
      [
        ['team-spend', 'acme/search', 'Europe/Berlin', 1],
        ['monthly-spend', 'acme', 'Europe/Berlin', 1],
        ['gpt5-daily', 'acme', 'Europe/Berlin', 1],
        ['run-spend', 'acme', 'Europe/Berlin', 1],
        ['key-burst', 'acme', 'Europe/Berlin', 1],
        ['in-flight', 'acme', 'Europe/Berlin', 1],
        ['new-runs', 'acme', 'Europe/Berlin', 1],
      ],
    );
    assert.equal(search?.owner, 'search@acme.example');
    assert.deepEqual(search?.tags, { cost_center: '4712' });
    assert.equal(search?.plan?.name, 'growth');
    assert.deepEqual(search?.chain, ['acme/search', 'acme']);
    assert.equal(
      policy.account('acme')?.limits.some(({ limit }) => limit.name === 'team-spend'),
      false,
    );
  });

  test('compiles each kind of limit', () => {
    const limits = new Map(policy.account('acme/search')?.limits.map(({ limit }) => [limit.name, limit]));
    const of = (name: string) => {
      const { max, unit, shape, each, enforce, storeDown, estimate, warn } = limits.get(name)!;
      return { max, unit, shape, each, enforce, storeDown, estimate, warn };
    };
    assert.deepEqual(of('monthly-spend'), {
      max: 500 * USD,
      unit: 'charge',
      shape: { kind: 'window', period: { kind: 'calendar', unit: 'month' } },
      each: undefined,
      enforce: 'on',
      storeDown: 'closed',
      estimate: 'full',
      warn: [50, 80],
    });
    assert.deepEqual(of('gpt5-daily'), {
      max: 2_000_000,
      unit: 'tokens',
      shape: { kind: 'window', period: { kind: 'calendar', unit: 'day' } },
      each: undefined,
      enforce: 'on',
      storeDown: 'local',
      estimate: 'assumed',
      warn: [],
    });
    assert.deepEqual([...limits.get('gpt5-daily')!.models!], ['gpt-5']);
    assert.deepEqual(of('run-spend').shape, { kind: 'total' });
    assert.equal(of('run-spend').max, 5 * USD);
    assert.deepEqual(of('key-burst').shape, { kind: 'bucket', n: 1, p: 50, burst: 40, periodMs: 1000 });
    assert.deepEqual(of('in-flight').shape, { kind: 'slots' });
    assert.deepEqual(
      [...limits.get('in-flight')!.ceiling],
      [
        ['agentic', 80],
        ['batch', 60],
      ],
    );
    assert.equal(of('new-runs').unit, 'runs');
    assert.equal(of('team-spend').enforce, 'observe');
    assert.equal(limits.get('team-spend')?.at, 'accounts/acme.yaml:13:12');
  });

  test('keeps an override until the end of its last day in Berlin', () => {
    const override = policy.account('acme/search')?.limits.find(({ limit }) => limit.name === 'gpt5-daily')?.override;
    assert.deepEqual(override, { max: 3_000_000, burst: undefined, untilMs: Date.parse('2026-12-31T23:00:00Z') });
  });

  test('joins the rows of a ladder into steps', () => {
    assert.deepEqual(
      [...policy.account('acme')!.plan!.ladder.values()],
      [
        {
          from: 'gpt-5',
          use: 'gpt-5-mini',
          when: [
            { limit: 'monthly-spend', percent: 80 },
            { limit: 'gpt5-daily', percent: 100 },
          ],
        },
      ],
    );
  });

  test('prices in integers per million, discounts too', () => {
    const at = { atMs: Date.parse('2026-06-01T00:00:00Z'), inputTokens: 1000 };
    const rates = (list: string, inputTokens: number) =>
      ratesAt(chargePrices(policy.prices, list, 'gpt-5')!, { ...at, inputTokens })?.prices;
    assert.equal(rates('standard', 200_000)?.input, 1_250_000_000);
    assert.equal(rates('standard', 200_001)?.input, 2_500_000_000);
    assert.equal(rates('acme-2026', 1)?.input, 1_100_000_000);
    assert.equal(rates('acme-2026', 1)?.cache_read, 110_000_000);
    assert.equal(rates('acme-2026', 200_001)?.output, 13_200_000_000);
    assert.equal(policy.prices.cost['openai']?.['gpt-5-mini']?.[0]?.prices.output, 1_600_000_000);
    assert.deepEqual(JSON.parse(JSON.stringify(policy.prices)).decimals, 9);
  });

  test('knows models by what callers say and what providers answer', () => {
    const names = (found: 'asked' | 'answered', ...said: string[]) =>
      said.map((each) => policy.models[found](each)?.name);
    assert.deepEqual(names('asked', 'gpt-5', 'gpt-5-latest', 'gpt-5-2026-01-01', 'GPT-5', ''), [
      'gpt-5',
      'gpt-5',
      undefined,
      undefined,
      undefined,
    ]);
    assert.deepEqual(
      names('answered', 'gpt-5', 'gpt-5-2026-01-01', 'gpt-5-latest', 'gpt-5-mini-2026-01-01', 'gpt-5-mini'),
      ['gpt-5', 'gpt-5', undefined, undefined, 'gpt-5-mini'],
    );
    assert.equal(policy.models.byName.get('gpt-5')?.outputAssumed, 4000);
    assert.equal(policy.models.byName.get('gpt-5')?.outputMax, 128_000);
  });

  test('judges access: a deny wins, else one allow must match', () => {
    const judge = (account: string, route: string, said: string | undefined) => {
      const model = said === undefined ? undefined : policy.models.asked(said);
      const answer = policy.access.judge({ account, credential: 'k', actor: undefined, route, model, said });
      return 'rule' in answer ? `${answer.outcome} ${answer.rule}` : answer.outcome;
    };
    const rows: readonly [account: string, route: string, said: string | undefined, expected: string][] = [
      ['acme', 'chat', 'gpt-5', 'allowed default'],
      ['acme/search', 'models', undefined, 'allowed default'],
      ['acme/hr', 'chat', 'gpt-5', 'denied eu-only'],
      ['acme/hr/pay', 'chat', 'gpt-5-mini', 'denied eu-only'],
      ['acme/hr', 'models', undefined, 'allowed default'],
      ['acme/hrx', 'chat', 'gpt-5', 'allowed default'],
      ['acme/contractors/x', 'chat', 'gpt-4-vision', 'denied no-vision'],
      ['acme/contractors/x', 'chat', 'gpt-5', 'allowed default'],
      ['globex', 'chat', 'gpt-5', 'unlisted'],
      ['acmeo', 'chat', 'gpt-5', 'unlisted'],
      ['acme', 'other', 'gpt-5', 'unlisted'],
    ];
    for (const [index, [account, route, said, expected]] of rows.entries()) {
      assert.equal(judge(account, route, said), expected, `row ${index}`);
    }
  });

  test('is frozen', () => {
    const account = policy.account('acme/search')!;
    for (const value of [
      policy,
      policy.prices,
      policy.prices.charge,
      policy.models,
      account,
      account.limits,
      account.limits[0],
      account.limits[0]?.limit,
      account.plan,
      account.chain,
      account.tags,
      policy.route('GET', '/v1/models'),
    ]) {
      assert.ok(Object.isFrozen(value));
    }
  });
});
