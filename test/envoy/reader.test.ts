import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TollgateError } from '../../src/core/errors.ts';
import { Reader } from '../../src/envoy/wire/reader.ts';
import { readStruct } from '../../src/envoy/wire/struct.ts';
import { Writer } from '../../src/envoy/wire/writer.ts';
import { decode, encode, struct } from './protos.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

function read(hex: string, as: (reader: Reader) => unknown): unknown {
  const reader = new Reader(bytes(hex));
  let value: unknown;
  while (reader.more()) {
    reader.field();
    value = as(reader);
  }
  return value;
}

const BAD: readonly [n: number, what: string, hex: string, as: (reader: Reader) => unknown, text: RegExp][] = [
  [1, 'a tag that is cut', '80', (r) => r.skip(), /varint is truncated/],
  [2, 'field number 0', '02 00', (r) => r.skip(), /field number/],
  [3, 'field number beyond 2^29', '82 80 80 80 10 00', (r) => r.skip(), /field number/],
  [4, 'a group', '0b 0c', (r) => r.skip(), /wire type `3`/],
  [5, 'the end of a group', '0c', (r) => r.skip(), /wire type `4`/],
  [6, 'wire type 6', '0e 00', (r) => r.skip(), /wire type `6`/],
  [7, 'wire type 7', '0f 00', (r) => r.skip(), /wire type `7`/],
  [8, 'a varint that is cut', '08 ff', (r) => r.safe(), /varint is truncated/],
  [9, 'a varint that is missing', '08', (r) => r.skip(), /varint is truncated/],
  [10, 'a varint of 11 bytes', `08 ${'ff '.repeat(10)} 01`, (r) => r.uint64(), /longer than 10 bytes/],
  [11, 'a skipped varint of 11 bytes', `08 ${'ff '.repeat(10)} 01`, (r) => r.skip(), /longer than 10 bytes/],
  [12, 'an integer beyond 64 bits', `08 ${'ff '.repeat(9)} 7f`, (r) => r.uint64(), /beyond 64 bits/],
  [13, 'an integer beyond 2^53', '08 80 80 80 80 80 80 80 10', (r) => r.safe(), /beyond 2\^53/],
  [14, 'text past the end', '0a 05 61 62', (r) => r.text(), /length `5` is past the end, `2` bytes/],
  [15, 'skipped bytes past the end', '0a 05 61 62', (r) => r.skip(), /past the end/],
  [16, 'a message past the end', '0a 05 61 62', (r) => r.open(), /past the end/],
  [17, 'a length of 2^32', '0a 80 80 80 80 10 61', (r) => r.bytes(), /past the end/],
  [18, 'a length that is cut', '0a', (r) => r.bytes(), /varint is truncated/],
  [19, 'a double that is cut', '09 00 00 00', (r) => r.double(), /past the end/],
  [20, 'a fixed32 that is cut', '0d 00 00', (r) => r.skip(), /past the end/],
  [21, 'text where a number stands', '08 01', (r) => r.text(), /wire type must be `2`; got `0`/],
  [22, 'a number where text stands', '0a 01 61', (r) => r.safe(), /wire type must be `0`; got `2`/],
  [23, 'a message where a number stands', '08 01', (r) => r.open(), /wire type must be `2`/],
  [24, 'text with a stray byte', '0a 02 61 ff', (r) => r.text(), /not UTF-8/],
  [25, 'text with an overlong form', '0a 02 c0 80', (r) => r.text(), /not UTF-8/],
  [26, 'text with half a surrogate pair', '0a 03 ed a0 80', (r) => r.text(), /not UTF-8/],
  [27, 'text that is cut inside a character', '0a 02 e2 82', (r) => r.text(), /not UTF-8/],
];

for (const [n, what, hex, as, text] of BAD) {
  test(`T1 T2 bad bytes ${n}: ${what} is refused`, () => {
    assert.throws(
      () => read(hex, as),
      (error: unknown) => error instanceof TollgateError && error.code === 'wire_invalid' && text.test(error.message),
    );
  });
}

const GOOD: readonly [n: number, hex: string, as: (reader: Reader) => unknown, value: unknown][] = [
  [1, '08 00', (r) => r.safe(), 0],
  [2, '08 ff ff ff ff ff ff ff 0f', (r) => r.safe(), Number.MAX_SAFE_INTEGER],
  [3, `08 ${'ff '.repeat(9)} 01`, (r) => r.uint64(), 0xffff_ffff_ffff_ffffn],
  [4, `08 ${'ff '.repeat(9)} 01`, (r) => r.int64(), -1n],
  [5, '08 81 80 80 80 80 80 80 80 80 00', (r) => r.uint64(), 1n],
  [6, '08 02', (r) => r.bool(), true],
  [7, '09 00 00 00 00 00 00 f8 3f', (r) => r.double(), 1.5],
  [8, '0a 00', (r) => r.text(), ''],
  // U+FFFD that was sent as such is text like any other.
  [9, '0a 03 ef bf bd', (r) => r.text(), '\ufffd'],
  [10, '0a 02 c3 a4', (r) => r.text(), 'ä'],
  [11, '0a 02 c3 a4', (r) => r.latin1(), 'Ã¤'],
  [12, '08 96 01 0a 01 61', (r) => r.skip(), undefined],
];

for (const [n, hex, as, value] of GOOD) {
  test(`good bytes ${n}`, () => {
    assert.deepEqual(read(hex, as), value);
  });
}

test('a nested message cannot be read past its end', () => {
  // Field 1 is a message of two bytes, which claims a text of three.
  const reader = new Reader(bytes('0a 02 0a 03 61 62 63'));
  reader.field();
  reader.open();
  reader.field();
  assert.throws(() => reader.text(), /length `3` is past the end, `0` bytes/);
});

test('bytes are a view of the message', () => {
  const message = bytes('0a 03 61 62 63');
  const reader = new Reader(message);
  reader.field();
  const view = reader.bytes();
  assert.equal(view.buffer, message.buffer);
  message[2] = 0x7a;
  assert.equal(view.toString(), 'zbc');
});

test('a Struct is read into maps, whatever its keys are called', () => {
  const pairs = { __proto__x: 'a', constructor: 1.5, b: true, n: null, list: ['x', 2, { deep: 'y' }], s: { t: 'u' } };
  const message = encode('google.protobuf.Struct', struct({ ...pairs, ['__proto__']: 'own' }));
  const wrapped = Buffer.concat([Buffer.from([0x0a]), varint(message.length), message]);
  const reader = new Reader(wrapped);
  reader.field();
  const found = readStruct(reader);
  assert.equal(found.get('__proto__x'), 'a');
  assert.equal(found.get('constructor'), 1.5);
  assert.equal(found.get('b'), true);
  assert.equal(found.get('n'), null);
  assert.deepEqual(found.get('list'), ['x', 2, new Map([['deep', 'y']])]);
  assert.deepEqual(found.get('s'), new Map([['t', 'u']]));
});

/** A Struct inside a Struct, `levels` of them, behind the head of field 1. */
function nested(levels: number): Buffer {
  const writer = new Writer();
  for (let i = 1; i < levels; i++) {
    // All that stands is the content of a Value, of an entry, of a Struct.
    for (const field of [5, 2, 1]) writer.message(field, 0);
  }
  writer.message(1, 0);
  return writer.finish();
}

for (const [levels, fits] of [
  [16, true],
  [17, false],
  [5000, false],
] as const) {
  test(`T3 a Struct ${levels} deep is ${fits ? 'read' : 'refused'}`, () => {
    const reader = new Reader(nested(levels));
    reader.field();
    if (fits) assert.equal(readStruct(reader).size, 1);
    else assert.throws(() => readStruct(reader), /nested deeper than `16`/);
  });
}

test('what the writer writes, protobufjs reads', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.boolean(), fc.maxSafeNat()), {
        maxLength: 40,
      }),
      (rows) => {
        const writer = new Writer();
        for (const [text, flag, number] of [...rows].reverse()) {
          const mark = writer.mark();
          writer.bool(4, flag);
          writer.varint(3, number % 4);
          const header = writer.mark();
          writer.text(2, text);
          writer.text(3, text);
          writer.text(1, 'k');
          writer.message(1, header);
          writer.message(2, mark);
        }
        const { headers = [] } = decode('envoy.service.auth.v3.DeniedHttpResponse', writer.finish());
        const wanted = rows.map(([text, flag, number]) => ({
          header: { key: 'k', value: text, raw_value: Buffer.from(text) },
          append_action: number % 4,
          keep_empty_value: flag,
        }));
        assert.deepEqual(headers, wanted);
      },
    ),
    { seed: 77, numRuns: 150 },
  );
});

test('integers of every length are written and read alike', () => {
  const writer = new Writer();
  for (let bits = 0; bits <= 53; bits++) {
    for (const value of [2 ** bits - 1, 2 ** bits - 2]) {
      if (value < 0) continue;
      writer.varint(9, value);
      const reader = new Reader(writer.finish());
      assert.equal(reader.field(), 9);
      assert.equal(reader.safe(), value);
      assert.equal(reader.more(), false);
    }
  }
});

function varint(value: number): Buffer {
  return value < 0x80 ? Buffer.from([value]) : Buffer.from([(value & 0x7f) | 0x80, value >> 7]);
}
