/** What is remembered of tokens that were refused: so long as the same keys would refuse the same bytes again, and 5 s at most. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { keyServer, type Members, testKey, tokenOf } from '../support/issuer.ts';
import { CLAIMS, doorOf, issuerEntry, NOW_MS } from './token-door.ts';

const KEY = testKey('ES256', 'k1');
const NEXT = testKey('ES256', 'k1');
const TTL_MS = 5_000;
const COOLDOWN_MS = 10_000;

/** Whether the second answer is the first, and not another one like it. */
async function isRemembered(t: Parameters<typeof doorOf>[0], token: string): Promise<boolean> {
  const server = await keyServer(t, [KEY.jwk]);
  const door = await doorOf(t, [issuerEntry(server.url)]);
  // The first of all fetches the keys: after that nothing is fetched.
  assert.equal(await door.reasonOf(tokenOf(KEY, CLAIMS)), 'let in');
  const first = await door.identify(token);
  assert.ok('reason' in first, 'let in');
  return (await door.identify(token)) === first;
}

describe('J a refused token', () => {
  const rows: readonly (readonly [row: number, why: string, token: string, remembered: boolean])[] = [
    [1, 'signed by another', tokenOf(NEXT, CLAIMS), true],
    [2, 'expired', tokenOf(KEY, { ...CLAIMS, exp: NOW_MS / 1000 - 100, iat: NOW_MS / 1000 - 700 }), true],
    [3, 'for another audience', tokenOf(KEY, { ...CLAIMS, aud: 'elsewhere' }), true],
    [4, 'of a team that is no name', tokenOf(KEY, { ...CLAIMS, team: 'A b' }), true],
    [5, 'of a key that is not known yet', tokenOf(KEY, CLAIMS, { kid: 'k2' }), false],
    [6, 'not valid yet', tokenOf(KEY, { ...CLAIMS, nbf: NOW_MS / 1000 + 100 }), false],
    [7, 'no token on its face', 'YQ.YQ.YQ', false],
    [8, 'of another issuer', tokenOf(KEY, { ...CLAIMS, iss: 'https://other.example' }), false],
  ];
  for (const [row, why, token, remembered] of rows) {
    it(`row ${row}: ${why}: ${remembered ? 'remembered' : 'proved again'}`, async (t) => {
      assert.equal(await isRemembered(t, token), remembered);
    });
  }
});

test('J a refused token is let in with the first keys that make it good', async (t) => {
  const server = await keyServer(t, [KEY.jwk]);
  const door = await doorOf(t, [issuerEntry(server.url)]);
  assert.equal(await door.reasonOf(tokenOf(KEY, CLAIMS)), 'let in');
  const token = tokenOf(NEXT, CLAIMS);
  door.pass(COOLDOWN_MS);
  const refused = await door.identify(token);
  assert.equal(await door.identify(token), refused);
  server.serve([NEXT.jwk]);
  assert.equal(await door.identify(token), refused, 'nobody asked for keys');
  const stranger: Members = { kid: 'k2' };
  assert.equal(await door.reasonOf(tokenOf(KEY, CLAIMS, stranger)), 'credential_signature');
  assert.equal(server.requests(), 2);
  assert.equal(await door.reasonOf(token), 'let in');
});

test('J a refused token is proved again after 5 s, and the answer is the same', async (t) => {
  const server = await keyServer(t, [KEY.jwk]);
  const door = await doorOf(t, [issuerEntry(server.url)]);
  assert.equal(await door.reasonOf(tokenOf(KEY, CLAIMS)), 'let in');
  const token = tokenOf(NEXT, CLAIMS);
  const refused = await door.identify(token);
  door.pass(TTL_MS - 1);
  assert.equal(await door.identify(token), refused);
  door.pass(1);
  const again = await door.identify(token);
  assert.notEqual(again, refused);
  assert.deepEqual(again, refused);
});
