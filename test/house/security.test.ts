import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { mintApiKey } from '../../src/identity/api-key.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../SECURITY.md'), 'utf8');
const SCANNER = new RegExp(/```\n(.*)\n```/.exec(PAGE)![1]!, 'g');
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

test('1 the published pattern finds whole keys in any text', () => {
  for (const environment of ['prod', 'a', 'eu-west-1', 'a'.repeat(32)]) {
    const { key } = mintApiKey(environment);
    for (const text of [key, `KEY=${key}\n`, `"${key}"`, `{"k":"${key}"}`, `see ${key}, please`]) {
      assert.deepEqual(text.match(SCANNER), [key]);
    }
  }
  assert.equal('tg_prod_k7f3q2 and tg_prod_k7f3q2_short'.match(SCANNER), null);
});

test('2 the published checksum is the one that keys carry', () => {
  for (let i = 0; i < 100; i++) {
    const { key } = mintApiKey('prod');
    const value = [...key.slice(-6)].reduce((sum, digit) => sum * 62 + DIGITS.indexOf(digit), 0);
    assert.equal(value, crc32(key.slice(0, -6)));
  }
});
