import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

const need = await needEnvoy();

describe('calls that their client cancels while they are decided', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': plansWith(),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith({ limits: ['{name: in-flight, max: 50 in flight, each: customer}'] }),
    },
    callers: { one: { account: 'acme/one' }, other: { account: 'acme/other' } },
  });
  const book = bookOf(stack.ledger);
  const body = JSON.stringify({ model: 'gpt-5-mini', max_tokens: 128_000, messages: [{ role: 'user', content: 'x' }] });

  /** Opens many streams on one connection and resets each after a moment, before, while and after it is decided. */
  async function cancelled(count: number, afterMs: number): Promise<void> {
    const session = connect(stack.url);
    session.on('error', () => {});
    await once(session, 'connect');
    const headers = { ':method': 'POST', ':path': '/v1/chat/completions', 'content-type': 'application/json' };
    for (let call = 0; call < count; call++) {
      const stream = session.request({ ...headers, authorization: `Bearer ${stack.key.one}` });
      stream.on('error', () => {});
      stream.end(body);
      setTimeout(() => stream.close(8), afterMs);
    }
    await sleep(afterMs + 100);
    session.destroy();
  }

  test('no slot and no budget stays held: another account of the customer is served, every hold has an end', async (t) => {
    for (let round = 0; round < 12; round++) await cancelled(90, 2 + round);
    await until('every hold has ended', () => book.census().open === 0, { withinMs: 10_000 });
    const { ended } = book.census();
    t.diagnostic(`ended: ${JSON.stringify(ended)}, upstream ${stack.stub.records().length}`);
    assert.equal(ended.unreconciled, 0);
    const answer = await send({
      url: stack.url,
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${stack.key.other}` },
      body: { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'x' }], max_tokens: 5 },
    });
    assert.equal(answer.status, 200);
    assert.equal(book.census().closes, true);
  });
});
