/** OpenAI's chat completions, and what speaks like them. */
import { BodyReader } from './body-reader.ts';
import type { BodyFacts, BodyFault, Dialect } from './dialect.ts';
import { openaiError } from './errors.ts';
import { isBodyFault, readCount, readFlag, readModel, refuseMember } from './facts.ts';
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
  media: ['image_url', 'file', 'input_audio'],
  caching: ['prompt_cache_options', 'prompt_cache_breakpoint'],
  toolModel: undefined,
});

/** Bytes of answer per token; with `max`, so that an estimate is rather too high. Streams wrap each token in a chunk of its own. */
const ANSWER_BYTES_PER_TOKEN = 3.3;
const CHUNK_BYTES_PER_TOKEN = 200;

function read(body: Uint8Array): BodyFacts | BodyFault {
  const fault = reader.read(body);
  const facts = fault ?? factsOf(body);
  reader.release();
  return facts;
}

function factsOf(body: Uint8Array): BodyFacts | BodyFault {
  const model = readModel(reader);
  if (isBodyFault(model)) return model;
  // Gateways that speak this API serve the first of `models` that is free, or a fallback: never the model decided.
  const other = refuseMember(reader, 'models') ?? refuseMember(reader, 'fallbacks');
  if (other !== undefined) return other;
  const stream = readFlag(reader, 'stream');
  if (isBodyFault(stream)) return stream;
  const maxTokens = readCount(reader, 'max_tokens');
  if (isBodyFault(maxTokens)) return maxTokens;
  const maxCompletionTokens = readCount(reader, 'max_completion_tokens');
  if (isBodyFault(maxCompletionTokens)) return maxCompletionTokens;
  const n = readCount(reader, 'n');
  if (isBodyFault(n)) return n;
  const bestOf = readCount(reader, 'best_of');
  if (isBodyFault(bestOf)) return bestOf;
  const usage = readStreamUsage(reader, stream === true);
  if ('reason' in usage) return usage;
  const offset = reader.start('model');
  return {
    model,
    modelSpan: { offset, length: reader.end('model') - offset },
    stream: stream === true,
    outputCap: larger(maxCompletionTokens, maxTokens),
    choices: Math.max(n ?? 1, bestOf ?? 1, 1),
    caching: reader.caching,
    inputTokens: reader.meter.tokens(),
    reportsUsage: usage.reportsUsage,
    usageEdit: usage.usageEdit,
    bodyBytes: body.length,
  };
}

/** Of two caps the larger: servers differ in which one they heed. */
function larger(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}

export const openaiChat: Dialect = {
  name: 'openai-chat',
  read,
  usage: openaiUsage,
  outputTokens: (bytes, { stream }) => Math.ceil(bytes / (stream ? CHUNK_BYTES_PER_TOKEN : ANSWER_BYTES_PER_TOKEN)),
  error: openaiError,
};
