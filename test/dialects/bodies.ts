/** Bodies that every dialect meets, and how the tests read them. */
import assert from 'node:assert/strict';
import type { BodyFacts, BodyFault, Dialect, Target } from '../../src/dialects/dialect.ts';
import { isFault } from '../../src/dialects/dialect.ts';

export function bytes(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

export function accepted(dialect: Dialect, body: Uint8Array, target?: Target): BodyFacts {
  const read = dialect.read(body, target);
  assert.ok(!isFault(read), `refused: ${JSON.stringify(read)}`);
  return read;
}

export function refused(dialect: Dialect, body: Uint8Array, target?: Target): BodyFault {
  const read = dialect.read(body, target);
  assert.ok(isFault(read), `accepted: ${JSON.stringify(read)}`);
  assert.match(read.message, /^expected .+, found .+[^.]$/, 'the message says what was expected and what was found');
  assert.doesNotMatch(read.message, /[^\x20-\x7e]/, 'the message is printable ASCII');
  return read;
}

/** An agent's body with what a careless rewrite would lose: a 19-digit seed, key order, escapes, non-ASCII text. */
export const CAREFUL_BODY: string = [
  '{ "seed": 1234567890123456789,\t"model" : "gpt-5" ,',
  '"response_format":{"type":"json_schema","json_schema":{"name":"t","schema":{"type":"object","properties":{"z":{"type":"number"},"a":{"type":"string"},"m":{"const":1.10}}}}},',
  '"messages":[{"role":"user","content":"Grüße, 世界 🌍 \\ud83c\\udf0d \\"model\\": \\"x\\", \\u006dodel; 1,2;"}],',
  '\r\n"stream":true,"temperature":1e-7,"user":"\\/"} ',
].join('');
