/** OpenAI's embeddings: input alone, however its vectors are written (floats or base64). */
import { BodyReader } from './body-reader.ts';
import { type BodyFacts, type BodyFault, type Dialect, isFault } from './dialect.ts';
import { openaiError } from './errors.ts';
import { readCommon } from './facts.ts';
import { embeddingsUsage } from './usage.ts';

const reader = new BodyReader({
  decision: ['model', 'input', 'models', 'fallbacks'],
  nested: undefined,
  wholes: [],
  partWholes: [],
  media: [],
  messages: undefined,
  contents: [],
  prompts: 'input',
  caching: [],
  toolModel: undefined,
});

function factsOf(body: Uint8Array): BodyFacts | BodyFault {
  const common = readCommon(reader, body);
  if (isFault(common)) return common;
  return { ...common, outputCap: 0, choices: 1, reportsUsage: true, usageEdit: undefined };
}

export const openaiEmbeddings: Dialect = {
  name: 'openai-embeddings',
  read: (body) => reader.read(body, factsOf),
  usage: embeddingsUsage,
  outputTokens: () => 0,
  error: openaiError,
};
