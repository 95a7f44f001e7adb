/** Tokens of an issuer through the whole of it: who is let in, whom it is billed to, and what the others are told. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { type Answer, send } from '../support/http.ts';
import { keyServer, type Members, subjectId, testKey, tokenOf } from '../support/issuer.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';

const ISSUER = 'https://id.acme.example';
const CHAT = '/v1/chat/completions';
const BODY = { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 20 };
/** What two answers to strangers may differ in. */
const OWN = new Set(['date', 'x-tollgate-decision', 'x-request-id', 'x-envoy-upstream-service-time']);

const need = await needEnvoy();

describe('tokens', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const key = testKey('ES256', 'k1');
  const stranger = testKey('ES256', 'k1');
  const server = await keyServer(scope, [key.jwk]);
  const stack = await stackFor(scope, {
    files: {
      'access.yaml': `owner: security@acme.example
environment: prod
credentials: {age_max: 90d}
issuers:
  corp: {issuer: "${ISSUER}", jwks: "${server.url}", audience: ai-gateway, algorithms: [ES256], type: at+jwt, age_max: 24h, account: "acme/{team}", actor: "{sub}", kind: human, class: interactive}
rules:
  - {name: default, allow: {accounts: [acme/**], routes: [chat]}}
`,
      'plans.yaml': plansWith({ limits: ['{name: monthly-spend, max: 500 USD per month}'] }),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith(),
    },
    callers: { robot: { account: 'acme/robot' } },
    gateway: { checkTimeoutMs: 2000 },
  });
  const book = bookOf(stack.ledger);
  const now = Math.floor(Date.now() / 1000);
  const claims: Members = {
    iss: ISSUER,
    aud: 'ai-gateway',
    sub: 'ann@acme.example',
    team: 'search',
    iat: now,
    exp: now + 900,
  };
  const call = (token: string, path = CHAT): Promise<Answer> =>
    send({ url: stack.url, path, headers: { authorization: `Bearer ${token}` }, body: BODY });
  /** All that a caller sees of an answer, but for what is every answer's own. */
  const face = ({ status, headers, text }: Answer): object => ({
    status,
    text,
    headers: Object.entries(headers).filter(([name]) => !OWN.has(name)),
  });

  test('1 a token is let in and billed to the account of its claim, with its actor', async () => {
    stack.stub.setBehaviour({ usage: { input: 1000, cacheRead: 0, output: 20, reasoning: 0 } });
    const token = tokenOf(key, claims);
    const answer = await call(token);
    assert.equal(answer.status, 200, answer.text);
    const { hold, end, quantities, charge } = await book.ended(String(answer.headers['x-tollgate-decision']));
    const credential = subjectId({ name: 'corp', issuer: ISSUER }, 'ann@acme.example');
    const { account, customer, actor, kind, proof } = hold;
    assert.deepEqual(
      [account, customer, actor, kind, proof, hold.credential],
      ['acme/search', 'acme', 'ann@acme.example', 'human', 'jwt', credential],
    );
    assert.equal(end.kind, 'settled');
    assert.deepEqual([quantities.input, quantities.output, charge], [1000, 20, 290_000n]);
    const [seen] = stack.stub.recordsOf(String(answer.headers['x-tollgate-decision']));
    assert.ok(!JSON.stringify(seen).includes(token), 'the token stays here');
    const { stdout } = await stack.cli([
      'report',
      '--ledger',
      stack.ledger,
      '--account',
      'acme/search',
      '--format',
      'json',
    ]);
    assert.match(stdout, /"acme\/search"/);
  });

  test('2 an API key gets in beside it', async () => {
    assert.equal((await call(stack.key.robot)).status, 200);
  });

  const REFUSED: readonly [what: string, token: string][] = [
    ['expired', tokenOf(key, { ...claims, iat: now - 900, exp: now - 120 })],
    ['for another audience', tokenOf(key, { ...claims, aud: 'billing' })],
    ['of another issuer', tokenOf(key, { ...claims, iss: 'https://evil.example' })],
    ['signed by a stranger', tokenOf(stranger, claims)],
    ['of another type', tokenOf(key, claims, { typ: 'JWT' })],
    ['for an account of nobody', tokenOf(key, { ...claims, team: 'Search' })],
    ['unsigned', `${tokenOf(key, claims, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`],
  ];
  for (const [index, [what, token]] of REFUSED.entries()) {
    test(`${index + 3} 401, as for an unknown key: a token ${what}`, async () => {
      const answer = await call(token);
      assert.equal(answer.status, 401);
      assert.deepEqual(face(answer), face(await call('tg_prod_kabcdefghijk_unknown')));
      assert.equal(stack.stub.recordsOf(String(answer.headers['x-tollgate-decision'])).length, 0);
    });
  }

  test('10 no token stands in the log, whole or in part', () => {
    const log = stack.tollgate().stderr() + stack.tollgate().stdout();
    for (const [, token] of [...REFUSED, ['', tokenOf(key, claims)] as const]) {
      for (const part of token.split('.')) assert.ok(part.length < 16 || !log.includes(part));
    }
  });
});
