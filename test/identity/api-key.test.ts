import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { mintApiKey, parseApiKey } from '../../src/identity/api-key.ts';

/** A key made here, by arithmetic of its own. */
const BODY = 'tg_prod_k7f3q2_0123456789ABCDEFGHIJKLMNOPQRST';
const KEY = BODY + base62(crc32(BODY));

function base62(value: number): string {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  let rest = BigInt(value);
  const text: string[] = [];
  for (let i = 0; i < 6; i++) {
    text.unshift(digits[Number(rest % 62n)]!);
    rest /= 62n;
  }
  return text.join('');
}

describe('mint', () => {
  test('1 a key has its five parts, 30 characters of secret and a checksum', () => {
    const { key, id, environment } = mintApiKey('prod');
    assert.match(key, /^tg_prod_k[a-z2-7]{11}_[0-9A-Za-z]{36}$/);
    assert.deepEqual(parseApiKey(key), { environment, id });
  });

  test('2 no two are alike, in id or secret', () => {
    const minted = Array.from({ length: 500 }, () => mintApiKey('prod'));
    assert.equal(new Set(minted.map(({ id }) => id)).size, 500);
    assert.equal(new Set(minted.map(({ key }) => key.split('_')[3])).size, 500);
  });

  test('3 every character of base62 is used, evenly', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 2000; i++) {
      const secret = mintApiKey('prod').key.split('_')[3]!.slice(0, 30);
      for (const char of secret) counts.set(char, (counts.get(char) ?? 0) + 1);
    }
    assert.equal(counts.size, 62);
    // 60 000 draws: 968 of each expected, deviation 31; 200 is beyond six of them.
    for (const [char, count] of counts) assert.ok(Math.abs(count - 968) < 200, `${char} ${count}`);
  });

  for (const environment of ['', 'Prod', '1prod', 'a_b', 'prod ', 'a'.repeat(33), 'pröd', 'prod\n']) {
    test(`4 environment ${JSON.stringify(environment)} is a mistake of the caller`, () => {
      assert.throws(() => mintApiKey(environment), TypeError);
    });
  }
});

describe('parse', () => {
  test('5 a key with the checksum of another implementation', () => {
    assert.deepEqual(parseApiKey(KEY), { environment: 'prod', id: 'k7f3q2' });
  });

  const withSum = (body: string) => body + base62(crc32(body));
  const SECRET = '0123456789ABCDEFGHIJKLMNOPQRST';
  const NEAR_MISSES: [what: string, text: string][] = [
    ['empty', ''],
    ['no checksum', BODY],
    ['checksum short by one', KEY.slice(0, -1)],
    ['one character more', `${KEY}0`],
    ['space before', ` ${KEY}`],
    ['line feed after', `${KEY}\n`],
    ['NUL after', `${KEY}\0`],
    ['checksum of another', `${BODY}000000`],
    ['upper-case prefix', withSum(BODY.replace('tg_', 'TG_'))],
    ['other prefix', withSum(BODY.replace('tg_', 'sk_'))],
    ['no environment', withSum(`tg__k7f3q2_${SECRET}`)],
    ['upper-case environment', withSum(`tg_Prod_k7f3q2_${SECRET}`)],
    ['no id', withSum(`tg_prod__${SECRET}`)],
    ['id too short', withSum(`tg_prod_k7f3q_${SECRET}`)],
    ['id too long', withSum(`tg_prod_k${'a'.repeat(32)}_${SECRET}`)],
    ['id begins with a digit', withSum(`tg_prod_7kf3q2_${SECRET}`)],
    ['upper-case id', withSum(`tg_prod_K7f3q2_${SECRET}`)],
    ['secret too short', withSum(`tg_prod_k7f3q2_${SECRET.slice(1)}`)],
    ['secret too long', withSum(`tg_prod_k7f3q2_${SECRET}0`)],
    ['dash in secret', withSum(`tg_prod_k7f3q2_${SECRET.slice(1)}-`)],
    ['non-ASCII in secret', withSum(`tg_prod_k7f3q2_${SECRET.slice(1)}é`)],
    ['full-width digit', withSum(`tg_prod_k7f3q2_${SECRET.slice(1)}０`)],
    ['one part more', withSum(`tg_prod_k7f3q2_x_${SECRET}`)],
    ['environment __proto__', withSum(`tg___proto___k7f3q2_${SECRET}`)],
  ];
  for (const [i, [what, text]] of NEAR_MISSES.entries()) {
    test(`6.${i + 1} ${what}`, () => assert.equal(parseApiKey(text), undefined));
  }

  test('7 any one character changed is refused', () => {
    const { key } = mintApiKey('prod');
    const at = fc.integer({ min: 0, max: key.length - 1 });
    const by = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 1 });
    fc.assert(
      fc.property(at, by, (index, char) => {
        fc.pre(key[index] !== char);
        assert.equal(parseApiKey(key.slice(0, index) + char + key.slice(index + 1)), undefined);
      }),
      { seed: 3, numRuns: 1000 },
    );
  });

  test('8 no text makes it throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => assert.equal(parseApiKey(text), undefined)),
      { seed: 3, numRuns: 300 },
    );
  });
});
