import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { digestMatches, digestText } from '../../src/identity/digest.ts';
import { type Peppers, parsePepper } from '../../src/identity/peppers.ts';
import { parseDigest } from '../../src/policy/digest.ts';

const HEX_1 = '0123456789abcdef'.repeat(4);
const HEX_2 = 'fedcba9876543210'.repeat(4);
const PEPPER_1 = parsePepper(HEX_1)!;
const PEPPER_2 = parsePepper(HEX_2)!;
const KEY = mintApiKey('prod').key;

describe('digest', () => {
  const peppers: Peppers = { newest: 'v1', byVersion: new Map([['v1', PEPPER_1]]) };

  test('1 is the HMAC-SHA-256 of the whole key under the pepper', () => {
    const expected = createHmac('sha256', Buffer.from(HEX_1, 'hex')).update(KEY).digest('base64url');
    assert.equal(digestText(KEY, peppers), `hmac-sha256:v1:${expected}`);
  });

  test('2 matches its key and no other', () => {
    const stored = parseDigest(digestText(KEY, peppers));
    assert.equal(digestMatches(KEY, stored, peppers), true);
    assert.equal(digestMatches(mintApiKey('prod').key, stored, peppers), false);
    assert.equal(digestMatches(`${KEY} `, stored, peppers), false);
  });

  test('3 nothing stored matches nothing', () => {
    assert.equal(digestMatches(KEY, undefined, peppers), false);
  });

  test('4 a pepper that is not loaded matches nothing', () => {
    const stored = { ...parseDigest(digestText(KEY, peppers))!, pepper: 'v9' };
    assert.equal(digestMatches(KEY, stored, peppers), false);
  });

  test('5 a stored digest of another length matches nothing', () => {
    assert.equal(digestMatches(KEY, { pepper: 'v1', digest: new Uint8Array(0) }, peppers), false);
    assert.equal(digestMatches(KEY, { pepper: 'v1', digest: new Uint8Array(64) }, peppers), false);
  });

  test('6 keys of an older pepper live on beside the newest', () => {
    const both: Peppers = {
      newest: 'v2',
      byVersion: new Map([
        ['v1', PEPPER_1],
        ['v2', PEPPER_2],
      ]),
    };
    const old = parseDigest(digestText(KEY, peppers));
    assert.equal(digestMatches(KEY, old, both), true);
    assert.match(digestText(KEY, both), /^hmac-sha256:v2:/);
    assert.equal(digestMatches(KEY, parseDigest(digestText(KEY, both)), peppers), false);
  });

  test('7 without any pepper nothing is made and nothing matches', () => {
    const none: Peppers = { newest: undefined, byVersion: new Map() };
    assert.throws(() => digestText(KEY, none), TypeError);
    assert.equal(digestMatches(KEY, parseDigest(digestText(KEY, peppers)), none), false);
    assert.equal(digestMatches(KEY, undefined, none), false);
  });
});
