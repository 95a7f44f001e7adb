/** Routes whose path names the model: what is asked, what is served, what is put into the path. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hasQueryCredential } from '../../src/decision/route.ts';
import { fileScope } from '../support/scope.ts';
import { type Asked, deskOf } from './desk.ts';

const desk = await deskOf(fileScope(), {
  routes: [
    'azure: {dialect: azure-openai, match: {method: POST, path: "/openai/deployments/{model}/chat/completions"}}',
    'stream: {dialect: gemini, stream_usage: require, match: {method: POST, path: "/v1/models/{model}:streamGenerateContent"}}',
    'frames: {dialect: bedrock-converse, stream_usage: require, match: {method: POST, path: "/model/{model}/converse-stream"}}',
    'count: {dialect: gemini, metered: false, match: {method: POST, path: "/v1/models/{model}:countTokens"}}',
  ],
  dialects: ['azure-openai', 'gemini', 'bedrock-converse'],
  entitlements: [
    '{routes: [azure, stream, frames, count], models: [large, small, tiny], classes: [interactive, agentic, batch]}',
  ],
  limits: ['{name: hourly, max: 1k tokens per hour, models: [large], each: run}'],
  ladder: ['{at: 100% of hourly, from: large, use: small}'],
});

const AZURE = (model: string, query = '?api-version=2024-10-21'): string =>
  `/openai/deployments/${model}/chat/completions${query}`;
const body = (json: object): Pick<Asked, 'body'> => ({ body: Buffer.from(JSON.stringify(json)) });
const huge = { headers: [['tollgate-run', 'r']], ...body({ messages: [], max_tokens: 1000, n: 2 }) } as const;

describe('a model in the path', () => {
  test('is asked for and served as it stands', () => {
    const allowed = desk.allow({ path: AZURE('large'), ...body({ messages: [] }) });
    assert.deepEqual([allowed.hold.requestedModel, allowed.hold.model], ['large', 'large']);
    assert.deepEqual([allowed.path, allowed.edits], [undefined, []]);
  });

  test('by another name is spelled out in the path, with the query as it came', () => {
    const allowed = desk.allow({ path: AZURE('large-latest', '?api-version=2024-10-21'), ...body({}) });
    assert.equal(allowed.hold.model, 'large');
    assert.equal(allowed.path, AZURE('large', '?api-version=2024-10-21'));
    assert.equal(desk.allow({ path: AZURE('large-latest', ''), ...body({}) }).path, AZURE('large', ''));
  });

  test('takes the ladder’s step in the path', () => {
    const allowed = desk.allow({ path: AZURE('large'), ...huge });
    assert.deepEqual([allowed.hold.requestedModel, allowed.hold.model], ['large', 'small']);
    assert.deepEqual([allowed.path, allowed.edits], [AZURE('small'), []]);
  });

  test('takes it in the body, too, where that repeats the model', () => {
    const allowed = desk.allow({
      path: AZURE('large'),
      headers: huge.headers,
      ...body({ model: 'large', max_tokens: 1000, n: 2 }),
    });
    assert.equal(allowed.path, AZURE('small'));
    assert.deepEqual(allowed.edits, [{ offset: 9, length: 7, text: '"small"' }]);
  });

  test('that the body contradicts is refused', () => {
    const denied = desk.deny({ path: AZURE('large'), ...body({ model: 'small' }) });
    assert.equal(denied.reason, 'model_conflict');
    assert.equal(desk.deny({ path: AZURE('large-latest'), ...body({ model: 'large' }) }).reason, 'model_conflict');
  });

  test('that nobody knows is refused as everywhere', () => {
    assert.equal(desk.deny({ path: AZURE('nobody'), ...body({}) }).reason, 'model_unknown');
  });

  test('on a route that is not metered is asked for, and neither priced nor served by', () => {
    const { hold, path } = desk.allow({ path: '/v1/models/large:countTokens?x=1', ...body({}) });
    assert.deepEqual([hold.requestedModel, hold.model, path], ['large', undefined, undefined]);
    assert.deepEqual([hold.estimate.charge, hold.estimate.inputTokens, hold.provider], [0, 0, undefined]);
  });

  test('by another name is spelled out there, too', () => {
    const { hold, path } = desk.allow({ path: '/v1/models/large-latest:countTokens?x=1', ...body({}) });
    assert.deepEqual(
      [hold.requestedModel, hold.model, path],
      ['large-latest', undefined, '/v1/models/large:countTokens?x=1'],
    );
  });
});

describe('access.yaml on routes that are not metered, for the model in the path', async () => {
  const strict = await deskOf(fileScope(), {
    routes: [
      'count: {dialect: gemini, metered: false, match: {method: POST, path: "/v1/models/{model}:countTokens"}}',
      'card: {metered: false, match: {method: GET, path: "/v1/cards/{model}"}}',
    ],
    dialects: ['gemini'],
    blocked: '{models: [tiny]}',
    rules: [
      '{name: no-vision, deny: {accounts: ["**"], models: ["*-vision"]}, reason: image models are not cleared}',
      '{name: no-latest, deny: {accounts: [acme/pinned], models: ["*-latest"]}}',
      '{name: some, allow: {accounts: [acme, acme/**], routes: [count, card], models: [large, claude, pic-vision]}}',
    ],
    entitlements: ['{routes: [chat], models: [small], classes: [interactive]}'],
    trafficLimits: ['{name: counts, max: 2 requests per minute, models: [large], each: model}'],
  });
  const count = (model: string): Asked => ({ path: `/v1/models/${model}:countTokens`, ...body({}) });
  const card = (model: string): Asked => ({ method: 'GET', path: `/v1/cards/${model}`, body: Buffer.alloc(0) });

  const ROWS: readonly (readonly [n: number, asked: Asked, expected: string])[] = [
    // The plan has neither route nor model: it is not asked.
    [1, count('large'), 'allow'],
    [2, count('large-latest'), 'allow'],
    [3, card('large'), 'rate_limited'],
    [4, count('nobody'), 'model_unknown'],
    [5, card('nobody'), 'model_unknown'],
    [6, count('__proto__'), 'model_unknown'],
    [7, count('pic-vision'), 'model_denied'],
    [8, card('pic-vision'), 'model_denied'],
    [9, count('tiny'), 'model_denied'],
    // No allow rule: it does not exist for this account, and its words are those of one that does not.
    [10, count('small'), 'model_hidden'],
    [11, card('small'), 'model_hidden'],
    // Not of this API; a route without an API has none to hold it to.
    [12, count('claude'), 'model_unknown'],
    [13, card('claude'), 'allow'],
  ];
  for (const [n, asked, expected] of ROWS) {
    test(`row ${n}: ${asked.path}: ${expected}`, () => {
      const decision = strict.decide(asked);
      assert.equal(decision.outcome === 'allow' ? 'allow' : decision.reason, expected);
    });
  }

  test('a refusal says for which model, in the ledger, too', () => {
    const denied = strict.deny(count('small'));
    assert.equal(denied.message, strict.deny(count('smell')).message.replace('smell', 'small'));
    assert.deepEqual(
      strict.refusals.slice(-2).map(({ requestedModel }) => requestedModel),
      ['small', 'smell'],
    );
  });
});

test('a query that the API steers by is refused', () => {
  assert.equal(desk.deny({ path: AZURE('large', '?api-version=1&x=2'), ...body({}) }).reason, 'query_invalid');
});

test('a stream that reports nothing is refused where usage is required', () => {
  const gemini = (query: string) => ({ path: `/v1/models/large:streamGenerateContent${query}`, ...body({}) });
  assert.match(desk.deny(gemini('')).message, /`alt=sse`/);
  assert.equal(desk.deny(gemini('')).reason, 'stream_usage_required');
  assert.equal(desk.allow(gemini('?alt=sse')).hold.stream, true);
  assert.equal(desk.deny({ path: '/model/large/converse-stream', ...body({}) }).reason, 'stream_usage_required');
});

describe('J21: a credential in the query', () => {
  const ROWS: readonly (readonly [n: number, query: string, refused: boolean])[] = [
    [1, '', false],
    [2, '?', false],
    [3, '?key=AIza', true],
    [4, '?alt=sse&key=AIza', true],
    [5, '?KEY=AIza', true],
    [6, '?%6bey=AIza', true],
    [7, '?key', true],
    [8, '?$key=AIza', true],
    [9, '?access_token=t', true],
    [10, '?api-key=t', true],
    [11, '?api_key=t', true],
    [12, '?subscription-key=t', true],
    [13, '?monkey=1&keys=2', false],
    [14, '?x=key', false],
    [15, '?x=1?key=2', false],
  ];
  for (const [n, query, refused] of ROWS) {
    test(`J21.${n}: ${query}`, () => assert.equal(hasQueryCredential(`/v1/models${query}`), refused));
  }

  test('J21 is answered like any credential that does not prove anybody, and says nothing of it', () => {
    const denied = desk.deny({ path: '/v1/models/large:streamGenerateContent?key=AIza', ...body({}) });
    assert.equal(denied.reason, 'credential_unsupported');
    assert.doesNotMatch(denied.message, /AIza/);
    assert.equal(denied.principal, undefined);
  });
});
