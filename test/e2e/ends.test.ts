/** How a request may end, and what is booked of it: through the real Envoy, whose own entries say what really happened. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { beforeEach, describe, test } from 'node:test';
import type { StubBehaviour } from '../../tools/stub/behaviour.ts';
import { startTee } from '../support/access-log-tee.ts';
import { bookOf, type Ended } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { type Answer, begin, send } from '../support/http.ts';
import { freePort } from '../support/ports.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

/** One counter of each unit for each caller, so that a test finds in its counters only what it did. */
const LIMITS = ['requests', 'input_tokens', 'output_tokens', 'tokens'].map(
  (unit) => `{name: day-${unit}, max: 100M ${unit} per day, each: credential}`,
);
const FILES = {
  'plans.yaml': plansWith({ limits: [...LIMITS, '{name: day-charge, max: 100k USD per day, each: credential}'] }),
  'accounts/acme.yaml': ONE_CUSTOMER,
  'accounts/globex.yaml': undefined,
  'traffic.yaml': trafficWith({ limits: ['{name: slots, max: 1 in flight, each: credential}'] }),
};

/** Price and cost of a token of gpt-5-mini and claude-sonnet, in 10^-9 USD (test/support/bundles.ts). */
const RATES = {
  'gpt-5-mini': { input: [250n, 200n], output: [2000n, 1600n] },
  'claude-sonnet': { input: [3000n, 2400n], output: [15_000n, 12_000n] },
} as const;

const CHAT = '/v1/chat/completions';
const HELLO = [{ role: 'user', content: 'hello' }];

/** What is booked, and that every counter of the decision stands at exactly that. */
function assertBooked(
  ended: Ended,
  expected: {
    readonly kind: Ended['end']['kind'];
    readonly input: number;
    readonly output: number;
    readonly requests: 0 | 1;
    readonly attempts: number;
  },
): void {
  const { hold, end, quantities, charge, cost, counterOf } = ended;
  const { kind, input, output, requests, attempts } = expected;
  assert.deepEqual(
    { kind: end.kind, rank: end.rank, source: end.source, attempts: end.attempts, flags: end.flags },
    { kind, rank: 2, source: 'hold', attempts, flags: [] },
  );
  const used = { ...(input > 0 ? { input } : {}), ...(output > 0 ? { output } : {}) };
  assert.deepEqual(quantities, used);
  const rates = RATES[hold.model as keyof typeof RATES];
  const money = (at: 0 | 1): bigint => BigInt(input) * rates.input[at] + BigInt(output) * rates.output[at];
  assert.deepEqual([charge, cost], [money(0), money(1)]);
  const counters = {
    'day-requests': requests,
    'day-input_tokens': input,
    'day-output_tokens': output,
    'day-tokens': input + output,
    'day-charge': Number(charge),
    slots: 0,
  };
  for (const [limit, amount] of Object.entries(counters)) {
    assert.deepEqual(counterOf(limit), { used: amount, held: 0 }, limit);
  }
}

const need = await needEnvoy();

describe('how requests end, with Envoy retrying as in the sample', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const tee = await startTee(scope);
  const stack = await stackFor(scope, {
    files: FILES,
    callers: {
      whole: { account: 'acme' },
      cut: { account: 'acme' },
      bounded: { account: 'acme' },
      retried: { account: 'acme' },
      exhausted: { account: 'acme' },
      broken: { account: 'acme' },
      invalid: { account: 'acme' },
      silent: { account: 'acme' },
      anthropic: { account: 'acme' },
      gone: { account: 'acme' },
      providerCut: { account: 'acme' },
      models: { account: 'acme' },
    },
    gateway: { retries: 2, accessLog: { path: tee.path } },
  });
  tee.to(stack.accessLog);
  const book = bookOf(stack.ledger);
  type Caller = keyof typeof stack.key;
  const callOf = (caller: Caller, body?: object, path = CHAT) => ({
    url: stack.url,
    path,
    headers: { authorization: `Bearer ${stack.key[caller]}` },
    ...(body === undefined ? {} : { body: { model: 'gpt-5-mini', messages: HELLO, max_tokens: 50, ...body } }),
  });
  /** Makes one call and waits for its end. */
  const endOf = async (
    caller: Caller,
    { body, behaviour, path }: { body?: object; behaviour: Partial<StubBehaviour>; path?: string },
  ): Promise<{ readonly answer: Answer; readonly ended: Ended }> => {
    stack.stub.setBehaviour(behaviour);
    const answer = await send(callOf(caller, body, path));
    return { answer, ended: await book.ended(decisionOf(answer)) };
  };
  const requestsOf = (caller: Caller) =>
    book.read((reader) => {
      const query = {
        by: ['credential' as const],
        fromMs: undefined,
        toMs: undefined,
        zone: 'UTC',
        account: undefined,
      };
      return reader.report(query).rows.find((row) => row.key[0]?.includes(stack.keyId[caller]))?.requests;
    });
  beforeEach(() => stack.stub.reset());

  test('reported usage: settled with what the provider says', async () => {
    const { answer, ended } = await endOf('whole', { body: {}, behaviour: { usage: { input: 11, output: 7 } } });
    assert.equal(answer.status, 200);
    assertBooked(ended, { kind: 'settled', input: 11, output: 7, requests: 1, attempts: 1 });
  });

  test('a stream that the client cuts half-way: one record, estimated from the bytes that went out; the slot is free', async () => {
    stack.stub.setBehaviour({ chunks: 40, holdAfter: 20 });
    const { call, response } = await begin(callOf('cut', { stream: true, max_tokens: 4000 }));
    let got = 0;
    response.on('data', (part: Buffer) => {
      got += part.length;
    });
    await until('the first half', () => stack.stub.held() === 1 && got > 20 * 150);
    const id = decisionOf(response);
    assert.equal(book.allowed(id)?.ends.length ?? 0, 0);
    const busy = await send(callOf('cut', {}));
    assert.equal(busy.status, 429, 'the only slot is taken while the stream lasts');
    call.destroy();
    const ended = await book.ended(id);
    const entry = await tee.entryOf(id);
    assert.match(entry.details, /^downstream_remote_disconnect/);
    assert.ok(entry.responseBytes >= got, `${entry.responseBytes} bytes logged, ${got} received`);
    const output = Math.ceil(entry.responseBytes / 200);
    assert.ok(output > 0 && output < 40, `${output} tokens of half a stream of 40 chunks`);
    const { inputTokens } = ended.hold.estimate;
    assertBooked(ended, { kind: 'estimated', input: inputTokens, output, requests: 1, attempts: 1 });
    stack.stub.reset();
    const free = await send(callOf('cut', {}));
    assert.equal(free.status, 200, 'the slot came back with the settlement');
    await book.ended(decisionOf(free));
    assert.equal(requestsOf('cut'), 2n);
  });

  test('an estimate of output is bounded by what the request could get', async () => {
    stack.stub.setBehaviour({ chunks: 40, holdAfter: 20 });
    const { call, response } = await begin(callOf('bounded', { stream: true, max_tokens: 3 }));
    let got = 0;
    response.on('data', (part: Buffer) => {
      got += part.length;
    });
    await until('more than three tokens', () => got > 2000);
    call.destroy();
    const ended = await book.ended(decisionOf(response));
    assert.equal(ended.hold.estimate.outputMax, 3);
    assertBooked(ended, {
      kind: 'estimated',
      input: ended.hold.estimate.inputTokens,
      output: 3,
      requests: 1,
      attempts: 1,
    });
  });

  test('the provider answers 503, 503, 200: one Check, one charge, three attempts', async () => {
    const { answer, ended } = await endOf('retried', {
      body: {},
      behaviour: { failures: 2, usage: { input: 5, output: 6 } },
    });
    assert.equal(answer.status, 200);
    assertBooked(ended, { kind: 'settled', input: 5, output: 6, requests: 1, attempts: 3 });
    assert.deepEqual(
      stack.stub.recordsOf(ended.hold.decisionId).map(({ status }) => status),
      [503, 503, 200],
    );
    assert.equal(requestsOf('retried'), 1n, 'one decision for all attempts');
  });

  test('503 until retries are spent: failed, three attempts, no tokens, no money; the request is kept', async () => {
    const { answer, ended } = await endOf('exhausted', { body: {}, behaviour: { failures: 3 } });
    assert.equal(answer.status, 503);
    assert.match(answer.text, /stub failure/);
    assertBooked(ended, { kind: 'failed', input: 0, output: 0, requests: 1, attempts: 3 });
    assert.equal(ended.end.status, 503);
  });

  for (const [caller, status] of [
    ['broken', 500],
    ['invalid', 400],
  ] as const) {
    test(`the provider answers ${status} without usage: failed, no tokens, no money; the request is kept`, async () => {
      const { answer, ended } = await endOf(caller, { body: {}, behaviour: { failures: 1, failStatus: status } });
      assert.equal(answer.status, status);
      assertBooked(ended, { kind: 'failed', input: 0, output: 0, requests: 1, attempts: 1 });
      assert.equal(ended.end.status, status);
      assert.equal(stack.stub.recordsOf(ended.hold.decisionId).length, 1);
    });
  }

  test('200 without usage: estimated from the bytes', async () => {
    const { answer, ended } = await endOf('silent', { body: { max_tokens: 500 }, behaviour: { omitUsage: true } });
    assert.equal(answer.status, 200);
    const output = Math.ceil(answer.body.length / 3.3);
    assert.ok(output < 500, `${output} tokens are within the cap`);
    const { inputTokens } = ended.hold.estimate;
    assertBooked(ended, { kind: 'estimated', input: inputTokens, output, requests: 1, attempts: 1 });
  });

  test('200 of the other dialect, with caches: each token class at its own price', async () => {
    const usage = { input: 10, cacheRead: 200, cacheWrite5m: 30, cacheWrite1h: 4, output: 20 };
    const body = { model: 'claude-sonnet' };
    const { answer, ended } = await endOf('anthropic', { body, behaviour: { usage }, path: '/v1/messages' });
    assert.equal(answer.status, 200);
    assert.equal(ended.end.kind, 'settled');
    assert.deepEqual(ended.quantities, {
      input: 10,
      cache_read: 200,
      cache_write_5m: 30,
      cache_write_1h: 4,
      output: 20,
    });
    assert.equal(ended.charge, 10n * 3000n + 200n * 300n + 30n * 3750n + 4n * 6000n + 20n * 15_000n);
    assert.deepEqual(ended.counterOf('day-input_tokens'), { used: 244, held: 0 });
    assert.deepEqual(ended.counterOf('day-charge'), { used: Number(ended.charge), held: 0 });
  });

  test('the client goes before the provider has answered: input as reserved, no output', async () => {
    stack.stub.setBehaviour({ hold: true });
    const gone = new AbortController();
    const call = fetch(`${stack.url}${CHAT}`, {
      method: 'POST',
      headers: { ...callOf('gone').headers, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-5-mini', messages: HELLO, max_tokens: 50 }),
      signal: gone.signal,
    });
    await stack.stub.arrived(1);
    gone.abort();
    await assert.rejects(call, { name: 'AbortError' });
    const ended = await book.ended(stack.stub.records()[0]!.decisionId!);
    assertBooked(ended, {
      kind: 'estimated',
      input: ended.hold.estimate.inputTokens,
      output: 0,
      requests: 1,
      attempts: 1,
    });
    stack.stub.release();
  });

  test('a stream that the provider cuts: estimated from the bytes, once', async () => {
    stack.stub.setBehaviour({ chunks: 40, cutAfter: 20, delayMs: 2 });
    const { response } = await begin(callOf('providerCut', { stream: true, max_tokens: 4000 }));
    await assert.rejects(async () => {
      for await (const _ of response);
    });
    const ended = await book.ended(decisionOf(response));
    const entry = await tee.entryOf(ended.hold.decisionId);
    const output = Math.ceil(entry.responseBytes / 200);
    assert.ok(output >= 20, `${output} tokens in 20 chunks`);
    const { inputTokens } = ended.hold.estimate;
    assertBooked(ended, { kind: 'estimated', input: inputTokens, output, requests: 1, attempts: 1 });
  });

  test('an unmetered GET: settled, no lines; it counts as a request', async () => {
    const answer = await send(callOf('models', undefined, '/v1/models'));
    assert.equal(answer.status, 200);
    const ended = await book.ended(decisionOf(answer));
    assert.equal(ended.end.kind, 'settled');
    assert.deepEqual([ended.quantities, ended.charge, ended.cost], [{}, 0n, 0n]);
    assert.deepEqual(book.allowed(ended.hold.decisionId)?.lines, []);
    assert.deepEqual(ended.counterOf('slots'), { used: 0, held: 0 });
  });

  test('the whole access log again, three times, the newest first: nothing is doubled, nothing is given back', async () => {
    // All but what the caller of the last call does.
    const isOthers = (text: string) => !text.includes(stack.keyId.models);
    const query = {
      by: ['credential', 'meter'] as const,
      fromMs: undefined,
      toMs: undefined,
      zone: 'UTC',
      account: undefined,
    };
    const state = () =>
      book.read((reader) => ({
        counters: reader.counters().filter(({ counter }) => !counter.startsWith('~') && isOthers(counter)),
        rows: reader.report(query).rows.filter(({ key }) => isOthers(key[0] ?? '')),
        census: { ...reader.census({ nowMs: 0 }), holds: 0, ended: {} },
      }));
    await until('all requests have ended', () => book.census().open === 0);
    const before = state();
    assert.ok(before.counters.length > 40 && before.rows.length > 10);
    for (let time = 0; time < 3; time++) await tee.replay();
    // A call that is made after it is booked after it.
    const last = await until('the slot of the caller is free', async () => {
      const answer = await send(callOf('models', undefined, '/v1/models'));
      return answer.status === 200 ? answer : undefined;
    });
    await book.ended(decisionOf(last));
    assert.deepEqual(state(), before);
  });

  test('every admitted request has exactly one end: the census closes', async () => {
    const { code, stdout } = await stack.cli(['census', '--ledger', stack.ledger, '--json']);
    const census = JSON.parse(stdout) as Record<string, number | boolean>;
    assert.equal(code, 0);
    const { holds, ended, ...rest } = census as unknown as { holds: number; ended: Record<string, number> };
    assert.equal(
      Object.values(ended).reduce((sum, count) => sum + count),
      holds,
    );
    assert.deepEqual(rest, {
      open: 0,
      openPastExpiry: 0,
      openOverdue: 0,
      endsWithoutHold: 0,
      conflicts: 0,
      orphans: 0,
      unbalanced: 0,
      strays: 0,
      closes: true,
    });
  });
});

describe('a provider that cannot be reached, or that hangs up', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const port = await freePort();
  const callers = { refused: { account: 'acme' }, reset: { account: 'acme' } };
  const providers = { anthropic: { port } };
  const stack = await stackFor(scope, { files: FILES, callers, gateway: { retries: 0, providers } });
  const retrying = await stackFor(scope, { files: FILES, callers, gateway: { retries: 2, providers } });
  const keyless = await stackFor(scope, { files: FILES, callers, gateway: { keys: { openai: '', anthropic: '' } } });
  const ask = async (of: typeof stack, caller: keyof typeof callers): Promise<{ answer: Answer; ended: Ended }> => {
    const answer = await send({
      url: of.url,
      path: '/v1/messages',
      headers: { 'x-api-key': of.key[caller] },
      body: { model: 'claude-sonnet', messages: HELLO, max_tokens: 50 },
    });
    return { answer, ended: await bookOf(of.ledger).ended(decisionOf(answer)) };
  };

  test('nothing listens: nothing was sent, all is released, the request too', async () => {
    const { answer, ended } = await ask(stack, 'refused');
    assert.equal(answer.status, 503);
    assertBooked(ended, { kind: 'released', input: 0, output: 0, requests: 0, attempts: 1 });
  });

  test('nothing listens, three times: the same', async () => {
    const { answer, ended } = await ask(retrying, 'refused');
    assert.equal(answer.status, 503);
    assertBooked(ended, { kind: 'released', input: 0, output: 0, requests: 0, attempts: 3 });
  });

  test('the gateway has no key to show to the provider: the same, though it counts an attempt', async () => {
    const { answer, ended } = await ask(keyless, 'refused');
    assert.equal(answer.status, 401);
    assertBooked(ended, { kind: 'released', input: 0, output: 0, requests: 0, attempts: 1 });
  });

  test('the connection is reset before the first byte of an answer: input as reserved, no output', async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.resetAndDestroy());
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    t.after(() => void server.close());
    const { answer, ended } = await ask(stack, 'reset');
    assert.equal(answer.status, 503);
    assertBooked(ended, {
      kind: 'estimated',
      input: ended.hold.estimate.inputTokens,
      output: 0,
      requests: 1,
      attempts: 1,
    });
  });
});

function decisionOf({ headers }: { readonly headers: Answer['headers'] }): string {
  const id = headers['x-tollgate-decision'];
  assert.equal(typeof id, 'string', 'an answer without a decision id');
  return id as string;
}
