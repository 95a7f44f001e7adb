import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDigest, parseDigest } from '../../src/policy/digest.ts';

const BYTES = Uint8Array.from({ length: 32 }, (_, i) => i * 8);
const GOOD = formatDigest({ pepper: 'v1', digest: BYTES });

test('1 reads back as its pepper and its 32 bytes', () => {
  assert.equal(GOOD, 'hmac-sha256:v1:AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg');
  const read = parseDigest(GOOD);
  assert.deepEqual([read?.pepper, [...read!.digest]], ['v1', [...BYTES]]);
  assert.equal(parseDigest(GOOD.replace(':v1:', ':v9999:'))?.pepper, 'v9999');
});

const NEAR_MISSES = [
  '',
  GOOD.slice(0, -1),
  `${GOOD}A`,
  `${GOOD}=`,
  `${GOOD}\n`,
  ` ${GOOD}`,
  GOOD.replace('hmac-sha256', 'HMAC-SHA256'),
  GOOD.replace('hmac-sha256', 'sha256'),
  GOOD.replace(':v1:', ':1:'),
  GOOD.replace(':v1:', ':v0:'),
  GOOD.replace(':v1:', ':v01:'),
  GOOD.replace(':v1:', ':v10000:'),
  GOOD.replace(':v1:', '::'),
  GOOD.replace('AAgQ', 'AA+Q'),
  // 43 characters of base64url hold two bits more than 32 bytes: the last one has unused bits set.
  `${GOOD.slice(0, -1)}h`,
];
for (const [i, text] of NEAR_MISSES.entries()) {
  test(`2.${i + 1} ${JSON.stringify(text.slice(0, 20))}… is no digest`, () =>
    assert.equal(parseDigest(text), undefined));
}
