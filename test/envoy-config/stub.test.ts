/** The stub provider speaks what the official packages read, and does as it is told. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { headerOf } from '../../tools/stub/records.ts';
import { type Stub, startStub } from '../../tools/stub/server.ts';
import { begin, send } from '../support/http.ts';
import { spawnNode } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';

const MESSAGES = [{ role: 'user' as const, content: 'Grüße' }];
const CHAT = '/v1/chat/completions';
const key = { authorization: 'Bearer stub-openai-key' };

describe('the stub provider', () => {
  const scope = fileScope();
  let stub: Stub;
  let openai: OpenAI;
  let anthropic: Anthropic;

  before(async () => {
    stub = await startStub();
    scope.after(() => stub.stop());
    openai = new OpenAI({ baseURL: `${stub.url}/v1`, apiKey: 'stub-openai-key', maxRetries: 0 });
    anthropic = new Anthropic({ baseURL: stub.url, apiKey: 'stub-anthropic-key', maxRetries: 0 });
  });
  beforeEach(() => stub.reset());

  test('OpenAI: usage is of the body and the cap, 40 without', async () => {
    const answer = await openai.chat.completions.create({ model: 'gpt-5', messages: MESSAGES });
    const [record] = stub.records();
    assert.equal(answer.usage?.prompt_tokens, Math.ceil(record!.body.length / 4));
    assert.equal(answer.usage?.completion_tokens, 40);
    const capped = await openai.chat.completions.create({
      model: 'gpt-5',
      messages: MESSAGES,
      max_completion_tokens: 7,
      n: 2,
    });
    assert.equal(capped.usage?.completion_tokens, 14);
    assert.equal(capped.model, 'gpt-5');
  });

  for (const include_usage of [true, false]) {
    test(`OpenAI stream, include_usage ${include_usage}: usage in the last chunk or nowhere`, async () => {
      const stream = await openai.chat.completions.create({
        model: 'gpt-5',
        messages: MESSAGES,
        stream: true,
        stream_options: { include_usage },
      });
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      const usages = chunks.map((chunk) => chunk.usage ?? null);
      assert.equal(usages.filter((usage) => usage !== null).length, include_usage ? 1 : 0);
      assert.equal(usages.at(-1)?.completion_tokens, include_usage ? 40 : undefined);
      const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
      assert.equal(text, 'word'.repeat(40));
    });
  }

  test('Anthropic: JSON and stream', async () => {
    const wanted = { input: 10, cacheRead: 4, cacheWrite5m: 3, cacheWrite1h: 2, output: 9 };
    stub.setBehaviour({ usage: wanted, model: 'claude-2026-01-01' });
    const request = { model: 'claude', max_tokens: 100, messages: MESSAGES };
    const answer = await anthropic.messages.create(request);
    const streamed = await anthropic.messages.stream(request).finalMessage();
    for (const message of [answer, streamed]) {
      assert.equal(message.model, 'claude-2026-01-01');
      assert.equal(message.usage.input_tokens, 10);
      assert.equal(message.usage.cache_read_input_tokens, 4);
      assert.equal(message.usage.cache_creation_input_tokens, 5);
      assert.equal(message.usage.output_tokens, 9);
      assert.deepEqual(
        message.content.map((block) => (block.type === 'text' ? block.text : '')),
        ['word'.repeat(9)],
      );
    }
  });

  test('any other key is refused, in dialect, and the request is recorded', async () => {
    const call = openai
      .withOptions({ apiKey: 'other' })
      .chat.completions.create({ model: 'gpt-5', messages: MESSAGES });
    await assert.rejects(call, OpenAI.AuthenticationError);
    const other = new Anthropic({ baseURL: stub.url, apiKey: 'other', maxRetries: 0 });
    await assert.rejects(
      other.messages.create({ model: 'claude', max_tokens: 1, messages: MESSAGES }),
      Anthropic.AuthenticationError,
    );
    assert.deepEqual(
      stub.records().map((record) => record.status),
      [401, 401],
    );
    assert.deepEqual(headerOf(stub.records()[0]!, 'authorization'), ['Bearer other']);
  });

  test('models are listed', async () => {
    const models = [];
    for await (const model of openai.models.list()) models.push(model.id);
    assert.deepEqual(models, ['gpt-5', 'gpt-5-mini']);
  });

  test('answers are held until they are released', async () => {
    stub.setBehaviour({ hold: true });
    const answers = [0, 1, 2].map(() => openai.chat.completions.create({ model: 'gpt-5', messages: MESSAGES }));
    await stub.arrived(3);
    assert.equal(stub.held(), 3);
    assert.deepEqual(
      stub.records().map((record) => record.state),
      ['open', 'open', 'open'],
    );
    stub.release();
    assert.equal((await Promise.all(answers)).length, 3);
    await openai.chat.completions.create({ model: 'gpt-5', messages: MESSAGES });
  });

  test('a stream is held where it is until it is released', async () => {
    stub.setBehaviour({ holdAfter: 2 });
    const body = { model: 'gpt-5', stream: true, messages: MESSAGES };
    const { response } = await begin({ url: stub.url, path: CHAT, body, headers: key });
    let text = '';
    for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) {
      text += part;
      if (stub.held() === 0) continue;
      assert.equal(text.match(/wordword/g)?.length, 10);
      stub.release();
    }
    assert.match(text, /data: \[DONE\]\n\n$/);
  });

  test('failures count down, or belong to a decision where a header orders them', async () => {
    const body = { model: 'gpt-5', messages: MESSAGES };
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await send({ url: stub.url, path: CHAT, body, headers: { ...key, ...headers } })).status;
    stub.setBehaviour({ failures: 2 });
    assert.deepEqual([await status({}), await status({}), await status({})], [503, 503, 200]);
    const ordered = { 'stub-behaviour': '{"failures":1,"failStatus":500}' };
    for (const decision of ['one', 'two']) {
      const headers = { ...ordered, 'x-tollgate-decision': decision };
      assert.deepEqual([await status(headers), await status(headers)], [500, 200]);
      assert.equal(stub.recordsOf(decision).length, 2);
    }
  });

  test('a stream can be cut by the stub, and is seen to be cut by the client', async () => {
    const body = { model: 'gpt-5', stream: true, messages: MESSAGES };
    stub.setBehaviour({ cutAfter: 2 });
    await assert.rejects(send({ url: stub.url, path: CHAT, body, headers: key }), { code: 'ECONNRESET' });
    stub.reset();
    stub.setBehaviour({ delayMs: 20, chunks: 50 });
    const { call, response } = await begin({ url: stub.url, path: CHAT, body, headers: key });
    response.once('data', () => call.destroy());
    await new Promise((resolve) => response.once('close', resolve));
    const until = performance.now() + 2000;
    while (stub.records()[0]?.state === 'open' && performance.now() < until) await new Promise(setImmediate);
    assert.equal(stub.records()[0]?.state, 'cut');
  });

  test('large answers, answers without usage, the model required', async () => {
    stub.setBehaviour({ padBytes: 3_000_000, omitUsage: true });
    const answer = await openai.chat.completions.create({ model: 'gpt-5', messages: MESSAGES });
    assert.equal(answer.usage, undefined);
    assert.equal(answer.choices[0]?.message.content?.length, 3_000_160);
    assert.equal((await send({ url: stub.url, path: CHAT, body: { messages: [] }, headers: key })).status, 400);
    assert.equal((await send({ url: stub.url, path: CHAT, body: 'no', headers: key })).status, 400);
    assert.equal((await send({ url: stub.url, path: '/v1/other', headers: key })).status, 404);
  });

  test('as a process of its own it tells its port, and is steered over HTTP', async (t) => {
    const child = spawnNode(t, ['tools/stub/main.ts', '--port', '0']);
    const port = Number((await child.line(/^\{"port":(\d+)\}$/))[1]);
    const url = `http://127.0.0.1:${port}`;
    await send({ url, path: '/stub/behaviour', method: 'PUT', body: { failures: 1 } });
    const call = { url, path: CHAT, body: { model: 'gpt-5', messages: [] }, headers: key };
    assert.equal((await send(call)).status, 503);
    assert.equal((await send(call)).status, 200);
    const records = JSON.parse((await send({ url, path: '/stub/records' })).text) as { status: number; body: string }[];
    assert.deepEqual(
      records.map((record) => record.status),
      [503, 200],
    );
    assert.equal(Buffer.from(records[0]!.body, 'base64').toString(), JSON.stringify(call.body));
    const second = spawnNode(t, ['tools/stub/main.ts', '--port', String(port)]);
    assert.deepEqual(await second.ended, { code: 1, signal: null });
    assert.match(second.stderr(), /^port `\d+` is in use: stop what listens there, or choose another with --port\n$/);
    assert.deepEqual(await child.kill('SIGTERM'), { code: 0, signal: null });
  });
});
