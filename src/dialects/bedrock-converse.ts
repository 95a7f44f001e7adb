/**
 * Bedrock's Converse: model and streaming stand in the path. Its streams are binary (`application/vnd.amazon.eventstream`),
 * of which the gateway reads no usage: they are billed by estimate.
 */
import { BodyReader } from './body-reader.ts';
import { type BodyFacts, type BodyFault, type Dialect, isFault, type Target } from './dialect.ts';
import { bedrockError } from './errors.ts';
import { objectFault, readCommon, readCount } from './facts.ts';
import { queryFault } from './query.ts';
import { ABSENT, NULL } from './scanner.ts';
import { anthropicUsage } from './usage.ts';

const reader = new BodyReader({
  decision: ['model', 'messages', 'inferenceConfig', 'toolConfig', 'additionalModelRequestFields'],
  nested: { parent: 'inferenceConfig', names: ['maxTokens'] },
  wholes: ['toolConfig'],
  partWholes: ['toolUse'],
  media: ['image', 'document', 'video'],
  messages: 'messages',
  contents: ['content'],
  prompts: undefined,
  caching: ['cachePoint'],
  toolModel: undefined,
});

const QUERY: ReadonlyMap<string, RegExp> = new Map();
const STREAM = '/converse-stream';

/** Bytes of answer per token, low enough that an estimate is rather too high. A frame has some hundred bytes of its own. */
const ANSWER_BYTES_PER_TOKEN = 3.3;
const FRAME_BYTES_PER_TOKEN = 60;

function factsOf(body: Uint8Array, target: Target): BodyFacts | BodyFault {
  const common = readCommon(reader, body, target);
  if (isFault(common)) return common;
  const config = objectFault(reader, 'inferenceConfig');
  if (config !== undefined) return config;
  const cap = readCount(reader, 'maxTokens');
  if (isFault(cap)) return cap;
  // What goes to the model in its own words may have a cap of its own, which wins.
  const fields = reader.kind('additionalModelRequestFields');
  const stream = target.path.endsWith(STREAM);
  return {
    ...common,
    stream,
    outputCap: fields === ABSENT || fields === NULL ? cap : undefined,
    choices: 1,
    reportsUsage: !stream,
    usageEdit: undefined,
  };
}

function read(body: Uint8Array, target: Target | undefined): BodyFacts | BodyFault {
  if (target === undefined) throw new TypeError('a path of bedrock-converse names the model');
  return queryFault(target.query, QUERY) ?? reader.read(body, () => factsOf(body, target));
}

export const bedrockConverse: Dialect = {
  name: 'bedrock-converse',
  read,
  // Caches lie beside the input, as with Anthropic, and stand under the same keys.
  usage: anthropicUsage,
  outputTokens: (bytes, { stream }) => Math.ceil(bytes / (stream ? FRAME_BYTES_PER_TOKEN : ANSWER_BYTES_PER_TOKEN)),
  error: bedrockError,
};
