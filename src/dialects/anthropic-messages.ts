/** Anthropic's Messages API. */
import { BodyReader } from './body-reader.ts';
import { type BodyFacts, type BodyFault, type Dialect, isFault } from './dialect.ts';
import { anthropicError } from './errors.ts';
import { readCommon, readCount } from './facts.ts';
import { anthropicUsage } from './usage.ts';

const reader = new BodyReader({
  decision: ['model', 'stream', 'max_tokens', 'thinking', 'tools', 'service_tier', 'messages', 'models', 'fallbacks'],
  nested: undefined,
  wholes: ['tools', 'output_config', 'output_format'],
  partWholes: ['input'],
  media: ['source'],
  messages: 'messages',
  contents: ['content'],
  prompts: undefined,
  caching: ['cache_control'],
  toolModel: 'model',
});

/** Bytes of answer per token, low enough that an estimate is rather too high. A delta event carries a few tokens. */
const ANSWER_BYTES_PER_TOKEN = 3.3;
const EVENT_BYTES_PER_TOKEN = 32;

function factsOf(body: Uint8Array): BodyFacts | BodyFault {
  const common = readCommon(reader, body);
  if (isFault(common)) return common;
  const maxTokens = readCount(reader, 'max_tokens');
  if (isFault(maxTokens)) return maxTokens;
  if (maxTokens === undefined) {
    return { reason: 'output_cap_required', message: 'expected `max_tokens`, an integer of tokens, found none' };
  }
  return { ...common, outputCap: maxTokens, choices: 1, reportsUsage: true, usageEdit: undefined };
}

export const anthropicMessages: Dialect = {
  name: 'anthropic-messages',
  read: (body) => reader.read(body, factsOf),
  usage: anthropicUsage,
  outputTokens: (bytes, { stream }) => Math.ceil(bytes / (stream ? EVENT_BYTES_PER_TOKEN : ANSWER_BYTES_PER_TOKEN)),
  error: anthropicError,
};
