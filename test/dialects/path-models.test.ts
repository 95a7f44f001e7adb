/** Dialects whose model stands in the path: azure-openai, gemini, bedrock-converse. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { azureOpenai } from '../../src/dialects/azure-openai.ts';
import { bedrockConverse } from '../../src/dialects/bedrock-converse.ts';
import type { Dialect, Target } from '../../src/dialects/dialect.ts';
import { CACHED_INPUT_TOKENS, gemini } from '../../src/dialects/gemini.ts';
import { accepted, bytes, refused } from './bodies.ts';
import { type Bad, type Good, readsRows, refusesRows } from './rows.ts';

const AZURE: Target = { model: 'm', path: '/openai/deployments/m/chat/completions', query: 'api-version=2024-10-21' };
const GEMINI: Target = { model: 'm', path: '/v1beta/models/m:generateContent', query: '' };
const STREAM: Target = { model: 'm', path: '/v1beta/models/m:streamGenerateContent', query: 'alt=sse' };
const CONVERSE: Target = { model: 'm', path: '/model/m/converse', query: '' };
const CONVERSE_STREAM: Target = { model: 'm', path: '/model/m/converse-stream', query: '' };

const AZURE_GOOD: Good = [
  [1, '{}', { model: 'm', modelSpan: undefined, outputCap: undefined, choices: 1, stream: false }],
  [
    2,
    '{"model":"m","max_tokens":7,"n":2}',
    { model: 'm', modelSpan: { offset: 9, length: 3 }, outputCap: 7, choices: 2 },
  ],
  [3, '{"model":"\\u006d"}', { model: 'm' }],
  [4, '{"stream":true}', { stream: true, reportsUsage: false }],
  [5, '{"stream":true,"stream_options":{"include_usage":true}}', { stream: true, reportsUsage: true }],
];
const AZURE_BAD: Bad = [
  [1, '{"model":"n"}', 'model_conflict', /`model` to be absent or `m` as in the path, found `"n"`/],
  [2, '{"model":"M"}', 'model_conflict', /`"M"`/],
  [3, '{"model":null}', 'model_conflict', /`null`/],
  [4, '{"model":["m"]}', 'model_conflict', /an array/],
  [5, '{"model":"m","Model":"n"}', 'body_duplicate_key', /`Model`/],
  [6, '{"models":["n"]}', 'body_value_invalid', /no `models`/],
  [7, '[]', 'body_malformed', /JSON object/],
];

const GEMINI_GOOD: Good = [
  [
    1,
    '{"contents":[]}',
    { model: 'm', modelSpan: undefined, outputCap: undefined, choices: 1, stream: false, reportsUsage: true },
  ],
  [2, '{"generationConfig":{"maxOutputTokens":9,"candidateCount":3}}', { outputCap: 9, choices: 3 }],
  [3, '{"generationConfig":null}', { outputCap: undefined }],
  [4, '{"generationConfig":{},"maxOutputTokens":9,"x":{"maxOutputTokens":9}}', { outputCap: undefined }],
  [5, '{"model":"m"}', { model: 'm', modelSpan: { offset: 9, length: 3 } }],
  [6, '{"stream":"whatever"}', { stream: false }],
  [7, '{"cachedContent":"cachedContents/a"}', { inputTokens: CACHED_INPUT_TOKENS + Math.ceil(16 / 3.3) }],
  [8, '{"cachedContent":null}', { inputTokens: 1 }],
];
const GEMINI_BAD: Bad = [
  [1, '{"model":"models/m"}', 'model_conflict', /`"models\/m"`/],
  [
    2,
    '{"generation_config":{"maxOutputTokens":9}}',
    'body_value_invalid',
    /spelling `generationConfig`, found `generation_config`/,
  ],
  [3, '{"generationConfig":{"max_output_tokens":9}}', 'body_value_invalid', /spelling `maxOutputTokens`/],
  [4, '{"generationConfig":{"candidate_count":9}}', 'body_value_invalid', /spelling `candidateCount`/],
  [5, '{"cached_content":"a"}', 'body_value_invalid', /spelling `cachedContent`/],
  [6, '{"generationConfig":{"maxOutputTokens":9,"maxOutputTokens":8}}', 'body_duplicate_key', /twice/],
  [7, '{"generationConfig":{"maxoutputtokens":9}}', 'body_duplicate_key', /`maxoutputtokens` which some parsers/],
  [8, '{"generationconfig":{}}', 'body_duplicate_key', /`generationconfig`/],
  [9, '{"GENERATIONCONFIG":{}}', 'body_duplicate_key', /`GENERATIONCONFIG`/],
  [10, '{"generationConfig":[{"maxOutputTokens":9}]}', 'body_value_invalid', /`generationConfig` to be an object/],
  // Google's own parser takes a text for a number.
  [11, '{"generationConfig":{"maxOutputTokens":"9"}}', 'body_value_invalid', /`"9"`/],
  [12, '{"generationConfig":{"candidateCount":1.5}}', 'body_value_invalid', /`candidateCount`/],
  [13, '{"contents":[],"contents":[]}', 'body_duplicate_key', /`contents`/],
];

const BEDROCK_GOOD: Good = [
  [
    1,
    '{"messages":[]}',
    { model: 'm', modelSpan: undefined, outputCap: undefined, choices: 1, stream: false, reportsUsage: true },
  ],
  [2, '{"inferenceConfig":{"maxTokens":9}}', { outputCap: 9 }],
  [3, '{"inferenceConfig":null}', { outputCap: undefined }],
  // What goes to the model in its own words may lift the cap.
  [4, '{"inferenceConfig":{"maxTokens":9},"additionalModelRequestFields":{"max_tokens":99}}', { outputCap: undefined }],
  [5, '{"inferenceConfig":{"maxTokens":9},"additionalModelRequestFields":null}', { outputCap: 9 }],
  [6, '{"messages":[{"content":[{"cachePoint":{"type":"default"}}]}]}', { caching: true }],
];
const BEDROCK_BAD: Bad = [
  [1, '{"model":"n"}', 'model_conflict', /`"n"`/],
  [2, '{"inferenceConfig":{"maxTokens":-1}}', 'body_value_invalid', /`-1`/],
  [3, '{"inferenceConfig":{"maxTokens":1,"MaxTokens":2}}', 'body_duplicate_key', /`MaxTokens`/],
  [4, '{"inferenceConfig":{"maxtokens":2}}', 'body_duplicate_key', /`maxtokens`/],
  [5, '{"inferenceconfig":{}}', 'body_duplicate_key', /`inferenceconfig`/],
  [6, '{"inferenceConfig":7}', 'body_value_invalid', /an object/],
  [7, '{"additionalModelRequestFields":{},"additionalmodelrequestfields":{}}', 'body_duplicate_key', /additional/],
];

describe('azure-openai, facts', () => readsRows(azureOpenai, AZURE_GOOD, AZURE));
describe('H18 azure-openai, bad bodies', () => refusesRows(azureOpenai, AZURE_BAD, AZURE));
describe('gemini, facts', () => readsRows(gemini, GEMINI_GOOD, GEMINI));
describe('H18 gemini, bad bodies', () => refusesRows(gemini, GEMINI_BAD, GEMINI));
describe('bedrock-converse, facts', () => readsRows(bedrockConverse, BEDROCK_GOOD, CONVERSE));
describe('H18 bedrock-converse, bad bodies', () => refusesRows(bedrockConverse, BEDROCK_BAD, CONVERSE));

describe('what the rest of the target says', () => {
  const ROWS: readonly (readonly [row: number, Dialect, Target, stream: boolean, reports: boolean])[] = [
    [1, gemini, STREAM, true, true],
    [2, gemini, { ...STREAM, query: '' }, true, false],
    [3, gemini, { ...STREAM, query: 'alt=json' }, true, false],
    [4, gemini, { ...GEMINI, query: 'alt=json' }, false, true],
    [5, bedrockConverse, CONVERSE_STREAM, true, false],
  ];
  for (const [row, dialect, target, stream, reports] of ROWS) {
    it(`row ${row}: ${target.path}?${target.query}`, () => {
      const facts = accepted(dialect, bytes('{}'), target);
      assert.deepEqual([facts.stream, facts.reportsUsage, facts.usageEdit], [stream, reports, undefined]);
    });
  }

  it('a query that the API steers by is refused', () => {
    for (const [dialect, target] of [
      [gemini, { ...GEMINI, query: 'fields=candidates' }],
      [gemini, { ...STREAM, query: 'alt=sse&%24httpMethod=GET' }],
      [azureOpenai, { ...AZURE, query: 'api-version=2024-10-21&api-version=2025-01-01' }],
      [bedrockConverse, { ...CONVERSE, query: 'x=1' }],
    ] as const) {
      assert.equal(refused(dialect, bytes('{}'), target).reason, 'query_invalid');
    }
  });
});

describe('what the input weighs', () => {
  const BASE64 = 'QUJD'.repeat(25_000);
  const weigh = (dialect: Dialect, target: Target, body: object): number =>
    accepted(dialect, bytes(JSON.stringify(body)), target).inputTokens;
  const parts = (...content: object[]) => ({ contents: [{ role: 'user', parts: content }] });
  const blocks = (...content: object[]) => ({ messages: [{ role: 'user', content }] });
  const GEMINI_ROWS: readonly (readonly [row: number, body: object, tokens: number])[] = [
    [1, parts({ text: 'x'.repeat(326) }), 100 + 8],
    [2, parts({ inlineData: { mimeType: 'image/png', data: BASE64 } }), 1600 + 8 + Math.ceil(13 / 3.3)],
    [3, parts({ inlineData: { data: BASE64, mimeType: 'image/png' } }), 1600 + 8 + Math.ceil(13 / 3.3)],
    [4, parts({ inlineData: { data: BASE64, mimeType: 'application/pdf' } }), 1600 + 8 + 3125 + Math.ceil(19 / 3.3)],
    [5, parts({ functionCall: { name: 'f', args: { a: 1 } } }), 8 + Math.ceil((4 + 29) / 3.3)],
    [6, { tools: [{ functionDeclarations: [{ name: 'f' }] }] }, Math.ceil(42 / 3.3)],
    [7, { systemInstruction: { parts: [{ text: 'x'.repeat(33) }] } }, 10],
    [8, { other: { parts: [{ inlineData: { mimeType: 'image/png', data: 'x'.repeat(321) } }] } }, 100],
  ];
  const BEDROCK_ROWS: readonly (readonly [row: number, body: object, tokens: number])[] = [
    [1, blocks({ text: 'x'.repeat(326) }), 100 + 8],
    [2, blocks({ image: { format: 'png', source: { bytes: BASE64 } } }), 1600 + 8 + Math.ceil(7 / 3.3)],
    [
      3,
      blocks({ document: { name: 'd', format: 'pdf', source: { bytes: BASE64 } } }),
      1600 + 8 + 3125 + Math.ceil(8 / 3.3),
    ],
    [4, blocks({ document: { source: { text: 'x'.repeat(326) } } }), 1600 + 8 + 100],
    [5, blocks({ toolUse: { input: { a: 1 } } }), 8 + Math.ceil((4 + 17) / 3.3)],
    [6, blocks({ toolResult: { content: [{ image: { source: { bytes: BASE64 } } }] } }), 1600 + 8 + Math.ceil(4 / 3.3)],
    [7, { toolConfig: { tools: [] } }, Math.ceil(12 / 3.3)],
    [8, blocks({ text: 'a', bytes: BASE64 }), 8 + Math.ceil(100_005 / 3.3)],
  ];
  for (const [row, body, tokens] of GEMINI_ROWS) {
    it(`gemini row ${row}`, () => assert.equal(weigh(gemini, GEMINI, body), tokens));
  }
  for (const [row, body, tokens] of BEDROCK_ROWS) {
    it(`bedrock row ${row}`, () => assert.equal(weigh(bedrockConverse, CONVERSE, body), tokens));
  }
});

describe('tokens of an answer', () => {
  const ROWS: readonly (readonly [Dialect, bytes: number, stream: boolean, tokens: number])[] = [
    [azureOpenai, 331, false, 101],
    [azureOpenai, 201, true, 2],
    [gemini, 331, false, 101],
    [gemini, 11, true, 3],
    [bedrockConverse, 331, false, 101],
    [bedrockConverse, 61, true, 2],
  ];
  for (const [dialect, size, stream, tokens] of ROWS) {
    it(`${dialect.name}: ${size} bytes ${stream ? 'streamed' : 'of JSON'} are ${tokens}`, () => {
      assert.equal(dialect.outputTokens(size, { stream }), tokens);
    });
  }
});
