/** Every dialect through the real Envoy: allowed and billed to the unit, refused in its own words, downgraded. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import OpenAI, { AzureOpenAI } from 'openai';
import type { StubUsage } from '../../tools/stub/behaviour.ts';
import { STUB_KEYS } from '../../tools/stub/keys.ts';
import { headerOf } from '../../tools/stub/records.ts';
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
/** Thoughts come on top of candidates; no cache is written. */
const GOOGLE = { input: 100, cacheRead: 20, output: 33, reasoning: 11 };
const GOOGLE_QUANTITIES = { input: 100, cache_read: 20, output: 33, reasoning: 11 };
const GOOGLE_CHARGE = 900_000n;
const LONG = 'word '.repeat(100_000);

function asOpenai(body: unknown): void {
  const { error } = body as { error: Record<string, unknown> };
  assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code']);
  assert.deepEqual(
    [error['type'], error['param'], error['code']],
    ['invalid_request_error', 'model', 'model_not_found'],
  );
}

function asGoogle(body: unknown): void {
  const { error } = body as { error: Record<string, unknown> };
  assert.deepEqual([error['code'], error['status']], [404, 'NOT_FOUND']);
  assert.equal((error['details'] as { reason: string }[])[0]!.reason, 'MODEL_NOT_FOUND');
}

function asBedrock(body: unknown): void {
  assert.deepEqual(Object.keys(body as object), ['__type', 'message']);
  assert.equal((body as { __type: string }).__type, 'ResourceNotFoundException');
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
  {
    dialect: 'azure-openai',
    path: '/openai/deployments/MODEL/chat/completions?api-version=2024-10-21',
    body: { messages: [], max_tokens: 50 },
    huge: { max_tokens: 120_000 },
    usage: CACHES,
    quantities: INCLUSIVE,
    charge: CHARGE,
    unknown: asOpenai,
    served: 'path',
  },
  {
    dialect: 'azure-openai, streamed, with the model in the body, too',
    path: '/openai/deployments/MODEL/chat/completions?api-version=2024-10-21',
    body: { model: 'MODEL', messages: [], max_tokens: 50, stream: true },
    huge: { max_tokens: 120_000 },
    usage: CACHES,
    quantities: INCLUSIVE,
    charge: CHARGE,
    unknown: asOpenai,
    served: 'body',
  },
  {
    dialect: 'gemini',
    path: '/v1beta/models/MODEL:generateContent',
    body: { contents: [{ parts: [{ text: 'hi' }] }], generationConfig: { maxOutputTokens: 50 } },
    huge: { generationConfig: { maxOutputTokens: 60_000, candidateCount: 2 } },
    usage: GOOGLE,
    quantities: GOOGLE_QUANTITIES,
    charge: GOOGLE_CHARGE,
    unknown: asGoogle,
    served: 'path',
  },
  {
    dialect: 'gemini, streamed',
    path: '/v1beta/models/MODEL:streamGenerateContent?alt=sse',
    body: { contents: [{ parts: [{ text: 'hi' }] }], generationConfig: { maxOutputTokens: 50 } },
    huge: { generationConfig: { maxOutputTokens: 120_000 } },
    usage: GOOGLE,
    quantities: GOOGLE_QUANTITIES,
    charge: GOOGLE_CHARGE,
    unknown: asGoogle,
    served: 'path',
  },
  {
    dialect: 'bedrock-converse',
    path: '/model/MODEL/converse',
    body: { messages: [{ role: 'user', content: [{ text: 'hi' }] }], inferenceConfig: { maxTokens: 50 } },
    huge: { inferenceConfig: { maxTokens: 120_000 } },
    usage: CACHES,
    quantities: { input: 100, cache_read: 20, cache_write_5m: 12, output: 33 },
    charge: CHARGE,
    unknown: asBedrock,
    served: 'path',
  },
];

const PLANS = `owner: finance@acme.example
currency: USD
plans:
  growth:
    prices: standard
    entitlements: [{routes: [responses, completions, embeddings, azure, gemini, geminiStream, geminiCount, bedrock, bedrockStream], models: [large, small], classes: [interactive]}]
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
  openai: {dialects: [openai-responses, openai-completions, openai-embeddings, azure-openai, gemini, bedrock-converse]}
models:
  large: {provider: openai, callers_say: ["large-v1:0"], output_max: 128k}
  small: {provider: openai, output_max: 128k}
`;
const TRAFFIC = `owner: platform@acme.example
routes:
  responses: {dialect: openai-responses, match: {method: POST, path: /v1/responses}}
  completions: {dialect: openai-completions, match: {method: POST, path: /v1/completions}}
  embeddings: {dialect: openai-embeddings, match: {method: POST, path: /v1/embeddings}}
  azure: {dialect: azure-openai, match: {method: POST, path: "/openai/deployments/{model}/chat/completions"}}
  gemini: {dialect: gemini, match: {method: POST, path: "/v1beta/models/{model}:generateContent"}}
  geminiStream: {dialect: gemini, match: {method: POST, path: "/v1beta/models/{model}:streamGenerateContent"}}
  geminiCount: {dialect: gemini, metered: false, match: {method: POST, path: "/v1beta/models/{model}:countTokens"}}
  bedrock: {dialect: bedrock-converse, match: {method: POST, path: "/model/{model}/converse"}}
  bedrockStream: {dialect: bedrock-converse, match: {method: POST, path: "/model/{model}/converse-stream"}}
`;
const ACCESS = `owner: security@acme.example
environment: prod
rules: [{name: acme, allow: {accounts: [acme/**], routes: [responses, completions, embeddings, azure, gemini, geminiStream, geminiCount, bedrock, bedrockStream]}}]
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

  test('the official SDK for Azure names the deployment in path and body; both name the served model', async () => {
    const client = new AzureOpenAI({
      apiKey: stack.key.caller,
      endpoint: stack.url,
      apiVersion: '2024-10-21',
      maxRetries: 0,
    });
    const ask = { messages: [{ role: 'user' as const, content: 'hi' }], max_tokens: 120_000 };
    const { data, response } = await client.chat.completions.create({ model: 'large', ...ask }).withResponse();
    assert.equal(data.model, 'small');
    const [record] = stack.stub.recordsOf(String(response.headers.get('x-tollgate-decision')));
    assert.equal(record!.path, '/openai/deployments/small/chat/completions?api-version=2024-10-21');
    assert.equal((JSON.parse(record!.body.toString()) as { model: string }).model, 'small');
    assert.deepEqual(headerOf(record!, 'api-key'), [STUB_KEYS.azure]);
    assert.deepEqual(headerOf(record!, 'authorization'), []);
  });

  const bearer = () => ({ authorization: `Bearer ${stack.key.caller}` });
  const BEDROCK = { messages: [{ role: 'user', content: [{ text: 'hi' }] }], inferenceConfig: { maxTokens: 50 } };
  const GEMINI = { contents: [{ parts: [{ text: 'hi' }] }], generationConfig: { maxOutputTokens: 50 } };

  test('a stream of Bedrock’s is billed by estimate, as no filter reads it', async () => {
    const answer = await send({
      url: stack.url,
      path: '/model/large/converse-stream',
      headers: bearer(),
      body: BEDROCK,
    });
    assert.equal(answer.status, 200, answer.text);
    const { end, hold, quantities } = await book.ended(String(answer.headers['x-tollgate-decision']));
    assert.equal(end.kind, 'estimated');
    assert.equal(hold.stream, true);
    assert.deepEqual(quantities, { input: hold.estimate.inputTokens, output: Math.ceil(answer.body.length / 60) });
  });

  test('a colon may stand in the path as itself or escaped; the provider gets the model’s own name', async () => {
    for (const model of ['large-v1:0', 'large-v1%3A0', 'large-v1%3a0']) {
      const answer = await send({ url: stack.url, path: `/model/${model}/converse`, headers: bearer(), body: BEDROCK });
      assert.equal(answer.status, 200, answer.text);
      const [record] = stack.stub.recordsOf(String(answer.headers['x-tollgate-decision']));
      assert.equal(record!.path, '/model/large/converse');
      assert.deepEqual(headerOf(record!, 'authorization'), [`Bearer ${STUB_KEYS.bedrock}`]);
    }
  });

  test('a slash cannot: Envoy refuses it escaped, and no route has it plain', async () => {
    for (const [model, status] of [
      ['arn%3Aaws%3Abedrock%2Flarge', 400],
      ['a/large', 404],
      ['lar%67e', 200],
      ['large%20', 404],
      ['large%00', 400],
      ['../model/large', 200],
    ] as const) {
      const answer = await send({ url: stack.url, path: `/model/${model}/converse`, headers: bearer(), body: BEDROCK });
      assert.equal(answer.status, status, `${model}: ${answer.text}`);
      assert.deepEqual(
        stack.stub.records().map(({ path }) => path),
        status === 200 ? ['/model/large/converse'] : [],
      );
      stack.stub.reset();
    }
  });

  test('a model in the body that is not the path’s is refused in the API’s own words', async () => {
    const gemini = await send({
      url: stack.url,
      path: '/v1beta/models/large:generateContent',
      headers: { 'x-goog-api-key': stack.key.caller },
      body: { ...GEMINI, model: 'small' },
    });
    assert.equal(gemini.status, 400);
    const { error } = JSON.parse(gemini.text) as { error: { status: string; details: { reason: string }[] } };
    assert.deepEqual([error.status, error.details[0]!.reason], ['INVALID_ARGUMENT', 'MODEL_CONFLICT']);
    assert.equal(stack.stub.records().length, 0);
  });

  test('J21 a key in the query is 401 and reaches nobody, also beside a good one and escaped', async () => {
    for (const query of ['key=KEY', '%6bey=KEY', 'alt=sse&key=KEY']) {
      for (const headers of [{}, { 'x-goog-api-key': stack.key.caller }]) {
        const path = `/v1beta/models/large:streamGenerateContent?${query.replace('KEY', stack.key.caller)}`;
        const answer = await send({ url: stack.url, path, headers, body: GEMINI });
        assert.equal(answer.status, 401, answer.text);
        assert.equal((JSON.parse(answer.text) as { error: { status: string } }).error.status, 'UNAUTHENTICATED');
        assert.doesNotMatch(answer.text, new RegExp(stack.key.caller));
      }
    }
    assert.equal(stack.stub.records().length, 0);
    assert.ok(!stack.tollgate().stderr().includes(stack.key.caller));
  });

  test('counting tokens is not metered, and the provider’s key goes along', async () => {
    const answer = await send({
      url: stack.url,
      path: '/v1beta/models/large:countTokens',
      headers: { 'x-goog-api-key': stack.key.caller },
      body: GEMINI,
    });
    assert.deepEqual([answer.status, answer.text], [200, '{"totalTokens":7}']);
    const [record] = stack.stub.recordsOf(String(answer.headers['x-tollgate-decision']));
    assert.deepEqual(headerOf(record!, 'x-goog-api-key'), [STUB_KEYS.gemini]);
  });

  test('counting tokens of a model that nobody may see is refused in the words of the API', async () => {
    const before = stack.stub.records().length;
    const answer = await send({
      url: stack.url,
      path: '/v1beta/models/nobody:countTokens',
      headers: { 'x-goog-api-key': stack.key.caller },
      body: GEMINI,
    });
    assert.equal(answer.status, 404);
    assert.equal((JSON.parse(answer.text) as { error: { status: string } }).error.status, 'NOT_FOUND');
    assert.equal(stack.stub.records().length, before);
  });

  test('`explain` asks as each API is asked: model in the path, cap in its own words', async () => {
    const explain = (...more: string[]) =>
      stack.cli(['explain', '--config', stack.bundle, '--key', stack.keyId.caller, ...more]);
    for (const route of ['responses', 'gemini', 'bedrock', 'azure']) {
      const asked = ['--route', route, '--model', 'large', '--max-tokens', '50'];
      const { code, stdout, stderr } = await explain(...asked);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^now, it would be allowed: `large`[\s\S]*up to 50 output tokens/);
    }
    const wrong = async (...more: string[]) => {
      const { code, stderr } = await explain(...more, '--body', 'package.json');
      assert.equal(code, 2);
      return stderr;
    };
    assert.match(await wrong('--route', 'gemini'), /names the model in its path and needs `--model`/);
    assert.match(await wrong('--route', 'responses', '--model', 'large'), /give `--model` or `--body`/);
  });
});
