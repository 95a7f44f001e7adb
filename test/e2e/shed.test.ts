/** A Tollgate that cannot keep up turns away the last class first, in the caller's dialect, and never what settles: P10, P16. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { type Answer, send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

/** A process that has just started sheds nothing by the lag of its loop. */
const COLD_MS = 5_000;
const STALL_MS = 300;
const CALLS = 20;

const need = await needEnvoy();

describe('P10: shedding', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': plansWith(),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith({ limits: ['{name: slots, max: 1000 in flight, each: customer}'] }),
    },
    callers: { person: { account: 'acme' }, batch: { account: 'acme', class: 'batch' } },
    gateway: { behaviour: { usage: { input: 5, output: 12 } } },
  });
  const startedMs = performance.now();
  const book = bookOf(stack.ledger);
  const ask = (caller: keyof typeof stack.key, headers: Record<string, string> = {}): Promise<Answer> =>
    send({
      url: stack.url,
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${stack.key[caller]}`, ...headers },
      body: { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 50 },
    });
  const stall = async (): Promise<void> => {
    const { pid } = stack.tollgate();
    process.kill(pid, 'SIGSTOP');
    await sleep(STALL_MS);
    process.kill(pid, 'SIGCONT');
  };
  const times = (run: () => Promise<Answer>): Promise<Answer[]> => Promise.all(Array.from({ length: CALLS }, run));

  test('a stall of a cold process turns nobody away', async () => {
    await stall();
    for (const { status, text } of await times(() => ask('batch'))) assert.equal(status, 200, text);
    assert.ok(performance.now() - startedMs < COLD_MS, 'the machine is too slow for this test');
  });

  test('after a stall the last class is turned away for a second, and told when to come back; the others are served', async () => {
    await sleep(Math.max(0, COLD_MS + 200 - (performance.now() - startedMs)));
    await stall();
    const [batch, claimed, people] = await Promise.all([
      times(() => ask('batch')),
      times(() => ask('person', { 'tollgate-class': 'batch' })),
      times(() => ask('person')),
    ]);
    for (const { status, text } of people) assert.equal(status, 200, text);
    for (const { status, text, headers } of [...batch, ...claimed]) {
      assert.equal(status, 503, text);
      assert.equal((JSON.parse(text) as { error: { code: string } }).error.code, 'overloaded');
      const waitMs = Number(headers['retry-after-ms']);
      assert.ok(waitMs >= 1_000 && waitMs <= 5_000, `${waitMs} ms`);
      assert.equal(Number(headers['retry-after']), Math.ceil(waitMs / 1_000));
      assert.match(String(headers['x-tollgate-decision']), /^[\w-]+$/);
    }
    assert.ok(new Set(batch.map(({ headers }) => headers['retry-after-ms'])).size > 1, 'waits are spread');
    const [said] = /.*"code":"load_shed".*/.exec(stack.tollgate().output()) ?? [];
    assert.deepEqual((JSON.parse(said ?? '{}') as { classes?: unknown }).classes, ['batch']);
    // What settles is no call of any class.
    for (const { headers } of people) {
      assert.equal((await book.ended(String(headers['x-tollgate-decision']))).end.kind, 'settled');
    }
    const served = await until('batch again', async () => {
      const answer = await ask('batch');
      return answer.status === 200 && answer;
    });
    assert.equal((await book.ended(String(served.headers['x-tollgate-decision']))).end.kind, 'settled');
  });
});
