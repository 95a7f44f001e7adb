import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { isStray, resolveEscapes, unitAt } from '../../src/dialects/escapes.ts';
import { openaiChat } from '../../src/dialects/openai-chat.ts';
import { accepted, bytes, refused } from './bodies.ts';

const ROOM_CHARS = 31;
const PIECES = [
  ...[
    'a',
    'K',
    '0',
    ' ',
    'ä',
    '世',
    '🌍',
    '/',
    '\\u0041',
    '\\u00e4',
    '\\u4e16',
    '\\ud83c\\udf0d',
    '\\"',
    '\\\\',
    '\\/',
  ],
  ...['\\b', '\\n', '\\u0000', '\\u001f', '\\u0020', '\\u007f', '\x7f', '\\ud83c', '\\udf0d', '\\uD83C', '\\uDF0D'],
];

function resolved(text: string): string | undefined {
  const room = new Uint8Array(ROOM_CHARS * 4);
  const body = bytes(`"${text}"`);
  const length = resolveEscapes(body, 1, body.length - 1, room);
  return length < 0 ? undefined : Buffer.from(room.subarray(0, length)).toString();
}

test('escapes are resolved as JSON.parse resolves them, up to the room there is', () => {
  const written = fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(written, (text) => {
      const expected = JSON.parse(`"${text}"`) as string;
      const isShort = [...expected].length <= ROOM_CHARS;
      assert.equal(resolved(text), isShort ? expected.toWellFormed() : undefined);
      const body = bytes(`"${text}"`);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      const stray = /[\u0000-\u001f\u007f]/.test(expected) || !expected.isWellFormed();
      assert.equal(isStray(body, 1, body.length - 1), stray);
    }),
    { seed: 4, numRuns: 3000 },
  );
});

test('four digits are a unit, and nothing else is: any byte in any of their places', () => {
  for (let place = 0; place < 4; place++) {
    for (let byte = 0; byte < 256; byte++) {
      const digits = Buffer.from('f00f');
      digits[place] = byte;
      const text = digits.toString('latin1');
      assert.equal(unitAt(digits, 0), /^[0-9a-fA-F]{4}$/.test(text) ? Number.parseInt(text, 16) : -1, text);
    }
  }
  assert.equal(unitAt(bytes('123'), 0), -1);
});

const inEscapes = (text: string): string =>
  Array.from(text, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

describe('H13 H15 keys in escapes', () => {
  const rows: readonly (readonly [row: number, key: string])[] = [
    [1, 'model'],
    [2, 'MODEL'],
    [3, 'max_completion_tokens'],
    [4, 'MAX_COMPLETION_TOKENS'],
    [5, 'stream_opti\u0307ons'],
    [6, 'service_ti\u0307er'],
    [7, 'be\ufb06_of'],
    [8, 'max_completion_to\u212aens'],
  ];
  for (const [row, key] of rows) {
    it(`refuses row ${row}, a twin`, () => {
      const body = `{"model":"m","max_completion_tokens":5,"service_tier":"x","best_of":1,"stream_options":{},"${inEscapes(key)}":1}`;
      assert.equal(refused(openaiChat, bytes(body)).reason, 'body_duplicate_key');
    });
  }
  it('refuses a twin behind each way to write one of its characters', () => {
    for (const first of ['m', 'M', '\\u006d', '\\u006D', '\\u004d']) {
      const body = bytes(`{"model":"m","${first}ode\\u006c":"n"}`);
      assert.equal(refused(openaiChat, body).reason, 'body_duplicate_key', first);
    }
  });
  it('reads a long one that begins like a name, and refuses it for a control character at its end', () => {
    const key = inEscapes('model'.repeat(200));
    assert.equal(accepted(openaiChat, bytes(`{"model":"m","${key}":"n"}`)).model, 'm');
    const fault = refused(openaiChat, bytes(`{"model":"m","${key}\\u001f":"n"}`));
    assert.equal(fault.reason, 'body_malformed');
    assert.ok(fault.message.length < 200);
  });
});

test('H17 a model too long to be a name is refused in few words, however it is written', () => {
  for (const unit of ['m', '\\u006d', '\\/', '世', '\\ud83c\\udf0d']) {
    const fault = refused(openaiChat, bytes(`{"model":"${unit.repeat(5000)}"}`));
    assert.equal(fault.reason, 'model_invalid');
    assert.ok(fault.message.length < 350, fault.message);
  }
  assert.equal(accepted(openaiChat, bytes(`{"model":"${'\\u006d'.repeat(128)}"}`)).model, 'm'.repeat(128));
  assert.equal(refused(openaiChat, bytes(`{"model":"${'\\u006d'.repeat(129)}"}`)).reason, 'model_invalid');
});
