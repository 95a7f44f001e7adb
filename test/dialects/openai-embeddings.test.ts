import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openaiEmbeddings } from '../../src/dialects/openai-embeddings.ts';
import { type Bad, type Good, readsRows, refusesRows } from './rows.ts';

const GOOD: Good = [
  [1, '{"model":"e","input":"hi"}', { model: 'e', outputCap: 0, choices: 1, reportsUsage: true, stream: false }],
  [2, '{"model":"e","input":["a","b"],"encoding_format":"base64","dimensions":256}', { choices: 1, outputCap: 0 }],
  [3, '{"model":"e","input":"hi","stream":true,"n":9,"max_tokens":7}', { stream: false, choices: 1, outputCap: 0 }],
  [4, '{"input":[1,2,3],"model":"e"}', { inputTokens: 4 }],
  [5, '{"model":"e","input":[ 1 , 22 , 333 ]}', { inputTokens: 4 }],
  [6, '{"model":"e","input":[[1,2,3],[4]]}', { inputTokens: 5 }],
  [7, '{"model":"e","input":[]}', { inputTokens: 1 }],
  [8, '{"model":"e","input":[[]]}', { inputTokens: 1 }],
  [9, '{"model":"e","input":["a,b,c,d"]}', { inputTokens: 3 }],
  [10, '{"model":"e","other":[1,2,3],"x":{"input":[1,2,3]}}', { inputTokens: 1 }],
  // A provider refuses such a mixture; it weighs no less than each part does.
  [11, '{"model":"e","input":[1,"two",3]}', { inputTokens: 5 }],
];

const BAD: Bad = [
  [1, '{"input":"hi"}', 'model_invalid', /no `model`/],
  [2, '{"model":"e","input":"a","input":"b"}', 'body_duplicate_key', /`input` once .* twice/],
  [3, '{"model":"e","Input":"a"}', 'body_duplicate_key', /`Input`/],
  [4, '{"model":"e","input":[1,2,}', 'body_malformed', /found `}`/],
  [5, '{"model":"e","models":["f"]}', 'body_value_invalid', /no `models`/],
  [6, '{"model":"e","fallbacks":["f"]}', 'body_value_invalid', /no `fallbacks`/],
];

describe('openai-embeddings, facts', () => readsRows(openaiEmbeddings, GOOD));
describe('openai-embeddings, bad bodies', () => refusesRows(openaiEmbeddings, BAD));

describe('openai-embeddings, tokens of an answer', () => {
  it('are none, however long its vectors are', () => {
    assert.equal(openaiEmbeddings.outputTokens(5_000_000, { stream: false }), 0);
  });
});
