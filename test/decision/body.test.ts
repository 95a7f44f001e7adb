import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyOf } from '../../src/decision/body.ts';
import { fileScope } from '../support/scope.ts';
import { policyOf } from './bundle.ts';
import { type Asked, callOf, MESSAGES } from './desk.ts';

const policy = await policyOf(fileScope());

const json = (text: string): Asked => ({ body: Buffer.from(text) });
const typed = (...types: readonly string[]): Asked => ({ headers: types.map((type) => ['content-type', type]) });
const encoded = (...values: readonly string[]): Asked => ({
  headers: values.map((value) => ['content-encoding', value]),
});
/** Of exactly so many bytes. */
function sized(bytes: number): Asked {
  const text = JSON.stringify({ model: 'large', messages: MESSAGES });
  return json(text + ' '.repeat(bytes - text.length));
}

/** The model that was read, or a reason; `chat` has a `body_max` of 4096 bytes. */
const ROWS: readonly [n: number, route: string, asked: Asked, expected: string | undefined][] = [
  [1, 'chat', {}, 'large'],
  [2, 'chat', typed('application/json; charset=utf-8'), 'large'],
  [3, 'chat', typed('Application/JSON'), 'large'],
  [4, 'chat', typed('application/json ;charset=utf-8'), 'large'],
  [5, 'chat', typed('application/jsonp'), 'content_type_unsupported'],
  [6, 'chat', typed('text/json'), 'content_type_unsupported'],
  [7, 'chat', typed('text/plain; a=application/json'), 'content_type_unsupported'],
  [8, 'chat', typed('multipart/form-data; boundary=x'), 'content_type_unsupported'],
  [9, 'chat', typed(''), 'content_type_unsupported'],
  [10, 'chat', typed('application/json', 'application/json'), 'content_type_unsupported'],
  [11, 'chat', typed('application/json, text/plain'), 'content_type_unsupported'],
  [12, 'chat', encoded('identity'), 'large'],
  [13, 'chat', encoded('gzip'), 'content_encoding_unsupported'],
  [14, 'chat', encoded('identity', 'br'), 'content_encoding_unsupported'],
  [15, 'chat', encoded('identity, gzip'), 'content_encoding_unsupported'],
  [16, 'chat', encoded(''), 'content_encoding_unsupported'],
  [17, 'chat', { partialBody: true }, 'body_partial'],
  // What was cut is not read, even if what is left is well-formed.
  [18, 'chat', { ...json('{'), partialBody: true }, 'body_partial'],
  [19, 'chat', sized(4096), 'large'],
  [20, 'chat', sized(4097), 'body_too_large'],
  // A compressed body is refused before its size is.
  [21, 'chat', { ...encoded('gzip'), body: Buffer.alloc(5000) }, 'content_encoding_unsupported'],
  // The dialect's own faults come through.
  [22, 'chat', json(''), 'body_malformed'],
  [23, 'chat', json('{"model":"large"'), 'body_malformed'],
  [24, 'chat', json('{"model":"large"} x'), 'body_malformed'],
  [25, 'chat', json('\ufeff{"model":"large"}'), 'body_malformed'],
  [26, 'chat', json('{"model":"large","model":"small"}'), 'body_duplicate_key'],
  [27, 'chat', json('{"model":"large","Model":"small"}'), 'body_duplicate_key'],
  [28, 'chat', json('{"model":"large","m\\u006fdel":"small"}'), 'body_duplicate_key'],
  [29, 'chat', json('{"messages":[]}'), 'model_invalid'],
  [30, 'chat', json('{"model":7}'), 'model_invalid'],
  [31, 'chat', json('{"model":" large"}'), 'model_invalid'],
  [32, 'chat', json('{"model":"large","max_tokens":-1}'), 'body_value_invalid'],
  [33, 'chat', json(`{"model":"large","x":${'['.repeat(200)}${']'.repeat(200)}}`), 'body_too_deep'],
  // Streams must report usage where the route requires it.
  [34, 'strict', { json: { stream: true } }, 'stream_usage_required'],
  [35, 'strict', { json: { stream: true, stream_options: { include_usage: false } } }, 'stream_usage_required'],
  [36, 'strict', { json: { stream: true, stream_options: { include_usage: true } } }, 'large'],
  [37, 'strict', { json: { stream: false } }, 'large'],
  [38, 'chat', { json: { stream: true } }, 'large'],
  [39, 'plain', { json: { stream: true } }, 'large'],
  [40, 'messages', { json: { model: 'claude', stream: true } }, 'claude'],
  // A route that is not metered reads no body, whatever it is.
  [41, 'models', json('{'), undefined],
  [42, 'models', { ...encoded('gzip'), ...typed('text/plain'), partialBody: true }, undefined],
  // A charset that reads other letters from the same bytes, and another type behind a comma.
  [43, 'chat', typed('application/json; charset="UTF-8"'), 'large'],
  [44, 'chat', typed('application/json;charset=utf8 '), 'large'],
  [45, 'chat', typed('application/json;'), 'large'],
  [46, 'chat', typed('application/json; charset=utf-7'), 'content_type_unsupported'],
  [47, 'chat', typed('application/json; charset=utf-16le'), 'content_type_unsupported'],
  [48, 'chat', typed('application/json; charset=utf-8; charset=utf-7'), 'content_type_unsupported'],
  [49, 'chat', typed('application/json; a=b'), 'content_type_unsupported'],
  [50, 'chat', typed('application/json; a=b, text/plain'), 'content_type_unsupported'],
  [51, 'chat', typed('application/json; charset="utf-8'), 'content_type_unsupported'],
];

for (const [n, route, asked, expected] of ROWS) {
  test(`H23 H24 H25 body ${n}: on ${route}, ${expected ?? 'not read'}`, () => {
    const found = bodyOf(callOf(asked), policy.routes.get(route)!);
    assert.equal(found === undefined ? found : 'reason' in found ? found.reason : found.model, expected);
  });
}

test('a body without content-type', () => {
  const call = { ...callOf(), headers: { get: () => [] } };
  const found = bodyOf(call, policy.routes.get('chat')!);
  assert.ok(found !== undefined && 'reason' in found);
  assert.equal(found.reason, 'content_type_unsupported');
});

test('on a route that keeps no state at the provider a body may leave none there, nor reach for any', async () => {
  const strict = await policyOf(fileScope(), {
    routes: [
      'answers: {dialect: openai-responses, stored_state: refuse, match: {method: POST, path: /v1/responses}}',
      'open: {dialect: openai-responses, match: {method: POST, path: /v1/open}}',
    ],
  });
  const rows: readonly [n: number, more: object, found: RegExp][] = [
    [1, { store: false }, /^large$/],
    [2, { store: false, previous_response_id: null, conversation: null, prompt: null }, /^large$/],
    // This API keeps answers of its own accord.
    [3, {}, /^expected `store` to be `false`/],
    [4, { store: null }, /^expected `store` to be `false`/],
    [5, { store: true }, /^expected `store` to be `false`/],
    [6, { store: false, previous_response_id: 'resp_1' }, /^expected no `previous_response_id`/],
    [7, { store: false, conversation: 'conv_1' }, /^expected no `conversation`/],
    [8, { store: false, conversation: { id: 'conv_1' } }, /^expected no `conversation`/],
    [9, { store: false, prompt: { id: 'pmpt_1' } }, /^expected no `prompt`/],
    [10, { store: false, previous_response_id: '' }, /^expected no `previous_response_id`/],
  ];
  for (const [n, more, expected] of rows) {
    const call = callOf(json(JSON.stringify({ model: 'large', input: 'hello', ...more })));
    const found = bodyOf(call, strict.routes.get('answers')!);
    assert.ok(found !== undefined);
    assert.match('reason' in found ? found.message : found.model, expected, `row ${n}`);
    if ('reason' in found) assert.equal(found.reason, 'body_value_invalid');
    const open = bodyOf(call, strict.routes.get('open')!);
    assert.ok(open !== undefined && !('reason' in open), `row ${n}, allowed`);
  }
});

test('a body that is too large is told both sizes', () => {
  const found = bodyOf(callOf(sized(5000)), policy.routes.get('chat')!);
  assert.ok(found !== undefined && 'reason' in found);
  assert.equal(found.message, 'the body may have 4096 bytes, it has 5000');
});
