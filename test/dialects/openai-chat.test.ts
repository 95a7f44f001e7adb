import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Reason } from '../../src/core/reasons.ts';
import type { BodyFacts } from '../../src/dialects/dialect.ts';
import { openaiChat } from '../../src/dialects/openai-chat.ts';
import { accepted, bytes, CAREFUL_BODY, refused } from './bodies.ts';

type Expected = Partial<Omit<BodyFacts, 'modelSpan' | 'usageEdit'>> & { readonly span?: string };

const GOOD: readonly (readonly [number, string, Expected])[] = [
  [1, '{"model":"gpt-5"}', { model: 'gpt-5', stream: false, choices: 1, caching: false, span: '"gpt-5"' }],
  [2, ' {\n"messages":[],"model" :\t"gpt-5" }', { model: 'gpt-5', span: '"gpt-5"' }],
  [3, '{"m\\u006fdel":"gpt-5"}', { model: 'gpt-5', span: '"gpt-5"' }],
  [4, '{"model":"gpt\\u002d5"}', { model: 'gpt-5', span: '"gpt\\u002d5"' }],
  [5, '{"user":"日本 🌍","model":"a/b:c@d._-Z9"}', { model: 'a/b:c@d._-Z9', span: '"a/b:c@d._-Z9"' }],
  [6, `{"model":"${'m'.repeat(128)}"}`, { model: 'm'.repeat(128) }],
  [7, '{"x":{"model":"no"},"model":"yes","y":[{"model":"no"}]}', { model: 'yes', span: '"yes"' }],
  [8, '{"x":{"Model":1,"model":2,"model":3},"model":"yes"}', { model: 'yes' }],
  [9, '{"model":"m","model_":"n","mode":"o","models":null,"fallbacks":null}', { model: 'm' }],
  [10, '{"model":"m","stream":true}', { stream: true, reportsUsage: false }],
  [11, '{"model":"m","stream":false}', { stream: false, reportsUsage: true }],
  [12, '{"model":"m","stream":null}', { stream: false, reportsUsage: true }],
  [13, '{"model":"m","max_tokens":0}', { outputCap: 0 }],
  [14, '{"model":"m","max_tokens":10000000}', { outputCap: 10_000_000 }],
  [15, '{"model":"m","max_completion_tokens":7}', { outputCap: 7 }],
  [16, '{"model":"m","max_tokens":9,"max_completion_tokens":7}', { outputCap: 9 }],
  [17, '{"model":"m","max_tokens":7,"max_completion_tokens":9}', { outputCap: 9 }],
  [18, '{"model":"m","max_tokens":null,"max_completion_tokens":7}', { outputCap: 7 }],
  [19, '{"model":"m","max_tokens":null}', { outputCap: undefined }],
  [20, '{"model":"m","n":4}', { choices: 4 }],
  [21, '{"model":"m","n":0}', { choices: 1 }],
  [22, '{"model":"m","n":null,"best_of":3}', { choices: 3 }],
  [23, '{"model":"m","n":2,"best_of":5}', { choices: 5 }],
  [24, '{"model":"m","stream":true,"stream_options":{"include_usage":true}}', { reportsUsage: true }],
  [25, '{"model":"m","stream":true,"stream_options":{"include\\u005fusage":true}}', { reportsUsage: true }],
  [26, '{"model":"m","stream":true,"stream_options":{"include_usage":false}}', { reportsUsage: false }],
  [27, '{"model":"m","x":{"stream_options":{"include_usage":true}},"stream":true}', { reportsUsage: false }],
  [28, '{"model":"m","stream_options":null}', { reportsUsage: true }],
  [29, '{"model":"m","prompt_cache_options":{"mode":"explicit"}}', { caching: true }],
  [30, '{"model":"m","prompt_cache_options":null}', { caching: false }],
  [31, '{"model":"m","messages":[{"content":[{"type":"text","prompt_cache_breakpoint":{}}]}]}', { caching: true }],
  [32, CAREFUL_BODY, { model: 'gpt-5', stream: true, span: '"gpt-5"', outputCap: undefined }],
];

const BAD: readonly (readonly [number, string, Reason, RegExp])[] = [
  // H13, H22
  [1, '', 'body_malformed', /an empty body/],
  [2, '{"model":"m"', 'body_malformed', /end of the body/],
  [3, '{"model":"m"}x', 'body_malformed', /`x` at byte 13/],
  [4, '\ufeff{"model":"m"}', 'body_malformed', /byte order mark/],
  [5, '{"model":"m","x":NaN}', 'body_malformed', /`N` at byte 17/],
  [6, "{'model':'m'}", 'body_malformed', /double quotes, found `'`/],
  [7, '[{"model":"m"}]', 'body_malformed', /JSON object, found `\[`/],
  [8, '{"model":"m",/* */"n":1}', 'body_malformed', /found `\/`/],
  // H14 to H16
  [9, '{"model":"a","model":"b"}', 'body_duplicate_key', /`model` once .* found it twice/],
  [10, '{"model":"a","m\\u006fdel":"b"}', 'body_duplicate_key', /twice/],
  [11, '{"model":"a","Model":"b"}', 'body_duplicate_key', /`Model`/],
  [12, '{"MODEL":"a"}', 'body_duplicate_key', /`MODEL`/],
  [13, '{"model":"a","\\u004dodel":"b"}', 'body_duplicate_key', /`Model`/],
  [14, '{"model":"a","ſtream":true}', 'body_duplicate_key', /`stream`.*`\\u017ftream`/],
  [15, '{"model":"a","\\u017ftream":true}', 'body_duplicate_key', /`stream`/],
  [16, '{"model":"a","max_to\u212aens":1}', 'body_duplicate_key', /`max_tokens`/],
  [17, '{"model":"a","max_toKens":1}', 'body_duplicate_key', /`max_tokens`/],
  [18, '{"model":"a","\ufb06ream":true}', 'body_duplicate_key', /`stream`/],
  [19, '{"model":"a","max_completıon_tokens":1}', 'body_duplicate_key', /`max_completion_tokens`/],
  [20, '{"model":"a","servİce_tier":"x"}', 'body_duplicate_key', /`service_tier`/],
  [21, '{"model":"a","n":1,"n":1}', 'body_duplicate_key', /`n`/],
  [22, '{"model":"a","N":2}', 'body_duplicate_key', /`n`/],
  [23, '{"model":"a","best_of":1,"best_of":2}', 'body_duplicate_key', /`best_of`/],
  [24, '{"model":"a","tools":[],"tools":[]}', 'body_duplicate_key', /`tools`/],
  [25, '{"model":"a","Tools":[]}', 'body_duplicate_key', /`tools`/],
  [26, '{"model":"a","service_tier":"auto","service_tier":"priority"}', 'body_duplicate_key', /`service_tier`/],
  [27, '{"model":"a","stream_options":{},"stream_options":{}}', 'body_duplicate_key', /`stream_options`/],
  [28, '{"model":"a","stream_options":{"include_usage":true,"include_usage":false}}', 'body_duplicate_key', /twice/],
  [29, '{"model":"a","stream_options":{"Include_Usage":true}}', 'body_duplicate_key', /`include_usage`/],
  [30, '{"model":"a","stream_options":{"include_u\u017fage":true}}', 'body_duplicate_key', /`include_usage`/],
  [31, '{"model":"a","messages":[],"messages":[]}', 'body_duplicate_key', /`messages`/],
  [32, '{"model\\u0000":"a"}', 'body_malformed', /control characters/],
  [33, '{"model\\ud800":"a"}', 'body_malformed', /lone surrogates/],
  [34, '{"model":"m","stream_options":{"include_usage\\u0000":false}}', 'body_malformed', /control characters/],
  // H17
  [35, '{}', 'model_invalid', /found no `model`/],
  [36, '{"model":null}', 'model_invalid', /found `null`/],
  [37, '{"model":5}', 'model_invalid', /found `5`/],
  [38, '{"model":["m"]}', 'model_invalid', /an array/],
  [39, '{"model":{"a":"m"}}', 'model_invalid', /an object/],
  [40, '{"model":""}', 'model_invalid', /an empty string/],
  [41, `{"model":"${'m'.repeat(129)}"}`, 'model_invalid', /mmm\.\.\.`/],
  [42, '{"model":" m"}', 'model_invalid', /` m`/],
  [43, '{"model":"m "}', 'model_invalid', /`m `/],
  [44, '{"model":"m\\n"}', 'model_invalid', /`m\\u000a`/],
  [45, '{"model":"m\\u0000"}', 'model_invalid', /\\u0000/],
  [46, '{"model":"m\\ud800"}', 'model_invalid', /\\ud800/],
  [47, '{"model":"ｍ"}', 'model_invalid', /\\uff4d/],
  [48, '{"model":"../m"}', 'model_invalid', /`\.\.\/m`/],
  [49, '{"model":"a/../m"}', 'model_invalid', /a\/\.\.\/m/],
  [50, '{"model":"a/.."}', 'model_invalid', /a\/\.\./],
  [51, '{"model":"./a"}', 'model_invalid', /\.\/a/],
  [52, '{"model":"a;b"}', 'model_invalid', /a;b/],
  [53, '{"model":"a`b"}', 'model_invalid', /a\\u0060b/],
  // H20
  [54, `{"model":"m","x":${'['.repeat(64)}${']'.repeat(64)}}`, 'body_too_deep', /64 levels/],
  [55, `{"model":"m",${Array.from({ length: 10_000 }, (_, i) => `"k${i}":0`).join()}}`, 'body_too_deep', /10000 keys/],
  // H21
  [56, '{"model":"m","max_tokens":1e400}', 'body_value_invalid', /`1e400`/],
  [57, '{"model":"m","max_tokens":-1}', 'body_value_invalid', /`-1`/],
  [58, '{"model":"m","max_tokens":-0}', 'body_value_invalid', /`-0`/],
  [59, '{"model":"m","max_tokens":9007199254740993}', 'body_value_invalid', /`9007199254740993`/],
  [60, '{"model":"m","max_tokens":1.0}', 'body_value_invalid', /`1\.0`/],
  [61, '{"model":"m","max_tokens":1e3}', 'body_value_invalid', /`1e3`/],
  [62, '{"model":"m","max_tokens":"10"}', 'body_value_invalid', /`"10"`/],
  [63, '{"model":"m","max_tokens":10000001}', 'body_value_invalid', /0 to 10000000/],
  [64, '{"model":"m","max_tokens":true}', 'body_value_invalid', /`true`/],
  [65, '{"model":"m","max_completion_tokens":[1]}', 'body_value_invalid', /an array/],
  [66, '{"model":"m","n":1.5}', 'body_value_invalid', /`n`/],
  [67, '{"model":"m","best_of":{}}', 'body_value_invalid', /an object/],
  [68, '{"model":"m","stream":"true"}', 'body_value_invalid', /`stream` to be `true` or `false`/],
  [69, '{"model":"m","stream":1}', 'body_value_invalid', /`1`/],
  [70, '{"model":"m","stream_options":true}', 'body_value_invalid', /`stream_options` to be an object/],
  [71, '{"model":"m","stream_options":[{"include_usage":true}]}', 'body_value_invalid', /an array/],
  [72, '{"model":"m","stream":true,"stream_options":{"include_usage":1}}', 'body_value_invalid', /`include_usage`/],
  // A second model that nobody decided on.
  [73, '{"model":"m","models":["gpt-5"]}', 'body_value_invalid', /no `models`/],
  [74, '{"model":"m","fallbacks":[{"model":"gpt-5"}]}', 'body_value_invalid', /no `fallbacks`/],
  [75, '{"model":"m","Fallbacks":"default"}', 'body_duplicate_key', /`fallbacks`/],
];

describe('openai-chat, facts', () => {
  for (const [row, text, { span, ...expected }] of GOOD) {
    it(`reads row ${row}`, () => {
      const body = bytes(text);
      const facts = accepted(openaiChat, body);
      for (const [name, value] of Object.entries(expected)) {
        assert.equal(facts[name as keyof BodyFacts], value, name);
      }
      const { offset, length } = facts.modelSpan!;
      const slice = body.toString('utf8', offset, offset + length);
      assert.equal(JSON.parse(slice), facts.model);
      if (span !== undefined) assert.equal(slice, span);
      assert.equal(facts.bodyBytes, body.length);
    });
  }
});

describe('H13 H14 H15 H16 H17 H20 H21 H22 openai-chat, bad bodies', () => {
  for (const [row, text, reason, message] of BAD) {
    it(`refuses row ${row}: ${reason}`, () => {
      const fault = refused(openaiChat, bytes(text));
      assert.equal(fault.reason, reason);
      assert.match(fault.message, message);
    });
  }

  it('refuses UTF-16 and invalid UTF-8', () => {
    const text = '{"model":"m"}';
    const latin = Buffer.from('{"model":"m","user":"\xe9"}', 'latin1');
    for (const body of [Buffer.from(text, 'utf16le'), Buffer.from(text, 'utf16le').swap16(), latin]) {
      assert.equal(refused(openaiChat, body).reason, 'body_malformed');
    }
  });

  it('keeps nothing of one body for the next', () => {
    accepted(openaiChat, bytes('{"model":"m","stream":true,"max_tokens":5,"n":3,"prompt_cache_options":{}}'));
    refused(openaiChat, bytes('{"model":"m","stream":true,"max_tokens":5,"n":3,"n":'));
    assert.deepEqual(accepted(openaiChat, bytes('{"model":"m"}')), {
      model: 'm',
      modelSpan: { offset: 9, length: 3 },
      stream: false,
      outputCap: undefined,
      choices: 1,
      caching: false,
      inputTokens: 1,
      reportsUsage: true,
      usageEdit: undefined,
      bodyBytes: 13,
    });
  });
});

describe('openai-chat, tokens of an answer', () => {
  const ROWS: readonly (readonly [number, boolean, number])[] = [
    [0, false, 0],
    [1, false, 1],
    [330, false, 100],
    [331, false, 101],
    [1, true, 1],
    [200, true, 1],
    [201, true, 2],
  ];
  for (const [size, stream, tokens] of ROWS) {
    it(`${size} bytes ${stream ? 'streamed' : 'of JSON'} are ${tokens}`, () => {
      assert.equal(openaiChat.outputTokens(size, { stream }), tokens);
    });
  }
});
