/** A bundle that is only observed, beside the one in force, through the real Envoy: it answers nobody, and all is on the books. */
import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import type { WouldRefuse } from '../../src/ledger/would-refuse.ts';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { type Answer, send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';

const need = await needEnvoy();

const FILES = {
  'plans.yaml': plansWith({ limits: ['{name: soft, max: 2 requests per day, enforce: observe, each: credential}'] }),
  'accounts/acme.yaml': ONE_CUSTOMER,
  'accounts/globex.yaml': undefined,
  'traffic.yaml': trafficWith(),
};
const ACCESS = `owner: security@acme.example
environment: prod
credentials: {age_max: 90d, rotation_overlap: 7d, unused_after: 45d}
rules:
  - {name: no-gpt-5, deny: {accounts: [acme/**], models: [gpt-5]}, reason: not cleared}
  - {name: acme, allow: {accounts: [acme/**], routes: [chat, messages, models]}}
`;
const OBSERVED = {
  // Holds a call of about 60 tokens at a time; what is used of it is 15.
  'plans.yaml': plansWith({ limits: ['{name: day-tokens, max: 100 tokens per day, models: [gpt-5-mini]}'] }),
  'access.yaml': ACCESS,
};

describe('a bundle that is only observed', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: FILES,
    observe: OBSERVED,
    callers: { caller: { account: 'acme/support' }, other: { account: 'acme/search' } },
  });
  const book = bookOf(stack.ledger);
  const call = (model: string, key = stack.key.caller): Promise<Answer> =>
    send({
      url: stack.url,
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${key}` },
      body: { model, messages: [{ role: 'user', content: 'hello' }], max_tokens: 50 },
    });
  const serve = async (model: string, key?: string): Promise<void> => {
    const answer = await call(model, key);
    assert.equal(answer.status, 200, answer.text);
    await book.ended(String(answer.headers['x-tollgate-decision']));
  };
  /** What the ledger says once the process has told it all. */
  const report = async (): Promise<WouldRefuse> => {
    stack.tollgate().kill('SIGINT');
    await stack.restart();
    const { code, stdout } = await stack.cli(['report', '--ledger', stack.ledger, '--would-refuse', '--json']);
    assert.equal(code, 0);
    return JSON.parse(stdout) as WouldRefuse;
  };
  beforeEach(() => stack.stub.setBehaviour({ usage: { input: 10, output: 5 } }));

  test('calls are answered by the bundle in force; what the other one would have said is in the report', async () => {
    // By what was used three fit; by what was reserved one would. The limit that refuses is the customer's.
    for (let times = 0; times < 5; times++) await serve('gpt-5-mini');
    await serve('gpt-5');
    assert.equal((await call('gpt-5-mini', 'tg_prod_aaaaaaaaaaaa_x')).status, 401);
    const { compared, differing, differences, observed } = await report();
    const seen = differences.map(({ account, route, requestedModel, was, would, requests }) => {
      const answers = [was, would].map(({ outcome, reason, limit, model }) =>
        [outcome, reason, limit, model].join(' '),
      );
      return [account, route, requestedModel, ...answers, requests];
    });
    assert.deepEqual(seen, [
      ['acme/support', 'chat', 'gpt-5-mini', 'allow   gpt-5-mini', 'deny budget_spent day-tokens ', 2],
      ['acme/support', 'chat', 'gpt-5', 'allow   gpt-5', 'deny model_denied  ', 1],
    ]);
    assert.deepEqual({ compared, differing }, { compared: 7, differing: 3 });
    assert.deepEqual(observed, [
      { account: 'acme/support', model: 'gpt-5-mini', by: 'soft', requests: 3 },
      { account: 'acme/support', model: 'gpt-5', by: 'soft', requests: 1 },
    ]);
    assert.equal(book.census().ended.settled, 6);
  });

  const put = async (name: string, text: string): Promise<void> => {
    await writeFile(join(stack.observed, `.${name}`), text);
    await rename(join(stack.observed, `.${name}`), join(stack.observed, name));
  };

  test('it follows its directory, and one that is not valid disturbs nobody', async () => {
    await put('access.yaml', 'owner: [');
    await stack.tollgate().line(/"code":"policy_refused".*last good one stays/);
    await serve('gpt-5', stack.key.other);
    await put('access.yaml', ACCESS.replace('models: [gpt-5]', 'models: [gpt-5-mini]'));
    await stack.tollgate().line(/"observed":.*"code":"policy_loaded"/);
    await serve('gpt-5-mini', stack.key.other);
    const { differences } = await report();
    const ofOther = differences.filter(({ account }) => account === 'acme/search');
    assert.deepEqual(ofOther.map(({ requestedModel, would }) => [requestedModel, would.reason]).toSorted(), [
      ['gpt-5', 'model_denied'],
      ['gpt-5-mini', 'model_denied'],
    ]);
  });

  test('one that was never valid is compared with nothing', async () => {
    const { compared: before } = await report();
    await put('access.yaml', 'owner: [');
    await report();
    await stack.tollgate().line(/"code":"policy_refused".*nothing is observed until it is mended/);
    await serve('gpt-5-mini');
    const { compared, differences } = await report();
    assert.equal(compared, before);
    assert.ok(differences.every(({ would }) => would.reason !== 'policy_missing'));
  });
});
