/** What Envoy's response filters tell of an answer: the keys of `tollgate.usage` that dialects read. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StubBehaviour } from '../../tools/stub/behaviour.ts';
import { needEnvoy } from '../support/envoy.ts';
import { begin, send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { gatewayOfDouble, type SeenEntry } from './tollgate-double.ts';

const CACHES = { input: 100, cacheRead: 20, cacheWrite5m: 7, cacheWrite1h: 5, output: 33, reasoning: 11 };

const need = await needEnvoy();

describe('usage in the access log', need, async () => {
  if (need.skip !== false) return;
  const { tollgate, gateway } = await gatewayOfDouble(fileScope());

  /** Sends one request and returns its access-log entry. */
  async function entryOf(body: object, behaviour: Partial<StubBehaviour>, path = CHAT): Promise<SeenEntry> {
    gateway.stub.setBehaviour(behaviour);
    const answer = await send({ url: gateway.url, path, body });
    assert.equal(answer.status, 200, answer.text);
    return tollgate.entryOf(String(answer.headers['x-tollgate-decision']));
  }

  test('OpenAI JSON: every leaf by its name', async () => {
    const entry = await entryOf({ model: 'gpt-5', messages: [] }, { usage: CACHES, model: 'gpt-5-2026-01-01' });
    assert.deepEqual(entry.usage, {
      model: 'gpt-5-2026-01-01',
      prompt_tokens: 132,
      completion_tokens: 33,
      cached_tokens: 20,
      cache_write_tokens: 12,
      reasoning_tokens: 11,
    });
    assert.equal(entry.attempts, 1);
    assert.equal(entry.status, 200);
    assert.match(entry.requestHeaders['x-tollgate-decision'] ?? '', /^d-\d+$/);
    assert.equal(entry.responseHeaders['content-type'], 'application/json');
  });

  test('Anthropic JSON: every leaf by its name', async () => {
    const body = { model: 'claude', max_tokens: 50, messages: [] };
    const entry = await entryOf(body, { usage: CACHES }, MESSAGES);
    assert.deepEqual(entry.usage, {
      model: 'claude',
      input_tokens: 100,
      output_tokens: 33,
      cache_read_input_tokens: 20,
      cache_creation_input_tokens: 12,
      cache_5m_tokens: 7,
      cache_1h_tokens: 5,
    });
  });

  test('OpenAI stream: the usage object as a JSON string; `usage: null` before it does not count', async () => {
    const body = { model: 'gpt-5', stream: true, stream_options: { include_usage: true }, messages: [] };
    const entry = await entryOf(body, { usage: CACHES });
    assert.deepEqual(Object.keys(entry.usage).sort(), ['model', 'sse_usage']);
    assert.deepEqual(JSON.parse(String(entry.usage['sse_usage'])), {
      prompt_tokens: 132,
      completion_tokens: 33,
      total_tokens: 165,
      prompt_tokens_details: { cached_tokens: 20, cache_write_tokens: 12, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 11, audio_tokens: 0 },
    });
  });

  test('OpenAI stream: nothing but the model without include_usage', async () => {
    const entry = await entryOf({ model: 'gpt-5', stream: true, messages: [] }, {});
    assert.deepEqual(entry.usage, { model: 'gpt-5' });
  });

  test('Anthropic stream: model and usage of message_start, last usage of message_delta', async () => {
    const body = { model: 'claude', stream: true, max_tokens: 50, messages: [] };
    const entry = await entryOf(body, { usage: CACHES }, MESSAGES);
    assert.equal(entry.usage['model'], 'claude');
    assert.deepEqual(JSON.parse(String(entry.usage['sse_usage'])), { output_tokens: 33 });
    const started = JSON.parse(String(entry.usage['sse_message_usage'])) as Record<string, unknown>;
    assert.equal(started['input_tokens'], 100);
    assert.equal(started['cache_read_input_tokens'], 20);
    assert.deepEqual(started['cache_creation'], { ephemeral_5m_input_tokens: 7, ephemeral_1h_input_tokens: 5 });
  });

  test('OpenAI responses: leaves by the names they share with the other APIs, whatever is Anthropic’s own', async () => {
    const entry = await entryOf({ model: 'gpt-5', input: 'hi' }, { usage: CACHES }, RESPONSES);
    assert.deepEqual(entry.usage, {
      model: 'gpt-5',
      input_tokens: 132,
      output_tokens: 33,
      cached_tokens: 20,
      cache_write_tokens: 12,
      reasoning_tokens: 11,
    });
  });

  for (const [what, padBytes] of [
    ['', 0],
    [', also where the last event has an answer of 3 MB in it', 3_000_000],
  ] as const) {
    test(`OpenAI responses stream: usage of the last event${what}`, async () => {
      const body = { model: 'gpt-5', input: 'hi', stream: true };
      const entry = await entryOf(body, { usage: CACHES, padBytes }, RESPONSES);
      assert.deepEqual(Object.keys(entry.usage).sort(), ['model', 'sse_response_usage']);
      assert.deepEqual(JSON.parse(String(entry.usage['sse_response_usage'])), {
        input_tokens: 132,
        input_tokens_details: { cached_tokens: 20, cache_write_tokens: 12 },
        output_tokens: 33,
        output_tokens_details: { reasoning_tokens: 11 },
        total_tokens: 165,
      });
    });
  }

  test('OpenAI embeddings: prompt tokens, and no others', async () => {
    const entry = await entryOf({ model: 'gpt-5', input: 'hi' }, { usage: { input: 9 } }, '/v1/embeddings');
    assert.deepEqual(entry.usage, { model: 'gpt-5', prompt_tokens: 9 });
  });

  const CONTENTS = { contents: [{ parts: [{ text: 'hi' }] }] };
  const GOOGLE = { input: 100, cacheRead: 20, output: 33, reasoning: 11 };

  test('Gemini JSON: every leaf by its name, the model by its version', async () => {
    const behaviour = { usage: GOOGLE, model: 'gemini-3-pro-002' };
    const entry = await entryOf(CONTENTS, behaviour, '/v1beta/models/gemini-3-pro:generateContent');
    assert.deepEqual(entry.usage, {
      model: 'gemini-3-pro-002',
      prompt_token_count: 120,
      cached_content_token_count: 20,
      candidates_token_count: 22,
      thoughts_token_count: 11,
      total_token_count: 153,
    });
  });

  test('Gemini stream: the last usageMetadata, as a JSON string', async () => {
    const path = '/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse';
    const entry = await entryOf(CONTENTS, { usage: GOOGLE }, path);
    assert.deepEqual(Object.keys(entry.usage).sort(), ['model', 'sse_usage_metadata']);
    const metadata = JSON.parse(String(entry.usage['sse_usage_metadata'])) as Record<string, unknown>;
    assert.deepEqual([metadata['candidatesTokenCount'], metadata['totalTokenCount']], [22, 153]);
  });

  test('Bedrock JSON: under the keys of Anthropic’s', async () => {
    const entry = await entryOf({ messages: [] }, { usage: CACHES }, '/model/anthropic.claude-v1%3A0/converse');
    assert.deepEqual(entry.usage, {
      input_tokens: 100,
      output_tokens: 33,
      cache_read_input_tokens: 20,
      cache_creation_input_tokens: 12,
    });
  });

  test('Bedrock stream: nothing, its frames are binary', async () => {
    const entry = await entryOf({ messages: [] }, { usage: CACHES }, '/model/m/converse-stream');
    assert.deepEqual(entry.usage, {});
    assert.equal(entry.responseHeaders['content-type'], 'application/vnd.amazon.eventstream');
  });

  test('an event of 900 kB in a stream does not hide the usage after it', async () => {
    const body = { model: 'gpt-5', stream: true, stream_options: { include_usage: true }, messages: [] };
    const entry = await entryOf(body, { usage: { output: 9 }, padBytes: 900_000 });
    assert.equal((JSON.parse(String(entry.usage['sse_usage'])) as Record<string, unknown>)['completion_tokens'], 9);
  });

  for (const jsonType of ['application/json; charset=utf-8', 'application/json;charset=utf-8', 'Application/JSON']) {
    test(`JSON of the type ${jsonType} is read`, async () => {
      const entry = await entryOf({ model: 'gpt-5', messages: [] }, { jsonType, usage: { output: 3 } });
      assert.equal(entry.usage['completion_tokens'], 3);
    });
  }

  for (const megabytes of [2, 5, 31]) {
    test(`a JSON reply of ${megabytes} MB passes, with its usage`, async () => {
      const entry = await entryOf(
        { model: 'gpt-5', messages: [] },
        { padBytes: megabytes * 1_000_000, usage: { output: 3 } },
      );
      assert.equal(entry.usage['completion_tokens'], 3);
      assert.ok(entry.responseBodyBytes > megabytes * 1_000_000);
    });
  }

  test('a client that leaves mid-stream is logged, with the model and no usage', async () => {
    gateway.stub.setBehaviour({ delayMs: 50, chunks: 100 });
    const body = { model: 'gpt-5', stream: true, stream_options: { include_usage: true }, messages: [] };
    const { call, response } = await begin({ url: gateway.url, path: CHAT, body });
    await new Promise((resolve) => response.once('data', resolve));
    call.destroy();
    const entry = await tollgate.entryOf(String(response.headers['x-tollgate-decision']));
    assert.deepEqual(entry.usage, { model: 'gpt-5' });
    assert.equal(entry.clientGone, true);
    assert.equal(entry.details, 'downstream_remote_disconnect');
  });

  test('a denial is logged with its decision and without an attempt', async () => {
    tollgate.decide(() => ({ deny: 429, body: '{}' }));
    const answer = await send({ url: gateway.url, path: CHAT, body: { model: 'gpt-5', messages: [] } });
    tollgate.decide(() => ({ allow: {} }));
    assert.equal(answer.status, 429);
    const entry = await tollgate.entryOf(tollgate.checks.at(-1)!.id);
    assert.equal(entry.status, 429);
    assert.equal(entry.attempts, 0);
    assert.equal(entry.details, 'ext_authz_denied');
  });

  test('three attempts are one check and one entry', async () => {
    const checks = tollgate.checks.length;
    const entry = await entryOf({ model: 'gpt-5', messages: [] }, { failures: 2 });
    assert.equal(tollgate.checks.length, checks + 1);
    assert.equal(entry.attempts, 3);
    assert.equal(gateway.stub.recordsOf(entry.decisionId ?? '').length, 3);
  });

  test('a request that was never decided is not logged', async () => {
    const entries = tollgate.entries.length;
    assert.equal((await send({ url: gateway.url, path: '/v1/unlisted' })).status, 404);
    await entryOf({ model: 'gpt-5', messages: [] }, {});
    assert.equal(tollgate.entries.length, entries + 1);
  });
});

const CHAT = '/v1/chat/completions';
const MESSAGES = '/v1/messages';
const RESPONSES = '/v1/responses';
