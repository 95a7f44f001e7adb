import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TollgateError } from '../../src/core/errors.ts';
import { mintApiKey } from '../../src/identity/api-key.ts';
import {
  digestMatches,
  digestText,
  newPepperText,
  parseDigest,
  parsePeppers,
  readPeppers,
} from '../../src/identity/digest.ts';

const HEX_1 = '0123456789abcdef'.repeat(4);
const HEX_2 = 'fedcba9876543210'.repeat(4);
const KEY = mintApiKey('prod').key;

describe('digest', () => {
  const peppers = parsePeppers(HEX_1)!;

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
    const both = parsePeppers(`v1:${HEX_1}\nv2:${HEX_2}\n`)!;
    const old = parseDigest(digestText(KEY, peppers));
    assert.equal(digestMatches(KEY, old, both), true);
    assert.match(digestText(KEY, both), /^hmac-sha256:v2:/);
    assert.equal(digestMatches(KEY, parseDigest(digestText(KEY, both)), peppers), false);
  });

  const GOOD = digestText(KEY, peppers);
  const NEAR_MISSES = [
    '',
    GOOD.slice(0, -1),
    `${GOOD}A`,
    `${GOOD}=`,
    `${GOOD}\n`,
    GOOD.replace('hmac-sha256', 'HMAC-SHA256'),
    GOOD.replace('hmac-sha256', 'sha256'),
    GOOD.replace(':v1:', ':1:'),
    GOOD.replace(':v1:', ':v0:'),
    GOOD.replace(':v1:', ':v01:'),
    GOOD.replace(':v1:', '::'),
    // 43 characters of base64url hold two bits more than 32 bytes: the last one has unused bits set.
    `${GOOD.slice(0, -1)}${GOOD.at(-1) === 'B' ? 'C' : 'B'}`,
  ];
  for (const [i, text] of NEAR_MISSES.entries()) {
    test(`7.${i + 1} \`${JSON.stringify(text.slice(0, 20))}…\` is no digest`, () =>
      assert.equal(parseDigest(text), undefined));
  }
});

describe('peppers', () => {
  test('8 a new one reads back, as v1', () => {
    const text = newPepperText();
    assert.match(text, /^[0-9a-f]{64}\n$/);
    assert.equal(parsePeppers(text)?.newest, 'v1');
    assert.notEqual(text, newPepperText());
  });

  const BAD: [what: string, text: string][] = [
    ['empty', ''],
    ['a line feed', '\n'],
    ['too short', HEX_1.slice(1)],
    ['too long', `${HEX_1}0`],
    ['not hex', `g${HEX_1.slice(1)}`],
    ['CRLF', `${HEX_1}\r\n`],
    ['a blank line', `${HEX_1}\n\nv2:${HEX_2}`],
    ['a version twice', `v1:${HEX_1}\nv1:${HEX_2}`],
    ['a bare line beside v1', `${HEX_1}\nv1:${HEX_2}`],
    ['version 0', `v0:${HEX_1}`],
    ['space', ` ${HEX_1}`],
  ];
  for (const [i, [what, text]] of BAD.entries()) {
    test(`9.${i + 1} ${what} is no pepper file`, () => assert.equal(parsePeppers(text), undefined));
  }

  test('10 a file that is missing or bad is named; its content is not', (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'tollgate-pepper-'));
    t.after(() => rmSync(dir, { recursive: true }));
    const isUnreadable = (pattern: RegExp) => (error: unknown) =>
      error instanceof TollgateError && error.code === 'secret_unreadable' && pattern.test(error.message);
    assert.throws(
      () => readPeppers(join(dir, 'none')),
      isUnreadable(/none` cannot be read; `tollgate keys pepper .*none` makes one$/),
    );
    const bad = join(dir, 'bad');
    writeFileSync(bad, 'hunter2');
    assert.throws(() => readPeppers(bad), isUnreadable(/bad`: expected one line of 64 hex digits/));
    assert.throws(
      () => readPeppers(bad),
      (error: Error) => !error.message.includes('hunter2'),
    );
    writeFileSync(bad, newPepperText());
    assert.equal(readPeppers(bad).newest, 'v1');
  });
});
