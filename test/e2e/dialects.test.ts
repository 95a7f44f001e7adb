/** Every dialect through the real Envoy: allowed and billed to the unit, refused in its own words, downgraded. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import OpenAI from 'openai';
import type { StubUsage } from '../../tools/stub/behaviour.ts';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { type Answer, send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';

/** One dialect: what is asked of `large`, whose calls of more than 100k tokens are served by `small`. */
interface Row {
  readonly dialect: string;
  /** `MODEL` stands for the model. */
  readonly path: string;
  readonly body: object;
  /** What makes the body ask for more than 100k tokens. */
  readonly huge: object;
  readonly usage: StubUsage;
  readonly quantities: Readonly<Record<string, number>>;
  /** At 2 and 20 USD per million tokens of input and output, caches as input: nanodollars. */
  readonly charge: bigint;
  /** The refusal of a model that nobody knows. */
  readonly unknown: (body: unknown) => void;
  /** The model in what the provider got, where the path does not name it. */
  readonly served: 'body' | 'path';
}

const CACHES = { input: 100, cacheRead: 20, cacheWrite5m: 7, cacheWrite1h: 5, output: 33, reasoning: 11 };
const INCLUSIVE = { input: 100, cache_read: 20, cache_write_5m: 12, output: 33, reasoning: 11 };
/** (100 + 20 + 12) × 2000 + 33 × 20000. */
const CHARGE = 924_000n;
const LONG = 'word '.repeat(100_000);

function asOpenai(body: unknown): void {
  const { error } = body as { error: Record<string, unknown> };
  assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code']);
  assert.deepEqual(
    [error['type'], error['param'], error['code']],
    ['invalid_request_error', 'model', 'model_not_found'],
  );
}

const ROWS: readonly Row[] = [
  {
    dialect: 'openai-responses',
    path: '/v1/responses',
    body: { model: 'MODEL', input: 'hi', max_output_tokens: 50 },
    huge: { max_output_tokens: 120_000 },
    usage: CACHES,
    quantities: INCLUSIVE,
    charge: CHARGE,
    unknown: asOpenai,
    served: 'body',
  },
  {
    dialect: 'openai-responses, streamed',
    path: '/v1/responses',
    body: { model: 'MODEL', input: 'hi', max_output_tokens: 50, stream: true },
    huge: { max_output_tokens: 120_000 },
    usage: CACHES,
    quantities: INCLUSIVE,
    charge: CHARGE,
    unknown: asOpenai,
    served: 'body',
  },
  {
    dialect: 'openai-completions',
    path: '/v1/completions',
    body: { model: 'MODEL', prompt: 'hi' },
    huge: { max_tokens: 60_000, n: 2 },
    usage: { ...CACHES, output: 20 },
    quantities: { ...INCLUSIVE, output: 20 },
    charge: 664_000n,
    unknown: asOpenai,
    served: 'body',
  },
  {
    dialect: 'openai-completions, streamed without include_usage',
    path: '/v1/completions',
    body: { model: 'MODEL', prompt: ['a', 'b'], stream: true },
    huge: { max_tokens: 60_000 },
    usage: CACHES,
    quantities: INCLUSIVE,
    charge: CHARGE,
    unknown: asOpenai,
    served: 'body',
  },
  {
    dialect: 'openai-embeddings',
    path: '/v1/embeddings',
    body: { model: 'MODEL', input: ['hi', 'there'] },
    huge: { input: LONG },
    usage: { input: 7 },
    quantities: { input: 7 },
    charge: 14_000n,
    unknown: asOpenai,
    served: 'body',
  },
];

const PLANS = `owner: finance@acme.example
currency: USD
plans:
  growth:
    prices: standard
    entitlements: [{routes: [responses, completions, embeddings], models: [large, small], classes: [interactive]}]
    limits: [{name: large-hourly, max: 100k tokens per hour, models: [large], each: credential}]
    ladder: [{at: 100% of large-hourly, from: large, use: small}]
prices:
  standard:
    large: [{from: 2026-01-01, per: 1M tokens, input: 2, output: 20}]
    small: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 10}]
costs:
  openai:
    large: [{from: 2026-01-01, per: 1M tokens, input: 2, output: 20}]
    small: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 10}]
`;
const MODELS = `owner: platform@acme.example
providers:
  openai: {dialects: [openai-responses, openai-completions, openai-embeddings]}
models:
  large: {provider: openai, output_max: 128k}
  small: {provider: openai, output_max: 128k}
`;
const TRAFFIC = `owner: platform@acme.example
routes:
  responses: {dialect: openai-responses, match: {method: POST, path: /v1/responses}}
  completions: {dialect: openai-completions, match: {method: POST, path: /v1/completions}}
  embeddings: {dialect: openai-embeddings, match: {method: POST, path: /v1/embeddings}}
`;
const ACCESS = `owner: security@acme.example
environment: prod
rules: [{name: acme, allow: {accounts: [acme/**], routes: [responses, completions, embeddings]}}]
`;

const need = await needEnvoy();

describe('every dialect, through the real Envoy', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': PLANS,
      'models.yaml': MODELS,
      'traffic.yaml': TRAFFIC,
      'access.yaml': ACCESS,
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
    },
    callers: { caller: { account: 'acme' } },
    gateway: { checkTimeoutMs: 2000 },
  });
  const book = bookOf(stack.ledger);
  beforeEach(() => stack.stub.reset());

  function call({ path, body }: Pick<Row, 'path' | 'body'>, model: string, more: object = {}): Promise<Answer> {
    const named = JSON.parse(JSON.stringify({ ...body, ...more }).replace('"MODEL"', JSON.stringify(model))) as object;
    const headers = { authorization: `Bearer ${stack.key.caller}` };
    return send({ url: stack.url, path: path.replace('MODEL', model), headers, body: named });
  }

  for (const [index, row] of ROWS.entries()) {
    test(`${index + 1} ${row.dialect}: allowed, and billed to the unit from what was reported`, async () => {
      stack.stub.setBehaviour({ usage: row.usage });
      const answer = await call(row, 'large');
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-tollgate-model'], 'large');
      const ended = await book.ended(String(answer.headers['x-tollgate-decision']));
      assert.equal(ended.end.kind, 'settled');
      assert.deepEqual(ended.end.flags, []);
      assert.deepEqual(ended.quantities, row.quantities);
      assert.equal(ended.charge, row.charge);
      assert.equal(ended.cost, row.charge);
    });

    test(`${index + 1} ${row.dialect}: refused in its own words`, async () => {
      const answer = await call(row, 'nobody-knows');
      assert.equal(answer.status, 404, answer.text);
      row.unknown(JSON.parse(answer.text));
      assert.equal(stack.stub.records().length, 0);
    });

    test(`${index + 1} ${row.dialect}: downgraded, and the provider is asked for the other model`, async () => {
      const answer = await call(row, 'large', row.huge);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-tollgate-model'], 'small');
      assert.equal(answer.headers['x-tollgate-requested-model'], 'large');
      const [record] = stack.stub.recordsOf(String(answer.headers['x-tollgate-decision']));
      const body = JSON.parse(record!.body.toString()) as Record<string, unknown>;
      if (row.served === 'body') assert.equal(body['model'], 'small');
      assert.equal(record!.path, row.path.replace('MODEL', 'small'));
    });
  }

  test('the official SDK reads what comes back, and what is refused', async () => {
    const client = new OpenAI({ apiKey: stack.key.caller, baseURL: `${stack.url}/v1`, maxRetries: 0 });
    const embedded = await client.embeddings.create({ model: 'large', input: 'hi' });
    assert.deepEqual(embedded.data[0]!.embedding, [0.5, -0.25]);
    const completed = await client.completions.create({ model: 'large', prompt: 'hi', max_tokens: 2 });
    assert.equal(completed.choices[0]!.text, 'wordword');
    const answered = await client.responses.create({ model: 'large', input: 'hi', max_output_tokens: 2 });
    assert.equal(answered.output_text, 'wordword');
    await assert.rejects(client.responses.create({ model: 'large', input: 'hi', background: true }), {
      constructor: OpenAI.BadRequestError,
      code: 'body_value_invalid',
      message: /never passes the gateway/,
    });
    await assert.rejects(client.responses.create({ prompt: { id: 'pmpt_1' } }), {
      code: 'model_invalid',
      param: 'model',
    });
  });
});
