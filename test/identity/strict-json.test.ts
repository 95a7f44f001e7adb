import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { strictObject } from '../../src/identity/strict-json.ts';

const read = (text: string): unknown => strictObject(Buffer.from(text));

describe('strictObject', () => {
  const REFUSED: readonly [what: string, text: string][] = [
    ['nothing', ''],
    ['a list', '[]'],
    ['a text', '"{}"'],
    ['null', 'null'],
    ['two objects', '{}{}'],
    ['a comment', '{/* */}'],
    ['a comma behind', '{"a":1,}'],
    ['a number nobody writes', '{"a":01}'],
    ['a byte order mark', '\ufeff{}'],
    ['a line feed in a text', '{"a":"\n"}'],
    ['a key twice', '{"a":1,"a":1}'],
    ['a key twice, apart', '{"a":1,"b":{"a":2},"a":3}'],
    ['a key twice, once escaped', '{"a":1,"\\u0061":2}'],
    ['a key twice in a list', '[{"a":1}]'],
    ['a key twice deep below', '{"x":[[{"y":{"a":1,"a":2}}]]}'],
    ['__proto__ twice', '{"__proto__":{},"__proto__":{}}'],
    ['an empty key twice', '{"":1,"":2}'],
  ];
  for (const [index, [what, text]] of REFUSED.entries()) {
    test(`${index + 1} ${what} is none`, () => assert.equal(read(text), undefined));
  }

  test('18 bytes that are not UTF-8 are none, in keys and in texts', () => {
    for (const byte of [0x80, 0xc0, 0xff]) {
      assert.equal(strictObject(Buffer.from([0x7b, 0x22, byte, 0x22, 0x3a, 0x31, 0x7d])), undefined);
    }
  });

  test('19 what looks like a key inside a text is none', () => {
    const value = { a: '"a":1,"a":2', b: '\\":', '"c":': '\\\\":', d: '{"d":{"d":1}}' };
    assert.deepEqual(read(JSON.stringify(value)), value);
  });

  test('20 what it reads is what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        assert.deepEqual(read(text), JSON.parse(text));
      }),
      { numRuns: 300, seed: 4 },
    );
  });

  test('21 one key said again, anywhere, makes it none', () => {
    const keyed = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 });
    fc.assert(
      fc.property(keyed, fc.array(fc.string(), { maxLength: 4 }), fc.nat(), (value, path, at) => {
        const keys = Object.keys(value);
        const again = `${JSON.stringify(value).slice(0, -1)},${JSON.stringify(keys[at % keys.length])}:0}`;
        const text = path.reduce((inner, key) => `{${JSON.stringify(key)}:[${inner}]}`, again);
        assert.equal(read(text), undefined);
      }),
      { numRuns: 300, seed: 4 },
    );
  });

  test('22 nesting is counted, not climbed', () => {
    const levels = 3000;
    assert.ok(read(`{"x":${'[{"y":'.repeat(levels)}0${'}]'.repeat(levels)}}`) !== undefined);
    assert.equal(read(`{"x":${'[{"y":'.repeat(levels)}{"z":1,"z":2}${'}]'.repeat(levels)}}`), undefined);
  });
});
