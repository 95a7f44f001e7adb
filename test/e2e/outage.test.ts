/** Tollgate away and back: nothing undecided is served; what was under way is finished, and booked once. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { begin, type Sent, send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

const STREAMS = 5;
const BURST = 60;
const JUST_ENDED = 12;

const need = await needEnvoy();

describe('Tollgate stopped and started again', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': plansWith({
        limits: ['{name: year-requests, max: 1M requests per year}', '{name: year-charge, max: 100k USD per year}'],
      }),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith({ limits: ['{name: slots, max: 1000 in flight, each: customer}'] }),
    },
    callers: { one: { account: 'acme' } },
    gateway: { checkTimeoutMs: 2000 },
  });
  const book = bookOf(stack.ledger);
  const chat = (body: object): Sent => ({
    url: stack.url,
    path: '/v1/chat/completions',
    headers: { authorization: `Bearer ${stack.key.one}` },
    body: { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 50, ...body },
  });
  const serve = async (): Promise<void> => {
    const answer = await send(chat({}));
    assert.equal(answer.status, 200, answer.text);
    await book.ended(String(answer.headers['x-tollgate-decision']));
  };
  afterEach(() => stack.stub.reset());

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const goesBy = signal === 'SIGTERM' ? { code: 0, signal: null } : { code: null, signal };

    test(`${signal}: calls begun after it are 503 and reach no provider; after a restart they are served`, async () => {
      await serve();
      assert.deepEqual(await stack.tollgate().kill(signal), goesBy);
      const reached = stack.stub.records().length;
      const answers = await Promise.all([
        ...Array.from({ length: 10 }, () => send(chat({}))),
        ...Array.from({ length: 5 }, () => send(chat({ stream: true }))),
        send({ ...chat({}), body: '{"model":' }),
        send({ url: stack.url, path: '/v1/models', headers: { authorization: `Bearer ${stack.key.one}` } }),
      ]);
      assert.deepEqual(
        answers.map(({ status }) => status).filter((status) => status !== 503),
        [],
      );
      assert.equal(stack.stub.records().length, reached);
      await stack.restart();
      await serve();
    });

    test(`${signal}: streams under way are finished, and booked once by the process that comes after`, async () => {
      stack.stub.setBehaviour({ holdAfter: 2, usage: { input: 5, output: 12 } });
      const streams = await Promise.all(Array.from({ length: STREAMS }, () => begin(chat({ stream: true }))));
      await until('all streams stand still', () => stack.stub.held() === STREAMS);
      const ids = streams.map(({ response }) => String(response.headers['x-tollgate-decision']));
      await until('all holds in the book', () => ids.every((id) => book.allowed(id) !== undefined));
      assert.deepEqual(await stack.tollgate().kill(signal), goesBy);
      await stack.restart();
      assert.deepEqual(
        ids.flatMap((id) => book.allowed(id)?.ends),
        [],
      );
      const recovered = Number(/"recovered_holds":(\d+)/.exec(stack.tollgate().output())?.[1]);
      assert.ok(recovered >= STREAMS, `${recovered} holds recovered`);

      stack.stub.release();
      for (const { response } of streams) {
        assert.equal(response.statusCode, 200);
        let text = '';
        for await (const part of response as AsyncIterable<Buffer>) text += part.toString();
        assert.match(text, /data: \[DONE\]\n\n$/);
      }
      for (const id of ids) {
        const { end, quantities, charge, cost } = await book.ended(id);
        assert.deepEqual([end.kind, end.source, book.allowed(id)?.writtenBy], ['settled', 'hold', 'hold']);
        assert.deepEqual(quantities, { input: 5, output: 12 });
        assert.deepEqual([charge, cost], [5n * 250n + 12n * 2000n, 5n * 200n + 12n * 1600n]);
      }
      const { counterOf } = await book.ended(ids[0]!);
      assert.deepEqual(counterOf('slots'), { used: 0, held: 0 });
    });
  }

  test('counters stand at what is booked after four restarts, and the census closes', () => {
    const { open, closes } = book.census();
    assert.deepEqual([open, closes], [0, true]);
    const booked = book.everything();
    assert.equal(booked.length, 4 + 2 * STREAMS);
    const [first] = booked;
    const charged = booked.flatMap(({ lines }) => lines).reduce((sum, { charge }) => sum + charge, 0n);
    const counterOf = (limit: string) =>
      book.counter(first!.hold.spends.find((spend) => spend.limit === limit)?.counter ?? '');
    assert.deepEqual(counterOf('year-requests'), { used: booked.length, held: 0 });
    assert.deepEqual(counterOf('year-charge'), { used: Number(charged), held: 0 });
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM'] as const) {
    test(`${signal} right after answers: all that has ended is settled, nothing stays open`, async () => {
      const answers = await Promise.all(
        Array.from({ length: JUST_ENDED }, (_, n) => send(chat({ stream: n % 2 > 0 }))),
      );
      assert.deepEqual(await stack.tollgate().kill(signal), { code: 0, signal: null });
      for (const { status, headers, text } of answers) {
        assert.equal(status, 200, text);
        const decision = book.allowed(String(headers['x-tollgate-decision']));
        assert.deepEqual(
          decision?.ends.map(({ kind, source }) => [kind, source]),
          [['settled', 'hold']],
        );
      }
      assert.deepEqual(book.census().open, 0);
      await stack.restart();
    });
  }

  test('SIGTERM amid a burst: exit 0, and all that was admitted is in the ledger with its counters', async () => {
    stack.stub.setBehaviour({ hold: true });
    const before = book.everything().length;
    const answers = Promise.all(Array.from({ length: BURST }, () => send(chat({}))));
    await stack.stub.arrived(BURST / 2);
    assert.deepEqual(await stack.tollgate().kill('SIGTERM'), { code: 0, signal: null });
    assert.match(stack.tollgate().output(), /"code":"stopped"/);

    const booked = book.everything();
    const ids = new Set(booked.map(({ hold }) => hold.decisionId));
    const reached = stack.stub.records().map(({ decisionId }) => decisionId ?? '');
    assert.ok(reached.length >= BURST / 2 && booked.length >= before + reached.length);
    assert.deepEqual(
      reached.filter((id) => !ids.has(id)),
      [],
    );
    const counted = booked.filter(({ ends }) => ends[0]?.kind !== 'released').length;
    const counter = booked[0]!.hold.spends.find(({ limit }) => limit === 'year-requests')!.counter;
    assert.equal(book.counter(counter).used, counted);

    stack.stub.release();
    const statuses = (await answers).map(({ status }) => status);
    assert.deepEqual(
      statuses.filter((status) => status !== 200 && status !== 503),
      [],
    );
    assert.equal(statuses.filter((status) => status === 200).length, reached.length);
  });
});
