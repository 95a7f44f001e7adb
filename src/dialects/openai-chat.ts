/** OpenAI's chat completions, and what speaks like them. */
import { openaiOutputTokens } from './answer-bytes.ts';
import { BodyReader } from './body-reader.ts';
import { type BodyFacts, type BodyFault, type Dialect, isFault, type Target } from './dialect.ts';
import { openaiError } from './errors.ts';
import { readCommon, readCount } from './facts.ts';
import { readStreamUsage } from './stream-usage.ts';
import { openaiUsage } from './usage.ts';

const reader = new BodyReader({
  decision: [
    'model',
    'stream',
    'max_tokens',
    'max_completion_tokens',
    'n',
    'best_of',
    'stream_options',
    'tools',
    'functions',
    'service_tier',
    'messages',
    'models',
    'fallbacks',
  ],
  nested: { parent: 'stream_options', names: ['include_usage'] },
  wholes: ['tools', 'functions', 'response_format'],
  partWholes: [],
  media: ['image_url', 'file', 'input_audio'],
  messages: 'messages',
  contents: ['content'],
  prompts: undefined,
  caching: ['prompt_cache_options', 'prompt_cache_breakpoint'],
  toolModel: undefined,
});

/** Facts of a chat body; with a `target`, of one whose model the path names. */
export function readChat(body: Uint8Array, target?: Target): BodyFacts | BodyFault {
  return reader.read(body, () => factsOf(body, target));
}

function factsOf(body: Uint8Array, target: Target | undefined): BodyFacts | BodyFault {
  const common = readCommon(reader, body, target);
  if (isFault(common)) return common;
  const maxTokens = readCount(reader, 'max_tokens');
  if (isFault(maxTokens)) return maxTokens;
  const maxCompletionTokens = readCount(reader, 'max_completion_tokens');
  if (isFault(maxCompletionTokens)) return maxCompletionTokens;
  const n = readCount(reader, 'n');
  if (isFault(n)) return n;
  const bestOf = readCount(reader, 'best_of');
  if (isFault(bestOf)) return bestOf;
  const usage = readStreamUsage(reader, common.stream);
  if (isFault(usage)) return usage;
  return {
    ...common,
    outputCap: larger(maxCompletionTokens, maxTokens),
    choices: Math.max(n ?? 1, bestOf ?? 1, 1),
    reportsUsage: usage.reportsUsage,
    usageEdit: usage.usageEdit,
  };
}

/** Of two caps the larger: servers differ in which one they heed. */
function larger(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}

export const openaiChat: Dialect = {
  name: 'openai-chat',
  read: (body) => readChat(body),
  usage: openaiUsage,
  outputTokens: openaiOutputTokens,
  error: openaiError,
};
