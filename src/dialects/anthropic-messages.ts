/** Anthropic's Messages API. */
import { BodyReader } from './body-reader.ts';
import type { BodyFacts, BodyFault, Dialect } from './dialect.ts';
import { anthropicError } from './errors.ts';
import { isBodyFault, readCount, readFlag, readModel, refuseMember } from './facts.ts';
import { anthropicUsage } from './usage.ts';

const reader = new BodyReader({
  decision: ['model', 'stream', 'max_tokens', 'thinking', 'tools', 'service_tier', 'messages', 'models', 'fallbacks'],
  nested: undefined,
  wholes: ['tools', 'output_config', 'output_format'],
  media: ['source'],
  caching: ['cache_control'],
  toolModel: 'model',
});

/** Bytes of answer per token, low enough that an estimate is rather too high. A delta event carries a few tokens. */
const ANSWER_BYTES_PER_TOKEN = 3.3;
const EVENT_BYTES_PER_TOKEN = 32;

function read(body: Uint8Array): BodyFacts | BodyFault {
  const fault = reader.read(body);
  const facts = fault ?? factsOf(body);
  reader.release();
  return facts;
}

function factsOf(body: Uint8Array): BodyFacts | BodyFault {
  const model = readModel(reader);
  if (isBodyFault(model)) return model;
  // Server-side fallbacks answer a refusal with another model than the one decided.
  const other = refuseMember(reader, 'models') ?? refuseMember(reader, 'fallbacks');
  if (other !== undefined) return other;
  const stream = readFlag(reader, 'stream');
  if (isBodyFault(stream)) return stream;
  const maxTokens = readCount(reader, 'max_tokens');
  if (isBodyFault(maxTokens)) return maxTokens;
  if (maxTokens === undefined) {
    return { reason: 'output_cap_required', message: 'expected `max_tokens`, an integer of tokens, found none' };
  }
  const offset = reader.start('model');
  return {
    model,
    modelSpan: { offset, length: reader.end('model') - offset },
    stream: stream === true,
    outputCap: maxTokens,
    choices: 1,
    caching: reader.caching,
    inputTokens: reader.meter.tokens(),
    reportsUsage: true,
    usageEdit: undefined,
    bodyBytes: body.length,
  };
}

export const anthropicMessages: Dialect = {
  name: 'anthropic-messages',
  read,
  usage: anthropicUsage,
  outputTokens: (bytes, { stream }) => Math.ceil(bytes / (stream ? EVENT_BYTES_PER_TOKEN : ANSWER_BYTES_PER_TOKEN)),
  error: anthropicError,
};
