import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { headerOf } from '../../tools/stub/records.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';

const MESSAGES = [{ role: 'user' as const, content: 'hello' }];

const FILES = {
  'plans.yaml': plansWith({
    limits: [
      '{name: monthly-spend, max: 500 USD per month}',
      '{name: gpt5-daily, max: 3k tokens per day, models: [gpt-5]}',
    ],
    ladder: ['{at: 100% of gpt5-daily, from: gpt-5, use: gpt-5-mini}'],
    plans: [
      'starter: {prices: standard, entitlements: [{routes: [chat], models: [gpt-5-mini], classes: [interactive]}]}',
    ],
  }),
  'accounts/acme.yaml': `${ONE_CUSTOMER}acme/team:
  owner: team@acme.example
  limits: [{name: team-spend, max: 0.01 USD per month}]
`,
  'traffic.yaml': trafficWith({
    limits: ['{name: key-burst, max: 1 requests per second, burst: 3, each: credential, routes: [chat]}'],
  }),
};

const need = await needEnvoy();

describe('the six outcomes, through the real Envoy', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: FILES,
    callers: {
      allowed: { account: 'acme' },
      downgraded: { account: 'acme' },
      bursting: { account: 'acme' },
      team: { account: 'acme/team' },
      starter: { account: 'globex' },
      sdkBurst: { account: 'acme/sdk' },
      sdkTeam: { account: 'acme/team' },
      anthropic: { account: 'acme/team' },
    },
  });
  const chat = (key: string, body: object) =>
    send({ url: stack.url, path: '/v1/chat/completions', headers: { authorization: `Bearer ${key}` }, body });
  const openai = (key: string, maxRetries = 0) => new OpenAI({ apiKey: key, baseURL: `${stack.url}/v1`, maxRetries });
  const anthropic = (key: string, maxRetries = 0) => new Anthropic({ apiKey: key, baseURL: stack.url, maxRetries });

  test('1 allowed: served as asked, with a decision id; the provider sees its own key and never the caller’s', async () => {
    const answer = await chat(stack.key.allowed, { model: 'gpt-5-mini', messages: MESSAGES, max_tokens: 50 });
    assert.equal(answer.status, 200);
    const id = String(answer.headers['x-tollgate-decision']);
    assert.match(id, /^[a-z2-7]{8}-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(answer.headers['x-tollgate-model'], 'gpt-5-mini');
    assert.equal(answer.headers['x-tollgate-requested-model'], undefined);
    const [record] = stack.stub.recordsOf(id);
    assert.deepEqual(headerOf(record!, 'authorization'), ['Bearer stub-openai-key']);
    assert.ok(
      !record!.headers.some(([, value]) => value.includes(stack.key.allowed)),
      'the caller’s key reached the provider',
    );
    assert.deepEqual(headerOf(record!, 'x-tollgate-edit'), []);
  });

  test('2 downgraded: asked for gpt-5, served by gpt-5-mini, and the answer says so', async () => {
    const ask = () => chat(stack.key.downgraded, { model: 'gpt-5', messages: MESSAGES, max_tokens: 2900 });
    stack.stub.setBehaviour({ usage: { output: 2900 } });
    const first = await ask();
    assert.equal(first.headers['x-tollgate-model'], 'gpt-5');
    const second = await ask();
    stack.stub.setBehaviour({ usage: {} });
    assert.equal(second.status, 200);
    assert.equal(second.headers['x-tollgate-model'], 'gpt-5-mini');
    assert.equal(second.headers['x-tollgate-requested-model'], 'gpt-5');
    assert.equal(second.headers['x-tollgate-limit'], 'gpt5-daily');
    const [record] = stack.stub.recordsOf(String(second.headers['x-tollgate-decision']));
    assert.equal(JSON.parse(record!.body.toString()).model, 'gpt-5-mini');
  });

  test('3 a burst: 429 with Retry-After, in the API’s own words', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        chat(stack.key.bursting, { model: 'gpt-5-mini', messages: MESSAGES, max_tokens: 5 }),
      ),
    );
    const refused = answers.filter(({ status }) => status !== 200);
    assert.equal(refused.length, 2);
    for (const { status, headers, text } of refused) {
      assert.equal(status, 429);
      assert.equal(headers['content-type'], 'application/json');
      const seconds = Number(headers['retry-after']);
      assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, `retry-after ${headers['retry-after']}`);
      assert.equal(headers['x-should-retry'], undefined);
      assert.equal(headers['x-tollgate-limit'], 'key-burst');
      assert.match(String(headers['ratelimit']), /^"key-burst";r=0/);
      assert.match(String(headers['ratelimit-policy']), /^"key-burst";q=3/);
      const { error } = JSON.parse(text);
      assert.equal(error.type, 'requests');
      assert.equal(error.code, 'rate_limit_exceeded');
      assert.equal(error.param, null);
      assert.match(error.message, /^limit `key-burst` \(1 request per second\)/);
    }
  });

  test('4 a team budget inside a larger customer budget: spent, not to be retried', async () => {
    const answer = await chat(stack.key.team, { model: 'gpt-5-mini', messages: MESSAGES, max_tokens: 20_000 });
    assert.equal(answer.status, 429);
    assert.equal(answer.headers['x-should-retry'], 'false');
    assert.equal(answer.headers['retry-after'], undefined);
    assert.equal(answer.headers['x-tollgate-limit'], 'team-spend');
    const { error } = JSON.parse(answer.text);
    assert.deepEqual([error.type, error.code], ['insufficient_quota', 'insufficient_quota']);
    assert.match(
      error.message,
      /^limit `team-spend` \(0\.01 USD per month\) has 0\.01 USD left, this call may take 0\.040004 USD$/,
    );
  });

  test('5 not bought: 403', async () => {
    const answer = await chat(stack.key.starter, { model: 'gpt-5', messages: MESSAGES, max_tokens: 5 });
    assert.equal(answer.status, 403);
    assert.equal(answer.headers['x-should-retry'], 'false');
    assert.match(JSON.parse(answer.text).error.message, /^plan `starter` does not include model `gpt-5`$/);
  });

  test('6 a bad key: 401, alike for a key nobody made, a mistyped one and none', async () => {
    const known = stack.key.allowed;
    const mistyped = known.slice(0, -1) + (known.endsWith('A') ? 'B' : 'A');
    const before = stack.stub.records().length;
    const faces = [];
    for (const key of [mistyped, 'sk-nothing-of-ours', 'x']) {
      const { status, headers, text } = await chat(key, { model: 'gpt-5-mini', messages: MESSAGES, max_tokens: 5 });
      const { error } = JSON.parse(text);
      faces.push([
        status,
        headers['www-authenticate'],
        headers['x-should-retry'],
        error.type,
        error.code,
        error.message,
      ]);
      assert.ok(!text.includes(key) || key === 'x');
    }
    assert.equal(faces[0]![0], 401);
    assert.match(String(faces[0]![1]), /^Bearer .*error="invalid_token"/);
    assert.deepEqual(faces[1], faces[0]);
    assert.deepEqual(faces[2], faces[0]);
    const none = await send({
      url: stack.url,
      path: '/v1/chat/completions',
      body: { model: 'gpt-5-mini', messages: MESSAGES },
    });
    assert.equal(none.status, 401);
    assert.doesNotMatch(String(none.headers['www-authenticate']), /error=/);
    assert.equal(stack.stub.records().length, before);
  });

  test('unmetered: GET /v1/models needs a key and no body', async () => {
    const headers = { authorization: `Bearer ${stack.key.allowed}` };
    const answer = await send({ url: stack.url, path: '/v1/models', headers });
    assert.equal(answer.status, 200);
    const refused = await send({ url: stack.url, path: '/v1/models' });
    assert.equal(refused.status, 401);
    assert.equal(refused.headers['content-type'], 'application/problem+json');
  });

  test('the openai package raises its own error classes', async () => {
    const ask = (key: string, model: string, max_tokens = 5) =>
      openai(key).chat.completions.create({ model, messages: MESSAGES, max_tokens });
    await assert.rejects(ask('sk-none', 'gpt-5-mini'), OpenAI.AuthenticationError);
    await assert.rejects(ask(stack.key.starter, 'gpt-5'), OpenAI.PermissionDeniedError);
    await assert.rejects(ask(stack.key.starter, 'gpt-none'), OpenAI.NotFoundError);
    await assert.rejects(ask(stack.key.sdkTeam, 'gpt-5-mini', 20_000), (error: unknown) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.code, 'insufficient_quota');
      return true;
    });
  });

  test('the @anthropic-ai/sdk package raises its own error classes', async () => {
    const ask = (key: string, max_tokens = 5) =>
      anthropic(key).messages.create({ model: 'claude-sonnet', messages: MESSAGES, max_tokens });
    const served = await ask(stack.key.anthropic);
    assert.equal(served.role, 'assistant');
    await assert.rejects(ask('sk-ant-none'), Anthropic.AuthenticationError);
    await assert.rejects(ask(stack.key.anthropic, 20_000), (error: unknown) => {
      assert.ok(error instanceof Anthropic.APIError);
      assert.equal(error.status, 402);
      assert.equal((error.error as { error: { type: string } }).error.type, 'billing_error');
      return true;
    });
  });

  test('SDK retries: a spent budget is asked once, a burst waits as told and then passes', async () => {
    const seen: number[] = [];
    const counting = (key: string) =>
      new OpenAI({
        apiKey: key,
        baseURL: `${stack.url}/v1`,
        maxRetries: 3,
        fetch: async (url, init) => {
          const response = await fetch(url, init);
          seen.push(response.status);
          return response;
        },
      });
    const budget = counting(stack.key.sdkTeam).chat.completions.create({
      model: 'gpt-5-mini',
      messages: MESSAGES,
      max_tokens: 20_000,
    });
    await assert.rejects(budget, OpenAI.RateLimitError);
    assert.deepEqual(seen, [429]);
    seen.length = 0;
    const client = counting(stack.key.sdkBurst);
    const started = performance.now();
    for (let call = 0; call < 4; call++) {
      await client.chat.completions.create({ model: 'gpt-5-mini', messages: MESSAGES, max_tokens: 5 });
    }
    assert.deepEqual(seen.toSorted(), [200, 200, 200, 200, 429]);
    assert.ok(performance.now() - started >= 1000, 'the retry did not wait for Retry-After');
  });
});
