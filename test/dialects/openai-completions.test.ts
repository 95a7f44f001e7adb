import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openaiCompletions } from '../../src/dialects/openai-completions.ts';
import { applyEdits } from '../support/apply-edits.ts';
import { accepted, bytes } from './bodies.ts';
import { type Bad, type Good, readsRows, refusesRows } from './rows.ts';

const GOOD: Good = [
  [1, '{"model":"m","prompt":"hi"}', { model: 'm', outputCap: 16, choices: 1, reportsUsage: true, caching: false }],
  [2, '{"model":"m"}', { outputCap: 16, choices: 1 }],
  [3, '{"model":"m","max_tokens":null}', { outputCap: undefined }],
  [4, '{"model":"m","max_tokens":0}', { outputCap: 0 }],
  [5, '{"model":"m","max_tokens":300,"max_completion_tokens":9}', { outputCap: 300 }],
  [6, '{"model":"m","prompt":["a","b","c"]}', { choices: 3 }],
  [7, '{"model":"m","prompt":["a","b","c"],"n":2}', { choices: 6 }],
  [8, '{"model":"m","prompt":["a","b"],"n":2,"best_of":5}', { choices: 10 }],
  [9, '{"model":"m","prompt":"a","n":3,"best_of":null}', { choices: 3 }],
  [10, '{"model":"m","prompt":[11,22,33]}', { choices: 1, inputTokens: 4 }],
  [11, '{"model":"m","prompt":[[11,22,33],[44]]}', { choices: 2, inputTokens: 5 }],
  [12, '{"model":"m","prompt":[]}', { choices: 1, inputTokens: 1 }],
  [13, '{"model":"m","prompt":[[],[]]}', { choices: 2 }],
  [14, '{"model":"m","prompt":["a",[1]]}', { choices: 2 }],
  [15, '{"model":"m","prompt":{"a":["b","c"]}}', { choices: 1 }],
  [16, '{"model":"m","x":["b","c"],"y":{"prompt":["a","b"]}}', { choices: 1 }],
  [17, '{"model":"m","stream":true}', { stream: true, reportsUsage: false }],
  [18, '{"model":"m","stream":true,"stream_options":{"include_usage":true}}', { stream: true, reportsUsage: true }],
];

const BAD: Bad = [
  [1, '{"prompt":"hi"}', 'model_invalid', /no `model`/],
  [2, '{"model":"m","prompt":"a","prompt":["b"]}', 'body_duplicate_key', /`prompt` once .* twice/],
  [3, '{"model":"m","Prompt":["b"]}', 'body_duplicate_key', /`Prompt`/],
  [4, '{"model":"m","max_tokens":16,"max_tokens":9}', 'body_duplicate_key', /`max_tokens`/],
  [5, '{"model":"m","max_tokens":"16"}', 'body_value_invalid', /`"16"`/],
  [6, '{"model":"m","n":1.0}', 'body_value_invalid', /`n`/],
  [7, '{"model":"m","best_of":-1}', 'body_value_invalid', /`best_of`/],
  [
    8,
    '{"model":"m","prompt":["a","b"],"n":5000001}',
    'body_value_invalid',
    /at most 10000000 answers, found 10000002 for 2/,
  ],
  [9, '{"model":"m","stream":1}', 'body_value_invalid', /`stream`/],
  [10, '{"model":"m","stream_options":[]}', 'body_value_invalid', /`stream_options`/],
];

describe('openai-completions, facts', () => readsRows(openaiCompletions, GOOD));
describe('openai-completions, bad bodies', () => refusesRows(openaiCompletions, BAD));

describe('openai-completions, edits', () => {
  it('a stream reports usage after its edit', () => {
    const body = bytes('{"model":"m", "stream" : true ,"prompt":"\\u00fc"}');
    const { usageEdit } = accepted(openaiCompletions, body);
    assert.ok(usageEdit !== undefined);
    assert.equal(
      applyEdits(body, [usageEdit]).toString(),
      '{"model":"m", "stream" : true,"stream_options":{"include_usage":true} ,"prompt":"\\u00fc"}',
    );
  });
});
