import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { kindOf } from '../../src/core/reasons.ts';
import { isRefusal } from '../../src/identity/principal.ts';
import { type KeyServer, keyServer, subjectId, testKey, tokenOf } from '../support/issuer.ts';
import { fileScope } from '../support/scope.ts';
import { CLAIMS, doorOf, issuerEntry, NOW_MS, type TokenDoor } from './token-door.ts';
import { EC, RSA, STRANGER, tokenRows, WEAK } from './token-rows.ts';

const scope = fileScope();
const attacker = await keyServer(scope, [STRANGER.jwk]);
const corp = await keyServer(scope, [EC.jwk, RSA.jwk, WEAK.jwk]);

describe('tokens, one bad thing each', async () => {
  let door: TokenDoor;
  let refusedFace: string;

  before(async () => {
    door = await doorOf(scope, [issuerEntry(corp.url)]);
    refusedFace = await door.faceOf('no-key-of-ours');
    assert.match(refusedFace, /401/);
  });

  for (const [row, what, token, expected] of tokenRows(attacker.origin)) {
    test(`${row} ${what}: ${expected}`, async () => {
      const text = token();
      assert.equal(await door.reasonOf(text), expected);
      const face = await door.faceOf(text);
      if (expected === 'let in') return assert.match(face, /"ok_response"/);
      assert.equal(kindOf(expected), 'credential');
      assert.equal(face, refusedFace);
    });
  }

  test('J5 nobody was asked but the configured key set', () => {
    assert.equal(attacker.requests(), 0);
  });

  test('J16 size is looked at before anything is read: a megabyte costs no more than a kilobyte', async () => {
    assert.equal(await door.reasonOf(`${'a'.repeat(1_000_000)}.b.c`), 'credential_malformed');
    const fits = tokenOf(EC, { ...CLAIMS, note: 'n'.repeat(5_700) });
    assert.ok(fits.length > 7_600 && fits.length <= 8_192);
    assert.equal(await door.reasonOf(fits), 'let in');
  });
});

test('a token stands for the account, actor, kind and class of its issuer, and never shows its subject', async (t) => {
  const door = await doorOf(t, [issuerEntry(corp.url)]);
  const entry = { name: 'corp', issuer: String(CLAIMS['iss']) };
  assert.deepEqual(await door.identify(tokenOf(EC, CLAIMS)), {
    account: 'acme/search',
    credential: subjectId(entry, 'ann'),
    kind: 'human',
    proof: 'jwt',
    actor: 'ann',
    class: 'interactive',
    confidence: 'exact',
  });
  const plain = await doorOf(t, [issuerEntry(corp.url, { account: 'acme', actor: undefined, kind: 'agent' })]);
  const found = await plain.identify(tokenOf(RSA, { ...CLAIMS, sub: 'bob' }));
  assert.ok(!isRefusal(found));
  const { account, actor, kind, credential } = found;
  assert.deepEqual([account, actor, kind, credential], ['acme', undefined, 'agent', subjectId(entry, 'bob')]);
});

test('J3 an issuer without a list of asymmetric algorithms is an error of the bundle', async (t) => {
  for (const algorithms of [undefined, [], ['none'], ['ES256', 'HS256'], ['RSA1_5'], 'ES256']) {
    await assert.rejects(doorOf(t, [issuerEntry(corp.url, { algorithms })]), /algorithms/, String(algorithms));
  }
});

test('J21 a token in the query lets nobody in, and is not shown', async (t) => {
  const door = await doorOf(t, [issuerEntry(corp.url)]);
  const token = tokenOf(EC, CLAIMS);
  const face = await door.faceOf(token, { path: `/v1/chat/completions?access_token=${token}`, headers: [] });
  assert.match(face, /"denied_response":\{"status":\{"code":401/);
  for (const part of token.split('.')) assert.ok(!face.includes(part));
});

test('J2 HS256 under the public key is refused where the issuer has that one key alone', async (t) => {
  const server = await keyServer(t, [RSA.jwk]);
  const door = await doorOf(t, [issuerEntry(server.url, { algorithms: ['RS256'] })]);
  for (const [, what, token, expected] of tokenRows('').filter(([row]) => row === 'J2')) {
    assert.equal(await door.reasonOf(token()), expected, what);
  }
});

describe('J19 several issuers', async () => {
  const key = testKey('ES256', 'ec');
  let door: TokenDoor;
  let partner: KeyServer;

  before(async () => {
    partner = await keyServer(scope, [key.jwk]);
    door = await doorOf(scope, [
      issuerEntry(corp.url),
      issuerEntry(partner.url, { name: 'partner', issuer: 'https://partner.example', account: 'acme/partner' }),
      issuerEntry(corp.url, { name: 'robots', audience: 'robots', kind: 'agent', class: 'batch' }),
    ]);
  });

  test('J19 the key of one does not open for the other, though both have its kid', async () => {
    const theirs = { ...CLAIMS, iss: 'https://partner.example' };
    assert.equal(await door.reasonOf(tokenOf(key, theirs)), 'let in');
    assert.equal(await door.reasonOf(tokenOf(key, CLAIMS)), 'credential_signature');
    assert.equal(await door.reasonOf(tokenOf(EC, theirs)), 'credential_signature');
  });

  test('J19 entries of one issuer are told by audience; a token for both is refused', async () => {
    const robot = await door.identify(tokenOf(EC, { ...CLAIMS, aud: 'robots' }));
    assert.ok(!isRefusal(robot));
    assert.deepEqual([robot.kind, robot.class], ['agent', 'batch']);
    assert.equal(await door.reasonOf(tokenOf(EC, { ...CLAIMS, aud: ['robots', 'ai-gateway'] })), 'credential_audience');
    assert.equal(await door.reasonOf(tokenOf(EC, { ...CLAIMS, aud: 'billing' })), 'credential_audience');
  });
});

describe('what is remembered of tokens', () => {
  test('J15 the exact bytes, for at most a minute and not beyond exp', async (t) => {
    const door = await doorOf(t, [issuerEntry(corp.url)]);
    const token = tokenOf(EC, CLAIMS);
    const first = await door.identify(token);
    door.pass(59_999);
    assert.equal(await door.identify(token), first);
    door.pass(1);
    const again = await door.identify(token);
    assert.notEqual(again, first);
    assert.deepEqual(again, first);
    assert.notEqual(await door.identify(tokenOf(EC, CLAIMS)), again);

    const short = tokenOf(EC, { ...CLAIMS, exp: door.nowMs / 1000 + 10 });
    const held = await door.identify(short);
    door.pass(9_999);
    assert.equal(await door.identify(short), held);
    door.pass(1);
    assert.notEqual(await door.identify(short), held);
    door.pass(60_000);
    assert.equal(await door.reasonOf(short), 'credential_expired');
  });

  test('J8 a token that outlives the age of its issuer is remembered no longer than that', async (t) => {
    const door = await doorOf(t, [issuerEntry(corp.url, { age_max: '1h' })]);
    const token = tokenOf(EC, { ...CLAIMS, exp: 253_402_300_799 });
    door.pass(3_660_000);
    assert.equal(await door.reasonOf(token), 'let in');
    door.pass(1_000);
    assert.equal(await door.reasonOf(token), 'credential_expired');
  });

  test('a refusal is not remembered, nor anything across a change of policy', async (t) => {
    const door = await doorOf(t, [issuerEntry(corp.url)]);
    const early = tokenOf(EC, { ...CLAIMS, nbf: NOW_MS / 1000 + 61 });
    assert.equal(await door.reasonOf(early), 'credential_not_yet_valid');
    door.pass(1_000);
    assert.equal(await door.reasonOf(early), 'let in');
    const strict = await doorOf(t, [issuerEntry(corp.url, { audience: 'elsewhere' })]);
    assert.equal(await door.reasonOf(early, strict.policy), 'credential_audience');
    assert.equal(await door.reasonOf(early), 'let in');
  });

  test('J22 a token may be used as often as its time allows; `jti` is not looked at', async (t) => {
    const door = await doorOf(t, [issuerEntry(corp.url)]);
    for (const sub of ['ann', 'bob', 'ann']) {
      assert.equal(await door.reasonOf(tokenOf(EC, { ...CLAIMS, sub, jti: 'one' })), 'let in');
    }
  });
});
