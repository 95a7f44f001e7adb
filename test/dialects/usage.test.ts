import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { inputTokens, type Meter, NO_QUANTITIES, totalTokens } from '../../src/core/units.ts';
import { anthropicMessages } from '../../src/dialects/anthropic-messages.ts';
import { azureOpenai } from '../../src/dialects/azure-openai.ts';
import { bedrockConverse } from '../../src/dialects/bedrock-converse.ts';
import type { Dialect, UsageFields } from '../../src/dialects/dialect.ts';
import { gemini } from '../../src/dialects/gemini.ts';
import { openaiChat } from '../../src/dialects/openai-chat.ts';
import { openaiCompletions } from '../../src/dialects/openai-completions.ts';
import { openaiEmbeddings } from '../../src/dialects/openai-embeddings.ts';
import { openaiResponses } from '../../src/dialects/openai-responses.ts';

type Fields = Readonly<Record<string, string | number>>;
type Expected = Partial<Record<Meter, number>> | 'none' | 'faulty';

const fieldsOf = (fields: Fields): UsageFields => new Map(Object.entries(fields));
const sse = (usage: unknown): Fields => ({ sse_usage: JSON.stringify(usage) });
const started = (usage: unknown): Fields => ({ sse_message_usage: JSON.stringify(usage) });

const OPENAI: readonly (readonly [number, Fields, Expected])[] = [
  [1, {}, 'none'],
  [2, { model: 'gpt-5' }, 'none'],
  [3, { prompt_tokens: 10, completion_tokens: 5 }, { input: 10, output: 5 }],
  [4, { prompt_tokens: 10, completion_tokens: 5, cached_tokens: 4 }, { input: 6, cache_read: 4, output: 5 }],
  [5, { prompt_tokens: 10, completion_tokens: 5, cached_tokens: 10 }, { cache_read: 10, output: 5 }],
  [
    6,
    { prompt_tokens: 100, completion_tokens: 50, cached_tokens: 20, cache_write_tokens: 30, reasoning_tokens: 40 },
    { input: 50, cache_read: 20, cache_write_5m: 30, output: 50, reasoning: 40 },
  ],
  [7, { prompt_tokens: 0, completion_tokens: 0 }, {}],
  [8, { prompt_tokens: '10', completion_tokens: '5', cached_tokens: '0' }, { input: 10, output: 5 }],
  [9, { prompt_tokens: 10, completion_tokens: 5, cached_tokens: '' }, { input: 10, output: 5 }],
  [10, { prompt_tokens: 10 }, 'faulty'],
  [11, { completion_tokens: 5 }, 'faulty'],
  [12, { prompt_tokens: 10, completion_tokens: 5, cached_tokens: 11 }, 'faulty'],
  [13, { prompt_tokens: 10, completion_tokens: 5, cached_tokens: 6, cache_write_tokens: 5 }, 'faulty'],
  [14, { prompt_tokens: 10, completion_tokens: 5, reasoning_tokens: 6 }, 'faulty'],
  [15, { prompt_tokens: 10.5, completion_tokens: 5 }, 'faulty'],
  [16, { prompt_tokens: -1, completion_tokens: 5 }, 'faulty'],
  [17, { prompt_tokens: 10, completion_tokens: '12abc' }, 'faulty'],
  [18, { prompt_tokens: 10, completion_tokens: ' 5' }, 'faulty'],
  [19, { prompt_tokens: 10, completion_tokens: '0x5' }, 'faulty'],
  [20, { prompt_tokens: 10, completion_tokens: '1e2' }, 'faulty'],
  [21, { prompt_tokens: 2 ** 53, completion_tokens: 5 }, 'faulty'],
  [22, { prompt_tokens: '9007199254740993', completion_tokens: 5 }, 'faulty'],
  [23, { prompt_tokens: 2 ** 53 - 1, completion_tokens: 2 ** 53 - 1 }, 'faulty'],
  [24, { prompt_tokens: Number.NaN, completion_tokens: 5 }, 'faulty'],
  [25, { prompt_tokens: Number.POSITIVE_INFINITY, completion_tokens: 5 }, 'faulty'],
  [26, sse({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }), { input: 10, output: 5 }],
  [
    27,
    sse({
      prompt_tokens: 100,
      completion_tokens: 50,
      prompt_tokens_details: { cached_tokens: 20, cache_write_tokens: 30, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 40 },
    }),
    { input: 50, cache_read: 20, cache_write_5m: 30, output: 50, reasoning: 40 },
  ],
  [
    28,
    sse({ prompt_tokens: 1, completion_tokens: 2, prompt_tokens_details: null, completion_tokens_details: {} }),
    { input: 1, output: 2 },
  ],
  [
    29,
    sse({ prompt_tokens: 1, completion_tokens: 2, prompt_tokens_details: { cached_tokens: null } }),
    { input: 1, output: 2 },
  ],
  [30, sse(null), 'none'],
  [31, { sse_usage: '' }, 'none'],
  [32, sse({}), 'faulty'],
  [33, sse({ prompt_tokens: '10', completion_tokens: 5 }), 'faulty'],
  [34, sse({ prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: 7 }), 'faulty'],
  [35, sse({ prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: [7] }), 'faulty'],
  [36, sse([1]), 'faulty'],
  [37, { sse_usage: '{"prompt_tokens":1' }, 'faulty'],
  [38, { sse_usage: 7 }, 'faulty'],
  [39, { sse_usage: `{"prompt_tokens":1,"completion_tokens":1,"x":"${'x'.repeat(70_000)}"}` }, 'faulty'],
  [40, { sse_usage: '{"prompt_tokens":9007199254740993,"completion_tokens":1}' }, 'faulty'],
  [41, { sse_usage: '{"__proto__":{"prompt_tokens":1,"completion_tokens":1}}' }, 'faulty'],
  [
    42,
    { ...sse({ prompt_tokens: 1, completion_tokens: 2 }), prompt_tokens: 900, completion_tokens: 900 },
    { input: 1, output: 2 },
  ],
  [43, { input_tokens: 10, output_tokens: 5 }, 'none'],
];

const START = { input_tokens: 30, cache_read_input_tokens: 7, cache_creation_input_tokens: 5, output_tokens: 1 };
const SPLIT = { ...START, cache_creation: { ephemeral_5m_input_tokens: 2, ephemeral_1h_input_tokens: 3 } };

const ANTHROPIC: readonly (readonly [number, Fields, Expected])[] = [
  [1, {}, 'none'],
  [2, { input_tokens: 10, output_tokens: 5 }, { input: 10, output: 5 }],
  [
    3,
    { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 40 },
    { input: 10, cache_read: 100, cache_write_5m: 40, output: 5 },
  ],
  [
    4,
    { input_tokens: 10, output_tokens: 5, cache_creation_input_tokens: 40, cache_5m_tokens: 15, cache_1h_tokens: 25 },
    { input: 10, cache_write_5m: 15, cache_write_1h: 25, output: 5 },
  ],
  [5, { input_tokens: 1, output_tokens: 1, cache_1h_tokens: 25 }, { input: 1, cache_write_1h: 25, output: 1 }],
  [
    6,
    { input_tokens: 1, output_tokens: 1, cache_creation_input_tokens: 30, cache_1h_tokens: 25 },
    { input: 1, cache_write_1h: 30, output: 1 },
  ],
  [7, { input_tokens: 1, output_tokens: 1, cache_creation_input_tokens: 3, cache_5m_tokens: 4 }, 'faulty'],
  [8, { input_tokens: 1 }, 'faulty'],
  [9, { output_tokens: 1 }, 'faulty'],
  [10, { input_tokens: 1.5, output_tokens: 1 }, 'faulty'],
  [11, { input_tokens: 1, output_tokens: -1 }, 'faulty'],
  [12, { input_tokens: 1, output_tokens: '12abc' }, 'faulty'],
  [13, { input_tokens: 1, output_tokens: 1, cache_read_input_tokens: 2 ** 53 }, 'faulty'],
  [14, { input_tokens: '10', output_tokens: '5' }, { input: 10, output: 5 }],
  [
    15,
    { ...started(START), ...sse({ output_tokens: 42 }) },
    { input: 30, cache_read: 7, cache_write_5m: 5, output: 42 },
  ],
  [
    16,
    { ...started(SPLIT), ...sse({ output_tokens: 42 }) },
    { input: 30, cache_read: 7, cache_write_5m: 2, cache_write_1h: 3, output: 42 },
  ],
  [
    17,
    {
      ...started(START),
      ...sse({ input_tokens: 99, cache_read_input_tokens: 0, cache_creation_input_tokens: 6, output_tokens: 42 }),
    },
    { input: 99, cache_write_5m: 6, output: 42 },
  ],
  [
    18,
    { ...started(START), ...sse({ input_tokens: null, cache_read_input_tokens: null, output_tokens: 42 }) },
    { input: 30, cache_read: 7, cache_write_5m: 5, output: 42 },
  ],
  [
    19,
    { ...started(SPLIT), ...sse({ cache_creation_input_tokens: 9, output_tokens: 42 }) },
    { input: 30, cache_read: 7, cache_write_5m: 6, cache_write_1h: 3, output: 42 },
  ],
  [20, { ...started(SPLIT), ...sse({ cache_creation_input_tokens: 4, output_tokens: 42 }) }, 'faulty'],
  [21, started(START), 'none'],
  [22, { ...started(START), sse_usage: 'null' }, 'none'],
  [23, sse({ output_tokens: 42 }), 'none'],
  [24, sse({ output_tokens: 'x' }), 'faulty'],
  [25, sse({ input_tokens: 10, output_tokens: 42 }), { input: 10, output: 42 }],
  [26, { ...started(START), ...sse({}) }, 'faulty'],
  [27, { ...started(START), ...sse({ output_tokens: 4.5 }) }, 'faulty'],
  [
    28,
    { ...started({ ...START, cache_creation: null }), ...sse({ output_tokens: 4 }) },
    { input: 30, cache_read: 7, cache_write_5m: 5, output: 4 },
  ],
  [29, { sse_message_usage: '{', ...sse({ output_tokens: 4 }) }, 'faulty'],
  [
    30,
    { ...started(START), ...sse({ output_tokens: 9, output_tokens_details: { thinking_tokens: 5 } }) },
    { input: 30, cache_read: 7, cache_write_5m: 5, output: 9 },
  ],
  [31, { prompt_tokens: 10, completion_tokens: 5 }, 'none'],
];

const EMBEDDINGS: readonly (readonly [number, Fields, Expected])[] = [
  [1, {}, 'none'],
  [2, { model: 'e' }, 'none'],
  [3, { prompt_tokens: 10 }, { input: 10 }],
  [4, { prompt_tokens: '10' }, { input: 10 }],
  [5, { prompt_tokens: 10, completion_tokens: 0 }, { input: 10 }],
  [6, { prompt_tokens: 10, cached_tokens: 4 }, { input: 6, cache_read: 4 }],
  [7, { prompt_tokens: 1.5 }, 'faulty'],
  [8, { completion_tokens: 1 }, 'faulty'],
  [9, { prompt_tokens: 10, completion_tokens: 'x' }, 'faulty'],
];

const responded = (usage: unknown): Fields => ({ sse_response_usage: JSON.stringify(usage) });

/** The keys are Anthropic's in part, the accounting is not: caches and reasoning lie inside. */
const RESPONSES: readonly (readonly [number, Fields, Expected])[] = [
  [1, {}, 'none'],
  [2, { input_tokens: 10, output_tokens: 5 }, { input: 10, output: 5 }],
  [
    3,
    { input_tokens: 100, output_tokens: 50, cached_tokens: 20, cache_write_tokens: 30, reasoning_tokens: 40 },
    { input: 50, cache_read: 20, cache_write_5m: 30, output: 50, reasoning: 40 },
  ],
  [4, { input_tokens: 10, output_tokens: 5, cached_tokens: 11 }, 'faulty'],
  [5, { input_tokens: 10, output_tokens: 5, reasoning_tokens: 6 }, 'faulty'],
  [6, { input_tokens: 10 }, 'faulty'],
  [7, { output_tokens: 10 }, 'faulty'],
  [8, { prompt_tokens: 10, completion_tokens: 5 }, 'none'],
  [
    9,
    responded({
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 20, cache_write_tokens: 30 },
      output_tokens: 50,
      output_tokens_details: { reasoning_tokens: 40 },
      total_tokens: 150,
    }),
    { input: 50, cache_read: 20, cache_write_5m: 30, output: 50, reasoning: 40 },
  ],
  [10, responded(null), 'none'],
  [11, responded({ input_tokens: 10 }), 'faulty'],
  [12, responded({ input_tokens: 10, output_tokens: 5, input_tokens_details: 7 }), 'faulty'],
  // No other dialect's place is read.
  [13, sse({ input_tokens: 10, output_tokens: 5 }), 'none'],
  [14, started({ input_tokens: 10, output_tokens: 5 }), 'none'],
];

const metadata = (usage: unknown): Fields => ({ sse_usage_metadata: JSON.stringify(usage) });

const GEMINI: readonly (readonly [number, Fields, Expected])[] = [
  [1, {}, 'none'],
  [2, { model: 'g' }, 'none'],
  [3, { prompt_token_count: 10, candidates_token_count: 5, total_token_count: 15 }, { input: 10, output: 5 }],
  [4, { prompt_token_count: 10, total_token_count: 10 }, { input: 10 }],
  // Thoughts beside the candidates, and inside them: the total tells.
  [
    5,
    { prompt_token_count: 10, candidates_token_count: 5, thoughts_token_count: 3, total_token_count: 18 },
    { input: 10, output: 8, reasoning: 3 },
  ],
  [
    6,
    { prompt_token_count: 10, candidates_token_count: 5, thoughts_token_count: 3, total_token_count: 15 },
    { input: 10, output: 5, reasoning: 3 },
  ],
  [
    7,
    { prompt_token_count: 10, candidates_token_count: 5, thoughts_token_count: 3 },
    { input: 10, output: 8, reasoning: 3 },
  ],
  [
    8,
    {
      prompt_token_count: 10,
      tool_use_prompt_token_count: 4,
      candidates_token_count: 5,
      thoughts_token_count: 3,
      total_token_count: 19,
    },
    { input: 14, output: 5, reasoning: 3 },
  ],
  [
    9,
    { prompt_token_count: 10, cached_content_token_count: 6, candidates_token_count: 5, total_token_count: 15 },
    { input: 4, cache_read: 6, output: 5 },
  ],
  [10, { prompt_token_count: 10, cached_content_token_count: 11, candidates_token_count: 5 }, 'faulty'],
  [11, { candidates_token_count: 5 }, 'faulty'],
  [12, { prompt_token_count: 1.5, candidates_token_count: 5 }, 'faulty'],
  [13, { prompt_token_count: 10, candidates_token_count: 5, thoughts_token_count: -1 }, 'faulty'],
  [14, { prompt_token_count: 10, candidates_token_count: 5, total_token_count: 'x' }, 'faulty'],
  // More thoughts than what they should lie in: they cannot lie in it.
  [
    15,
    { prompt_token_count: 10, candidates_token_count: 2, thoughts_token_count: 3, total_token_count: 12 },
    { input: 10, output: 5, reasoning: 3 },
  ],
  [
    16,
    metadata({
      promptTokenCount: 30,
      cachedContentTokenCount: 10,
      toolUsePromptTokenCount: 4,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 3,
      totalTokenCount: 42,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 30 }],
    }),
    { input: 24, cache_read: 10, output: 8, reasoning: 3 },
  ],
  [17, metadata({}), 'faulty'],
  [18, metadata(null), 'none'],
  [19, metadata([1]), 'faulty'],
  [20, { prompt_tokens: 1, completion_tokens: 1, input_tokens: 1, output_tokens: 1 }, 'none'],
];

/** Under Anthropic's keys, and counted as theirs: caches beside the input. */
const BEDROCK: readonly (readonly [number, Fields, Expected])[] = [
  [1, {}, 'none'],
  [2, { input_tokens: 10, output_tokens: 5 }, { input: 10, output: 5 }],
  [
    3,
    { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 40 },
    { input: 10, cache_read: 100, cache_write_5m: 40, output: 5 },
  ],
  [4, { input_tokens: 10 }, 'faulty'],
];

function check(dialect: Dialect, fields: Fields, expected: Expected): void {
  const usage = dialect.usage(fieldsOf(fields));
  assert.equal(usage.faulty, expected === 'faulty');
  assert.deepEqual(usage.quantities, typeof expected === 'string' ? undefined : { ...NO_QUANTITIES, ...expected });
}

describe('usage, openai-chat', () => {
  for (const [row, fields, expected] of OPENAI) it(`row ${row}`, () => check(openaiChat, fields, expected));
});

describe('usage, anthropic-messages', () => {
  for (const [row, fields, expected] of ANTHROPIC) it(`row ${row}`, () => check(anthropicMessages, fields, expected));
});

describe('usage, openai-completions', () => {
  for (const [row, fields, expected] of OPENAI) it(`row ${row}`, () => check(openaiCompletions, fields, expected));
});

describe('usage, openai-embeddings', () => {
  for (const [row, fields, expected] of EMBEDDINGS) it(`row ${row}`, () => check(openaiEmbeddings, fields, expected));
});

describe('usage, openai-responses', () => {
  for (const [row, fields, expected] of RESPONSES) it(`row ${row}`, () => check(openaiResponses, fields, expected));
});

describe('usage, azure-openai', () => {
  for (const [row, fields, expected] of OPENAI) it(`row ${row}`, () => check(azureOpenai, fields, expected));
});

describe('usage, gemini', () => {
  for (const [row, fields, expected] of GEMINI) it(`row ${row}`, () => check(gemini, fields, expected));
});

describe('usage, bedrock-converse', () => {
  for (const [row, fields, expected] of BEDROCK) it(`row ${row}`, () => check(bedrockConverse, fields, expected));
});

describe('usage, what holds for all', () => {
  it('names the answered model, with and without usage, and not a word that is none', () => {
    const long = 'm'.repeat(257);
    for (const dialect of [openaiChat, anthropicMessages]) {
      assert.equal(dialect.usage(fieldsOf({ model: 'gpt-5-2026-01-01' })).model, 'gpt-5-2026-01-01');
      assert.equal(dialect.usage(fieldsOf({ model: 'm', sse_usage: '[' })).model, 'm');
      for (const model of ['', 7, long]) assert.equal(dialect.usage(fieldsOf({ model })).model, undefined);
    }
  });

  it('splits OpenAI input into disjoint classes that add up to what was reported', () => {
    const count = fc.nat(1_000_000);
    fc.assert(
      fc.property(count, count, count, count, count, (input, cached, written, visible, reasoning) => {
        const fields = {
          prompt_tokens: input + cached + written,
          completion_tokens: visible + reasoning,
          cached_tokens: cached,
          cache_write_tokens: written,
          reasoning_tokens: reasoning,
        };
        const { quantities } = openaiChat.usage(fieldsOf(fields));
        assert.ok(quantities !== undefined);
        assert.equal(inputTokens(quantities), fields.prompt_tokens);
        assert.equal(totalTokens(quantities), fields.prompt_tokens + fields.completion_tokens);
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  it('never throws, and reports safe integers or nothing', () => {
    const key = fc.constantFrom(
      'prompt_tokens',
      'completion_tokens',
      'cached_tokens',
      'input_tokens',
      'output_tokens',
      'sse_usage',
      'sse_message_usage',
      'sse_response_usage',
      'sse_usage_metadata',
      'prompt_token_count',
      'candidates_token_count',
      'thoughts_token_count',
      'total_token_count',
      'model',
    );
    const value = fc.oneof(fc.double(), fc.integer(), fc.string(), fc.json());
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value)), (entries) => {
        for (const dialect of [openaiChat, openaiEmbeddings, openaiResponses, anthropicMessages, gemini]) {
          const usage = dialect.usage(new Map(entries));
          assert.ok(usage.quantities === undefined || !usage.faulty);
          for (const quantity of Object.values(usage.quantities ?? {})) {
            assert.ok(Number.isSafeInteger(quantity) && quantity >= 0);
          }
        }
      }),
      { seed: 6, numRuns: 3000 },
    );
  });
});
