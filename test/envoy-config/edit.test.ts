/** The Lua filter that applies Tollgate's byte edits: exactly, or 503. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Edit } from '../../src/dialects/dialect.ts';
import { headerOf } from '../../tools/stub/records.ts';
import { applyEdits } from '../support/apply-edits.ts';
import { needEnvoy } from '../support/envoy.ts';
import { send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { gatewayOfDouble } from './tollgate-double.ts';

const PATH = '/v1/chat/completions';

/** A 19-digit seed, a schema whose key order matters, non-ASCII text, and padding to the size wanted. */
function bodyOf(bytes: number): Buffer {
  const head = Buffer.from(
    '{ "model":"gpt-5",\n"seed":1234567890123456789,"response_format":{"zeta":1,"alpha":{"b":[],"a":1e2}},' +
      '"messages":[{"role":"user","content":"Grüße, 世界 😀 \\u00e9 ; , ',
  );
  const tail = Buffer.from('"}] }\r\n');
  const padding = Math.max(0, bytes - head.length - tail.length);
  const text = `${'x'.repeat(padding % 2)}${'ü'.repeat(padding / 2)}`;
  return Buffer.concat([head, Buffer.from(text), tail]);
}

const format = (edits: readonly Edit[]): string => edits.map((e) => `${e.offset},${e.length},${e.text};`).join('');

const need = await needEnvoy();

describe('byte edits', need, async () => {
  if (need.skip !== false) return;
  const { tollgate, gateway } = await gatewayOfDouble(fileScope());

  const model = { offset: 10, length: 7, text: '"gpt-5-mini"' };
  const insert = { offset: 17, length: 0, text: ',"stream_options":{"include_usage":true,"x":[1,2]}' };
  const rows: readonly (readonly [name: string, bytes: number, edits: (body: Buffer) => Edit[], chunked?: boolean])[] =
    [
      ['model replaced', 0, () => [model]],
      ['model replaced, text with commas inserted right behind it', 0, () => [model, insert]],
      ['a chunked body', 0, () => [model, insert], true],
      ['at the first byte', 0, () => [{ offset: 0, length: 0, text: ' ' }]],
      ['at the last byte', 0, (body) => [{ offset: body.length - 1, length: 1, text: '' }]],
      ['behind the last byte', 0, (body) => [{ offset: body.length, length: 0, text: '  ' }]],
      ['0.9 MB', 900_000, () => [model, insert]],
      ['3 MB', 3_000_000, (body) => [model, { offset: body.length - 5, length: 0, text: ' ' }]],
      ['4 MiB to the byte, growing', 4_194_304, () => [model, insert]],
    ];
  for (const [name, bytes, edits, chunked] of rows) {
    test(`${name}: all else byte-identical`, async () => {
      const body = bodyOf(bytes);
      const list = edits(body);
      tollgate.decide(() => ({
        allow: { 'x-tollgate-edit': format(list), 'x-tollgate-edit-size': String(body.length) },
      }));
      await send({ url: gateway.url, path: PATH, body, ...(chunked === true ? { chunked } : {}) });
      const [record] = gateway.stub.records();
      assert.ok(record !== undefined, 'the provider saw no request');
      assert.ok(tollgate.checks.at(-1)!.body.equals(body), 'Tollgate saw another body');
      const expected = applyEdits(body, list);
      assert.equal(record.body.length, expected.length);
      assert.ok(record.body.equals(expected));
      assert.deepEqual(headerOf(record, 'content-length'), [String(expected.length)]);
      assert.deepEqual(headerOf(record, 'x-tollgate-edit'), []);
      assert.deepEqual(headerOf(record, 'x-tollgate-edit-size'), []);
    });
  }

  test('no edit: the body passes as it came, chunked or not', async () => {
    for (const chunked of [false, true]) {
      const body = bodyOf(50_000);
      await send({ url: gateway.url, path: PATH, body, chunked });
      assert.ok(gateway.stub.records().at(-1)!.body.equals(body));
    }
  });

  test('each retry carries the edited body', async () => {
    const body = bodyOf(3_000_000);
    tollgate.decide(() => ({
      allow: { 'x-tollgate-edit': format([model]), 'x-tollgate-edit-size': String(body.length) },
    }));
    gateway.stub.setBehaviour({ failures: 2 });
    await send({ url: gateway.url, path: PATH, body });
    const records = gateway.stub.records();
    assert.equal(records.length, 3);
    for (const record of records) assert.ok(record.body.equals(applyEdits(body, [model])));
  });

  const body = bodyOf(0);
  const size = String(body.length);
  const faults: readonly (readonly [name: string, edit: string | undefined, size: string | undefined])[] = [
    ['wrong size', format([model]), String(body.length + 1)],
    ['missing size', format([model]), undefined],
    ['missing edit', undefined, size],
    ['size with a sign', format([model]), `+${size}`],
    ['size in hexadecimal', format([model]), `0x${body.length.toString(16)}`],
    ['garbage', 'garbage', size],
    ['no end of edit', '10,7,"gpt-5-mini"', size],
    ['garbage behind an edit', `${format([model])}x`, size],
    ['offset with a sign', '-10,7,x;', size],
    ['offset with a fraction', '1.5,7,x;', size],
    ['length missing', '10,x;', size],
    ['out of bounds', `${body.length},1,x;`, size],
    ['an offset beyond any number', `${'9'.repeat(400)},0,x;`, size],
    ['overlapping', '10,7,x;16,1,y;', size],
    ['descending', '17,0,y;10,7,x;', size],
  ];
  for (const [name, edit, sizeSent] of faults) {
    test(`${name}: 503, and the provider sees nothing`, async () => {
      const allow = {
        ...(edit === undefined ? {} : { 'x-tollgate-edit': edit }),
        ...(sizeSent === undefined ? {} : { 'x-tollgate-edit-size': sizeSent }),
      };
      tollgate.decide(() => ({ allow }));
      const answer = await send({ url: gateway.url, path: PATH, body });
      assert.equal(answer.status, 503);
      assert.equal((JSON.parse(answer.text) as { error: { code: string } }).error.code, 'edit_failed');
      assert.match(String(answer.headers['x-tollgate-decision']), /^d-\d+$/);
      assert.equal(gateway.stub.records().length, 0);
      const entry = await tollgate.entryOf(tollgate.checks.at(-1)!.id);
      assert.equal(entry.attempts, 0);
    });
  }

  test('an edit for a request without a body: 503', async () => {
    tollgate.decide(() => ({ allow: { 'x-tollgate-edit': '0,0,x;', 'x-tollgate-edit-size': '0' } }));
    assert.equal((await send({ url: gateway.url, path: PATH, method: 'POST' })).status, 503);
    assert.equal((await send({ url: gateway.url, path: '/v1/models' })).status, 503);
    assert.equal(gateway.stub.records().length, 0);
  });

  test('a body above 4 MiB is 413 without a check, chunked or not', async () => {
    const checks = tollgate.checks.length;
    for (const chunked of [false, true]) {
      const answer = await send({ url: gateway.url, path: PATH, body: bodyOf(4_194_305), chunked });
      assert.equal(answer.status, 413);
    }
    assert.equal(tollgate.checks.length, checks);
    assert.equal(gateway.stub.records().length, 0);
  });
});
