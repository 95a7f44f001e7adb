import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Reason } from '../../src/core/reasons.ts';
import { anthropicMessages } from '../../src/dialects/anthropic-messages.ts';
import type { BodyFacts } from '../../src/dialects/dialect.ts';
import { accepted, bytes, refused } from './bodies.ts';

type Expected = Partial<Omit<BodyFacts, 'modelSpan' | 'usageEdit'>>;

const GOOD: readonly (readonly [number, string, Expected])[] = [
  [1, '{"model":"claude-opus-5","max_tokens":1024}', { model: 'claude-opus-5', outputCap: 1024, choices: 1 }],
  [2, '{"max_tokens":1,"stream":true,"model":"c"}', { stream: true, reportsUsage: true }],
  [3, '{"model":"c","max_tokens":1,"thinking":{"type":"enabled","budget_tokens":2048}}', { outputCap: 1 }],
  [4, '{"model":"c","max_tokens":1,"cache_control":{"type":"ephemeral"}}', { caching: true }],
  [5, '{"model":"c","max_tokens":1,"cache_control":null}', { caching: false }],
  [6, '{"model":"c","max_tokens":1,"system":[{"type":"text","text":"s","cache_control":{}}]}', { caching: true }],
  [7, '{"model":"c","max_tokens":1,"tools":[{"name":"t","cache_control":{}}]}', { caching: true }],
  [8, '{"model":"c","max_tokens":1,"messages":[{"content":[{"cache\\u005fcontrol":{}}]}]}', { caching: true }],
  [9, '{"model":"c","max_tokens":1,"system":"cache_control"}', { caching: false }],
  [10, '{"model":"c","max_tokens":1,"n":5,"stream_options":7,"Best_of":1}', { choices: 1, stream: false }],
  [11, '{"model":"c","max_tokens":1,"fallbacks":null}', { model: 'c' }],
  [
    12,
    '{"model":"c","max_tokens":1,"tools":[{"name":"t","input_schema":{"properties":{"model":{}}}}]}',
    { model: 'c' },
  ],
];

const BAD: readonly (readonly [number, string, Reason, RegExp])[] = [
  [1, '{"model":"c"}', 'output_cap_required', /`max_tokens`, an integer of tokens, found none/],
  [2, '{"model":"c","max_tokens":null}', 'output_cap_required', /found none/],
  [3, '{"max_tokens":1}', 'model_invalid', /found no `model`/],
  [4, '{"model":"c","max_tokens":"1"}', 'body_value_invalid', /`"1"`/],
  [5, '{"model":"c","max_tokens":1.0}', 'body_value_invalid', /`1\.0`/],
  [6, '{"model":"c","max_tokens":1,"stream":"yes"}', 'body_value_invalid', /`stream`/],
  [7, '{"model":"c","max_tokens":1,"Max_Tokens":9}', 'body_duplicate_key', /`Max_Tokens`/],
  [8, '{"model":"c","max_tokens":1,"max_tokens":1}', 'body_duplicate_key', /twice/],
  [9, '{"model":"c","max_tokens":1,"thinking":{},"thinking":{}}', 'body_duplicate_key', /`thinking`/],
  [10, '{"model":"c","max_tokens":1,"thin\u212aing":{}}', 'body_duplicate_key', /`thinking`/],
  [11, '{"model":"c","max_tokens":1,"tools":[],"TOOLS":[]}', 'body_duplicate_key', /`TOOLS`/],
  [
    12,
    '{"model":"c","max_tokens":1,"service_tier":"auto","Service_Tier":"auto"}',
    'body_duplicate_key',
    /service_tier/,
  ],
  [13, '{"model":"c","max_tokens":1,"fallbacks":[{"model":"d"}]}', 'body_value_invalid', /no `fallbacks`.*an array/],
  [14, '{"model":"c","max_tokens":1,"fallbacks":"default"}', 'body_value_invalid', /`"default"`/],
  [
    15,
    '{"model":"c","max_tokens":1,"tools":[{"type":"advisor_20260301","model":"d"}]}',
    'body_value_invalid',
    /`tools`/,
  ],
  [16, '{"model":"c","max_tokens":1,"tools":[{},{"Model":"d"}]}', 'body_value_invalid', /`tools`/],
  [17, '{"model":"c","max_tokens":1,"tools":[{"m\\u006fdel":"d"}]}', 'body_value_invalid', /`tools`/],
  [18, '{"model":"c","max_tokens":1,}', 'body_malformed', /found `}`/],
];

describe('anthropic-messages, facts', () => {
  for (const [row, text, expected] of GOOD) {
    it(`reads row ${row}`, () => {
      const body = bytes(text);
      const facts = accepted(anthropicMessages, body);
      for (const [name, value] of Object.entries(expected)) {
        assert.equal(facts[name as keyof BodyFacts], value, name);
      }
      const { offset, length } = facts.modelSpan!;
      assert.equal(body.toString('utf8', offset, offset + length), `"${facts.model}"`);
      assert.equal(facts.usageEdit, undefined);
    });
  }
});

describe('anthropic-messages, bad bodies', () => {
  for (const [row, text, reason, message] of BAD) {
    it(`refuses row ${row}: ${reason}`, () => {
      const fault = refused(anthropicMessages, bytes(text));
      assert.equal(fault.reason, reason);
      assert.match(fault.message, message);
    });
  }
});

describe('anthropic-messages, tokens of an answer', () => {
  for (const [size, stream, tokens] of [
    [0, false, 0],
    [331, false, 101],
    [32, true, 1],
    [33, true, 2],
  ] as const) {
    it(`${size} bytes ${stream ? 'streamed' : 'of JSON'} are ${tokens}`, () => {
      assert.equal(anthropicMessages.outputTokens(size, { stream }), tokens);
    });
  }
});
