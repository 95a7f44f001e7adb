import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';

const need = await needEnvoy();

describe('500 calls at once on one limit', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': plansWith({ limits: ['{name: hourly-output, max: 100k output_tokens per hour}'] }),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith(),
    },
    callers: { one: { account: 'acme' } },
    gateway: { retries: 0, checkTimeoutMs: 5000 },
  });
  const ask = () =>
    send({
      url: stack.url,
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${stack.key.one}` },
      body: { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 2000 },
    });

  test('exactly 50 reach the provider while all are held; after smaller usage has settled, more fit', async () => {
    stack.stub.setBehaviour({ hold: true, usage: { output: 40 } });
    let denied = 0;
    const answers = Array.from({ length: 500 }, async () => {
      const answer = await ask();
      if (answer.status !== 200) denied += 1;
      // All answers are held until everyone else has been refused: what was admitted was admitted at the same time.
      if (denied === 450) stack.stub.release();
      return answer.status;
    });
    const statuses = await Promise.all(answers);
    assert.equal(statuses.filter((status) => status === 200).length, 50);
    assert.equal(statuses.filter((status) => status === 429).length, 450);
    assert.equal(stack.stub.records().length, 50);

    // 50 · 40 tokens are spent; the rest has come back once the access log has been flushed.
    await sleep(500);
    stack.stub.setBehaviour({ hold: true });
    const more = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const answer = await ask();
        if (answer.status !== 200) {
          denied += 1;
          if (denied === 450 + 11) stack.stub.release();
        }
        return answer.status;
      }),
    );
    assert.equal(more.filter((status) => status === 200).length, 49);
  });
});
