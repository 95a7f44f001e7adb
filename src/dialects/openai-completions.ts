/** OpenAI's completions, the API of old, and what speaks like it. */
import { openaiOutputTokens } from './answer-bytes.ts';
import { BodyReader } from './body-reader.ts';
import { type BodyFacts, type BodyFault, type Dialect, isFault } from './dialect.ts';
import { openaiError } from './errors.ts';
import { COUNT_MAX, readCommon, readCount } from './facts.ts';
import { ABSENT } from './scanner.ts';
import { readStreamUsage } from './stream-usage.ts';
import { openaiUsage } from './usage.ts';

const reader = new BodyReader({
  decision: ['model', 'stream', 'prompt', 'max_tokens', 'n', 'best_of', 'stream_options', 'models', 'fallbacks'],
  nested: { parent: 'stream_options', names: ['include_usage'] },
  wholes: ['response_format'],
  partWholes: [],
  media: [],
  messages: undefined,
  contents: [],
  prompts: 'prompt',
  caching: [],
  toolModel: undefined,
});

/** What a body that names no `max_tokens` gets. A `null` is none of it: servers differ in what they take that for. */
const MAX_TOKENS_DEFAULT = 16;

function factsOf(body: Uint8Array): BodyFacts | BodyFault {
  const common = readCommon(reader, body);
  if (isFault(common)) return common;
  const maxTokens = readCount(reader, 'max_tokens');
  if (isFault(maxTokens)) return maxTokens;
  const choices = readChoices();
  if (isFault(choices)) return choices;
  const usage = readStreamUsage(reader, common.stream);
  if (isFault(usage)) return usage;
  return {
    ...common,
    outputCap: reader.kind('max_tokens') === ABSENT ? MAX_TOKENS_DEFAULT : maxTokens,
    choices,
    reportsUsage: usage.reportsUsage,
    usageEdit: usage.usageEdit,
  };
}

/** Each prompt of a list is answered `n` times, or `best_of` times where that is more. */
function readChoices(): number | BodyFault {
  const n = readCount(reader, 'n');
  if (isFault(n)) return n;
  const bestOf = readCount(reader, 'best_of');
  if (isFault(bestOf)) return bestOf;
  const prompts = reader.meter.prompts();
  const choices = prompts * Math.max(n ?? 1, bestOf ?? 1, 1);
  if (choices <= COUNT_MAX) return choices;
  const message = `expected at most ${COUNT_MAX} answers, found ${choices} for ${prompts} prompts`;
  return { reason: 'body_value_invalid', message };
}

export const openaiCompletions: Dialect = {
  name: 'openai-completions',
  read: (body) => reader.read(body, factsOf),
  usage: openaiUsage,
  outputTokens: openaiOutputTokens,
  error: openaiError,
};
