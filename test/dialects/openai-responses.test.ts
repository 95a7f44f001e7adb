import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HIDDEN_INPUT_TOKENS, openaiResponses } from '../../src/dialects/openai-responses.ts';
import { accepted, bytes } from './bodies.ts';
import { type Bad, type Good, readsRows, refusesRows } from './rows.ts';

const GOOD: Good = [
  [1, '{"model":"m","input":"hi"}', { model: 'm', outputCap: undefined, choices: 1, reportsUsage: true }],
  [2, '{"model":"m","input":"hi","max_output_tokens":64}', { outputCap: 64 }],
  [3, '{"model":"m","max_output_tokens":null,"max_tokens":7}', { outputCap: undefined }],
  // Usage comes in the last event by itself: nothing is edited.
  [4, '{"model":"m","stream":true}', { stream: true, reportsUsage: true, usageEdit: undefined }],
  [5, '{"model":"m","stream":true,"stream_options":{"include_obfuscation":false}}', { usageEdit: undefined }],
  [6, '{"model":"m","background":false}', { model: 'm' }],
  [7, '{"model":"m","background":null}', { model: 'm' }],
  [8, '{"model":"m","n":5,"best_of":5}', { choices: 1 }],
  [9, '{"model":"m","tools":[{"type":"function","parameters":{"properties":{"model":{}}}}]}', { model: 'm' }],
  [10, '{"model":"m","prompt_cache_options":{"mode":"explicit"}}', { caching: true }],
  [11, '{"model":"m","previous_response_id":null,"conversation":null,"prompt":null}', { inputTokens: 1 }],
];

const BAD: Bad = [
  [1, '{"input":"hi"}', 'model_invalid', /^expected `model`, the model to answer, found none$/],
  [2, '{"prompt":{"id":"pmpt_1"}}', 'model_invalid', /also beside `prompt`: which model a template names/],
  [3, '{"model":null,"prompt":{"id":"pmpt_1"}}', 'model_invalid', /also beside `prompt`/],
  [4, '{"model":7}', 'model_invalid', /found `7`/],
  [5, '{"model":"m","background":true}', 'body_value_invalid', /`background` to be `false`.*never passes the gateway/],
  [6, '{"model":"m","background":"true"}', 'body_value_invalid', /`background`/],
  [7, '{"model":"m","background":false,"Background":true}', 'body_duplicate_key', /`Background`/],
  [8, '{"model":"m","max_output_tokens":1e3}', 'body_value_invalid', /`1e3`/],
  [9, '{"model":"m","max_output_tokens":1,"max_output_tokens":2}', 'body_duplicate_key', /`max_output_tokens`/],
  [10, '{"model":"m","input":"a","input":"b"}', 'body_duplicate_key', /`input`/],
  [11, '{"model":"m","previous_response_id":"a","previous_response_id":"b"}', 'body_duplicate_key', /twice/],
  [12, '{"model":"m","tools":[{"type":"image_generation","model":"gpt-image-1"}]}', 'body_value_invalid', /`tools`/],
  [13, '{"model":"m","models":["n"]}', 'body_value_invalid', /no `models`/],
  [14, '{"model":"m","store":"false"}', 'body_value_invalid', /`store` to be `true` or `false`/],
  [15, '{"model":"m","store":false,"Store":true}', 'body_duplicate_key', /`Store`/],
];

describe('openai-responses, facts', () => readsRows(openaiResponses, GOOD));
describe('openai-responses, bad bodies', () => refusesRows(openaiResponses, BAD));

describe('openai-responses, what the input weighs', () => {
  const BASE64 = 'QUJD'.repeat(25_000);
  const weight = (body: object) =>
    accepted(openaiResponses, bytes(JSON.stringify({ model: 'm', ...body }))).inputTokens;
  const parts = (...content: object[]) => ({ input: [{ role: 'user', content }] });
  /** ceil(text bytes / 3.3) + 8 per item + 1600 per medium. */
  const ROWS: readonly (readonly [row: number, body: object, tokens: number])[] = [
    [1, { input: 'word '.repeat(1000) }, Math.ceil(5001 / 3.3)],
    [2, { instructions: 'x'.repeat(330) }, 101],
    [3, { input: [{ role: 'user', content: 'hello' }] }, Math.ceil(10 / 3.3) + 8],
    [4, parts({ type: 'input_image', image_url: `data:image/png;base64,${BASE64}` }), 1600 + 8 + Math.ceil(16 / 3.3)],
    [5, parts({ type: 'input_image', image_url: 'https://a.example/b' }), 1600 + 8 + Math.ceil(35 / 3.3)],
    [6, parts({ type: 'input_file', file_data: BASE64 }), 1600 + 8 + 3125 + Math.ceil(15 / 3.3)],
    [7, parts({ type: 'input_text', text: `data:image/png;base64,${BASE64}` }), 8 + Math.ceil((100_000 + 38) / 3.3)],
    [
      8,
      { input: [{ type: 'function_call_output', output: [{ type: 'input_image', image_url: `data:,${BASE64}` }] }] },
      1600 + 8 + Math.ceil(32 / 3.3),
    ],
    [9, { tools: [{ type: 'function', parameters: { a: 1 } }] }, Math.ceil(46 / 3.3)],
    [10, { text: { format: { type: 'json_schema', schema: { a: 1 } } } }, Math.ceil(51 / 3.3)],
    [11, { previous_response_id: 'resp_1' }, HIDDEN_INPUT_TOKENS + Math.ceil(7 / 3.3)],
    [12, { conversation: { id: 'c' } }, HIDDEN_INPUT_TOKENS + 1],
    [13, { prompt: { id: 'p' }, previous_response_id: 'r' }, 2 * HIDDEN_INPUT_TOKENS + 1],
  ];
  for (const [row, body, tokens] of ROWS) it(`row ${row}`, () => assert.equal(weight(body), tokens));
});
