/** Restarts at 500 calls a second through the real Envoy: P1. `DRAIN_RESTARTS` of them, 2 if it does not say. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startHttpLoad } from '../../bench/http-load.ts';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { begin, type Sent } from '../support/http.ts';
import type { Child } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

const RESTARTS = Number(process.env['DRAIN_RESTARTS'] ?? 2);
const PER_SECOND = 500;
const BETWEEN_MS = 1500;
const STREAMS = 5;

/** When a process said it, ms. */
function timeOf(child: Child, code: string): number {
  const line = child
    .output()
    .split('\n')
    .find((each) => each.includes(`"code":"${code}"`));
  return Date.parse((JSON.parse(line ?? '{}') as { time?: string }).time ?? '');
}

const need = await needEnvoy();

describe('P1: restarts under load', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': plansWith({ limits: ['{name: year-requests, max: 1000M requests per year}'] }),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith({ limits: ['{name: slots, max: 100k in flight, each: customer}'] }),
    },
    callers: { one: { account: 'acme' } },
    gateway: { behaviour: { usage: { input: 5, output: 12 } } },
  });
  const book = bookOf(stack.ledger);
  const load = startHttpLoad();
  scope.after(() => load.stop());
  const body = { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 50 };
  const path = '/v1/chat/completions';
  const authorization = `Bearer ${stack.key.one}`;

  /** A stream that stands still in the middle until the stub is told to go on. */
  const held: Sent = {
    url: stack.url,
    path,
    headers: { authorization, 'stub-behaviour': '{"holdAfter":2}' },
    body: { ...body, stream: true },
  };

  /** Why Envoy gave up on a Check: a try that was sent, all of them together, too many that wait. */
  async function checks(): Promise<Record<string, number>> {
    const text = await (await fetch(`${stack.gateway.envoy.adminUrl}/stats?filter=^cluster.tollgate_check`)).text();
    const names = [
      'retry',
      'retry_overflow',
      'retry_limit_exceeded',
      'per_try_timeout',
      'timeout',
      'pending_overflow',
      'rx_reset',
    ];
    const value = (name: string): number => Number(new RegExp(`\\.upstream_rq_${name}: (\\d+)$`, 'm').exec(text)?.[1]);
    return Object.fromEntries(names.map((name) => [name, value(name)]));
  }

  test(`${RESTARTS} restarts at ${PER_SECOND}/s: every call is served, streams over them are booked once`, async (t) => {
    let going = true;
    const reports = (async () => {
      const all: { latenciesMs: readonly number[]; unserved: number }[] = [];
      while (going) {
        const headers = { authorization, 'content-type': 'application/json' };
        const port = Number(new URL(stack.url).port);
        const order = { port, path, headers, body: Buffer.from(JSON.stringify(body)) };
        all.push(await load.ask({ ...order, perSecond: PER_SECOND, seconds: 2 }));
      }
      return all;
    })();
    for (let round = 0; round < RESTARTS; round++) {
      await sleep(BETWEEN_MS);
      const streams = await Promise.all(Array.from({ length: STREAMS }, () => begin(held)));
      const ids = streams.map(({ response }) => String(response.headers['x-tollgate-decision']));
      const [last, fromMs] = [stack.tollgate(), performance.now()];
      // Every other one the new process is there before the old one goes.
      const isReplaced = round % 2 === 1;
      const { code } = isReplaced ? await stack.replace() : await stack.tollgate().kill('SIGTERM');
      assert.equal(code, 0);
      if (!isReplaced) await stack.restart();
      const [tookMs, gapMs] = [
        performance.now() - fromMs,
        timeOf(stack.tollgate(), 'serving') - timeOf(last, 'stopping'),
      ];
      const how = isReplaced ? 'replaced' : 'restarted';
      t.diagnostic(`${how} within ${Math.round(tookMs)} ms; ${gapMs} ms from the signal to serving again`);
      stack.stub.release();
      for (const { response } of streams) {
        assert.equal(response.statusCode, 200);
        let text = '';
        for await (const part of response as AsyncIterable<Buffer>) text += part.toString();
        assert.match(text, /data: \[DONE\]\n\n$/);
      }
      for (const id of ids) {
        const { end } = await book.ended(id);
        assert.deepEqual([end.kind, end.source], ['settled', 'hold']);
      }
    }
    going = false;
    const waited = await checks();
    t.diagnostic(`of Checks: ${JSON.stringify(waited)}`);
    const answered = await reports;
    const latenciesMs = answered.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b);
    t.diagnostic(
      `${latenciesMs.length} calls, slowest ${latenciesMs.at(-1)?.toFixed(0)} ms, p50 ${latenciesMs[latenciesMs.length >> 1]?.toFixed(1)} ms`,
    );
    assert.equal(
      answered.reduce((sum, { unserved }) => sum + unserved, 0),
      0,
      'calls that were not served',
    );

    const calls = latenciesMs.length + RESTARTS * STREAMS;
    // The last answer is seen before its hold is on disk. What Envoy has on the way as its stream ends is lost, for nothing
    // acknowledges an entry: at most one message of one worker each time, and seldom. Such a call expires with its estimate.
    const isDone = () => {
      const { holds, open } = book.census();
      return holds >= calls && open <= RESTARTS;
    };
    await until('every hold has its end', isDone, { withinMs: 15_000, everyMs: 100 });
    const { closes, ended, open } = book.census();
    t.diagnostic(`census: ${JSON.stringify(ended)}, ${open} without an entry from Envoy`);
    assert.equal(closes, true);
    assert.equal(ended.settled + open, calls);
    assert.equal(ended.unreconciled, 0);
  });
});
