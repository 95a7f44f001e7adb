import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type JsonEvents, JsonScanner } from '../../src/dialects/scanner.ts';

const silent: JsonEvents = { key: () => true, string() {}, scalar() {}, open() {}, close() {} };
const scanner = new JsonScanner();
const stopOf = (body: string | Uint8Array) => scanner.scan(typeof body === 'string' ? Buffer.from(body) : body, silent);
const nested = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;

const GOOD: readonly (readonly [number, string])[] = [
  [1, '{}'],
  [2, ' \t\r\n{ \t\r\n} \t\r\n'],
  [3, '{"":[]}'],
  [4, '{"a":[0,-0,1,-1,10,1.5,-0.0,1e5,1E+5,1e-5,0e0,123456789012345678901234567890]}'],
  [5, '{"a":[true,false,null,[],{},""]}'],
  [6, '{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD83D\\ude00\\ud800"}'],
  [7, '{"a":"\u007f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}"}'],
  [8, '{"a":1,"a":2}'],
  [9, nested(64)],
  [10, '{ "a" : [ 1 , 2 ] , "b" : { "c" : "d" } }'],
  [11, `{${Array.from({ length: 10_000 }, (_, i) => `"${i}":0`).join()}}`],
  [12, `{"a":[${'1,'.repeat(399_996)}1]}`],
];

const BAD: readonly (readonly [number, string, string, number])[] = [
  [1, '', 'root', 0],
  [2, ' ', 'root', 1],
  [3, '[]', 'root', 0],
  [4, '"a"', 'root', 0],
  [5, 'null', 'root', 0],
  [6, '{', 'key', 1],
  [7, '{"a"', 'colon', 4],
  [8, '{"a" 1}', 'colon', 5],
  [9, '{"a":', 'value', 5],
  [10, '{"a":}', 'value', 5],
  [11, '{"a":1', 'comma_or_brace', 6],
  [12, '{"a":1,}', 'key', 7],
  [13, '{,}', 'key', 1],
  [14, '{a:1}', 'key', 1],
  [15, "{'a':1}", 'key', 1],
  [16, '{1:1}', 'key', 1],
  [17, '{"a":[1,]}', 'value', 8],
  [18, '{"a":[,]}', 'value', 6],
  [19, '{"a":[1 2]}', 'comma_or_bracket', 8],
  [20, '{"a":[1}', 'comma_or_bracket', 7],
  [21, '{"a":[1]]', 'comma_or_brace', 8],
  [22, '{"a":[', 'value', 6],
  [23, '{"a":01}', 'comma_or_brace', 6],
  [24, '{"a":+1}', 'value', 5],
  [25, '{"a":-}', 'digit', 6],
  [26, '{"a":1.}', 'digit', 7],
  [27, '{"a":.5}', 'value', 5],
  [28, '{"a":1e}', 'digit', 7],
  [29, '{"a":1e+}', 'digit', 8],
  [30, '{"a":0x10}', 'comma_or_brace', 6],
  [31, '{"a":NaN}', 'value', 5],
  [32, '{"a":Infinity}', 'value', 5],
  [33, '{"a":-Infinity}', 'digit', 6],
  [34, '{"a":True}', 'value', 5],
  [35, '{"a":tru}', 'value', 5],
  [36, '{"a":truee}', 'comma_or_brace', 9],
  [37, '{"a":nul', 'value', 5],
  [38, '{"a":fals', 'value', 5],
  [39, '{"a":undefined}', 'value', 5],
  [40, '{"a":"', 'string_character', 6],
  [41, '{"a":"\n"}', 'string_character', 6],
  [42, '{"a":"\t"}', 'string_character', 6],
  [43, '{"a":"\u0000"}', 'string_character', 6],
  [44, '{"a":"12345678901234567\u001f"}', 'string_character', 23],
  [45, '{"a":"\\x41"}', 'escape', 7],
  [46, '{"a":"\\u12g4"}', 'escape', 10],
  [146, '{"a":"\\ug234"}', 'escape', 8],
  [147, '{"a":"\\u1g34"}', 'escape', 9],
  [148, '{"a":"\\u123g"}', 'escape', 11],
  [47, '{"a":"\\u123"}', 'escape', 11],
  [48, '{"a":"\\u12', 'escape', 7],
  [49, '{"a":"\\', 'escape', 7],
  [50, '{"a":"\\"}', 'string_character', 9],
  [51, '{} {}', 'end', 3],
  [52, '{}\u0000', 'end', 2],
  [53, '{},', 'end', 2],
  [54, '{}// no', 'end', 2],
  [55, '{/**/}', 'key', 1],
  [56, '{\u00a0}', 'key', 1],
  [57, '{\u000b}', 'key', 1],
  [58, '{\f}', 'key', 1],
  [59, '\u2028{}', 'root', 0],
  [60, '\ufeff{}', 'bom', 0],
  [61, nested(65), 'depth', 68],
  [62, `{${Array.from({ length: 10_001 }, () => '"a":0').join()}}`, 'keys', 60_001],
  [63, `{"a":[${'1,'.repeat(399_998)}1]}`, 'values', 800_002],
  [64, `{"a":${'['.repeat(100_000)}`, 'depth', 68],
];

const BAD_BYTES: readonly (readonly [number, readonly number[]])[] = [
  [1, [0x80]],
  [2, [0xc0, 0xaf]],
  [3, [0xc1, 0x81]],
  [4, [0xe0, 0x80, 0xaf]],
  [5, [0xed, 0xa0, 0x80]],
  [6, [0xed, 0xbf, 0xbf]],
  [7, [0xf0, 0x80, 0x80, 0xaf]],
  [8, [0xf4, 0x90, 0x80, 0x80]],
  [9, [0xf8, 0x88, 0x80, 0x80, 0x80]],
  [10, [0xfe]],
  [11, [0xff]],
  [12, [0xc3]],
  [13, [0xe2, 0x82]],
  [14, [0xf0, 0x9f, 0x98]],
];

describe('strict scan', () => {
  for (const [row, body] of GOOD) {
    it(`accepts row ${row}`, () => {
      assert.equal(stopOf(body), undefined);
      assert.doesNotThrow(() => JSON.parse(body));
    });
  }

  for (const [row, body, due, at] of BAD) {
    it(`stops at row ${row}: ${due}`, () => assert.deepEqual(stopOf(body), { due, at }));
  }

  for (const [row, invalid] of BAD_BYTES) {
    it(`refuses invalid UTF-8, row ${row}`, () => {
      const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(invalid), Buffer.from('"}')]);
      assert.deepEqual(stopOf(body), { due: 'utf8', at: 0 });
    });
  }

  it('refuses UTF-16 of either order, with and without a byte order mark', () => {
    const little = Buffer.from('{"a":1}', 'utf16le');
    assert.notEqual(stopOf(little), undefined);
    assert.notEqual(stopOf(Buffer.from(little).swap16()), undefined);
    assert.deepEqual(stopOf(Buffer.concat([Buffer.from([0xff, 0xfe]), little])), { due: 'utf8', at: 0 });
  });

  it('finds a control byte, quote and backslash at each place of an eight-byte word', () => {
    for (let before = 0; before < 24; before++) {
      const plain = 'x'.repeat(before);
      assert.deepEqual(stopOf(`{"a":"${plain}\u0001xxxxxxxxxxxxxxxxxx"}`), { due: 'string_character', at: 6 + before });
      assert.equal(stopOf(`{"a":"${plain}","b":"xxxxxxxxxxxxxxxxx"}`), undefined);
      assert.deepEqual(stopOf(`{"a":"${plain}\\xxxxxxxxxxxxxxxxxxxx"}`), { due: 'escape', at: 7 + before });
      assert.equal(stopOf(`{"a":"${plain}\u00e9\u4e16\u{1f30d}${plain}"}`), undefined);
    }
  });

  it('reads a body in the middle of a larger buffer, and no byte beyond it', () => {
    const around = Buffer.from('"}{"a":"b"}"}');
    assert.equal(stopOf(around.subarray(2, 11)), undefined);
    assert.deepEqual(stopOf(around.subarray(2, 9)), { due: 'string_character', at: 7 });
    assert.deepEqual(stopOf(around.subarray(2, 10)), { due: 'comma_or_brace', at: 8 });
  });

  it('tells where every token stands', () => {
    const body = Buffer.from('{"k\\n":[1,{"s":"a\\u00e9\\ud83c\\udf0d\\n"}],"n":-1.5}');
    const told: unknown[] = [];
    scanner.scan(body, {
      key: (depth, start, end, escaped) => told.push(['key', depth, body.toString('utf8', start, end), escaped]) > 0,
      string: (depth, start, end, textBytes) =>
        told.push(['string', depth, body.toString('utf8', start, end), textBytes]),
      scalar: (depth, kind, start, end) => told.push(['scalar', depth, kind, body.toString('utf8', start, end)]),
      open: (depth, kind, at) => told.push(['open', depth, kind, at]),
      close: (depth, end) => told.push(['close', depth, end]),
    });
    assert.deepEqual(told, [
      ['open', 0, 6, 0],
      ['key', 1, 'k\\n', true],
      ['open', 1, 7, 7],
      ['open', 2, 6, 10],
      ['key', 3, 's', false],
      ['string', 3, 'a\\u00e9\\ud83c\\udf0d\\n', Buffer.byteLength('aé🌍\n')],
      ['close', 2, 39],
      ['close', 1, 40],
      ['key', 1, 'n', false],
      ['scalar', 1, 2, '-1.5'],
      ['close', 0, 50],
    ]);
  });

  it('accepts what JSON.stringify writes, at any indent', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.nat(4), (value, indent) => {
        assert.equal(stopOf(JSON.stringify({ value }, null, indent)), undefined);
      }),
      { seed: 3, numRuns: 2000 },
    );
  });

  it('agrees with JSON.parse on short texts of JSON characters', () => {
    const character = fc.constantFrom(...'{}[]:,"\\ \n0123456789.-+eEtruefalsn/bu\u0001\u00e9');
    const body = fc.array(character, { maxLength: 12 }).map((characters) => `{"a":${characters.join('')}}`);
    fc.assert(
      fc.property(body, (text) => {
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        assert.equal(stopOf(text) === undefined, isJson);
      }),
      { seed: 4, numRuns: 20_000 },
    );
  });
});
