/** What the log tells an operator of traffic: who was refused, and which limits run full; each once, and never a secret. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { type Answer, send } from '../support/http.ts';
import type { Child } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

type Line = Readonly<Record<string, unknown>>;

function linesOf(child: Child, code: string): readonly Line[] {
  const lines = child.stderr().split('\n');
  return lines.filter((line) => line.includes(`"code":"${code}"`)).map((line) => JSON.parse(line) as Line);
}

const need = await needEnvoy();

describe('the log of a Tollgate behind Envoy', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': plansWith({
        limits: [
          '{name: year-requests, max: 4 requests per year, warn: [50%, 75%]}',
          '{name: year-charge, max: 0.0002 USD per year, warn: [25%]}',
        ],
      }),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith(),
    },
    callers: { one: { account: 'acme' } },
  });
  const book = bookOf(stack.ledger);
  const chat = (headers: Readonly<Record<string, string>>): Promise<Answer> =>
    send({
      url: stack.url,
      path: '/v1/chat/completions',
      headers,
      body: { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 20 },
    });

  test('a refused credential: why, by public id, for which decision, and never the secret', async () => {
    const stranger = mintApiKey('prod');
    const changed = `${stack.key.one.slice(0, -1)}${stack.key.one.endsWith('a') ? 'b' : 'a'}`;
    const rows = [
      [{}, 401, 'credential_missing', /^/],
      [{ authorization: `Bearer ${stranger.key}` }, 401, 'credential_unknown', new RegExp(`\`${stranger.id}\``)],
      [{ authorization: `Bearer ${changed}` }, 401, 'credential_malformed', /checksum/],
      [{ 'x-api-key': stack.key.one, authorization: `Bearer ${stack.key.one}` }, 400, 'credentials_ambiguous', /^/],
    ] as const;
    for (const [headers, expected, reason, detail] of rows) {
      const { status, headers: answered } = await chat(headers);
      assert.equal(status, expected);
      const id = answered['x-tollgate-decision'];
      await until(`a line for ${reason}`, () => stack.tollgate().stderr().includes(String(id)));
      const line = linesOf(stack.tollgate(), 'credential_refused').find((each) => each['decision_id'] === id);
      assert.equal(line?.['reason'], reason);
      assert.match(String(line['detail']), detail);
    }
    for (const key of [stranger.key, changed, stack.key.one]) {
      assert.ok(!stack.tollgate().output().includes(key.split('_')[3]!), 'a secret is in the log');
    }
  });

  test('a limit that crosses a threshold: one line each, and none again after a restart', async () => {
    stack.stub.setBehaviour({ usage: { input: 5, output: 12 } });
    const serve = async (): Promise<void> => {
      const { status, headers, text } = await chat({ authorization: `Bearer ${stack.key.one}` });
      assert.equal(status, 200, text);
      await book.ended(String(headers['x-tollgate-decision']));
    };
    const told = () =>
      linesOf(stack.tollgate(), 'limit_threshold')
        .map(({ limit, account, threshold, spent }) => [limit, account, threshold, spent].join(', '))
        .sort();
    await serve();
    assert.deepEqual(told(), []);
    await serve();
    await serve();
    const crossings = [
      'year-charge, acme, 0.00005 USD, 0.00005 USD',
      'year-requests, acme, 2 requests, 2 requests',
      'year-requests, acme, 3 requests, 3 requests',
    ];
    await until('a line for each crossing', () => told().length >= crossings.length);
    assert.deepEqual(told(), crossings);

    assert.deepEqual(await stack.tollgate().kill('SIGTERM'), { code: 0, signal: null });
    assert.deepEqual(told(), crossings);
    await stack.restart();
    await serve();
    assert.deepEqual(await stack.tollgate().kill('SIGTERM'), { code: 0, signal: null });
    assert.deepEqual(told(), []);
  });
});
