/** Gemini: model and streaming stand in the path, all else in camel case in the body. */
import { BodyReader } from './body-reader.ts';
import { type BodyFacts, type BodyFault, type Dialect, isFault, type Target } from './dialect.ts';
import { googleError } from './errors.ts';
import { objectFault, readCommon, readCount, spellingFault } from './facts.ts';
import { queryFault } from './query.ts';
import { ABSENT, NULL } from './scanner.ts';
import { geminiUsage } from './usage.ts';

const reader = new BodyReader({
  decision: ['model', 'contents', 'tools', 'generationConfig', 'generation_config', 'cachedContent', 'cached_content'],
  nested: {
    parent: 'generationConfig',
    names: ['maxOutputTokens', 'max_output_tokens', 'candidateCount', 'candidate_count'],
  },
  wholes: ['tools'],
  partWholes: ['functionCall', 'functionResponse'],
  media: ['inlineData'],
  messages: 'contents',
  contents: ['parts'],
  prompts: undefined,
  caching: [],
  toolModel: undefined,
});

/** `fields` would strip the usage from the answer, `$httpMethod` and its like choose another call. */
const QUERY: ReadonlyMap<string, RegExp> = new Map([['alt', /^(?:sse|json)$/]]);
const STREAM = ':streamGenerateContent';

/** Tokens that a named cache is reserved with; caches begin at some thousand. The report of usage sets it right. */
export const CACHED_INPUT_TOKENS = 32_768;

/** Bytes of answer per token, low enough that an estimate is rather too high. A chunk carries many tokens. */
const ANSWER_BYTES_PER_TOKEN = 3.3;
const CHUNK_BYTES_PER_TOKEN = 5;

function factsOf(body: Uint8Array, target: Target): BodyFacts | BodyFault {
  const common = readCommon(reader, body, target);
  if (isFault(common)) return common;
  const spelling =
    spellingFault(reader, 'generation_config', 'generationConfig') ??
    spellingFault(reader, 'max_output_tokens', 'maxOutputTokens') ??
    spellingFault(reader, 'candidate_count', 'candidateCount') ??
    spellingFault(reader, 'cached_content', 'cachedContent') ??
    objectFault(reader, 'generationConfig');
  if (spelling !== undefined) return spelling;
  const cap = readCount(reader, 'maxOutputTokens');
  if (isFault(cap)) return cap;
  const candidates = readCount(reader, 'candidateCount');
  if (isFault(candidates)) return candidates;
  const cache = reader.kind('cachedContent');
  const isCached = cache !== ABSENT && cache !== NULL;
  const stream = target.path.endsWith(STREAM);
  return {
    ...common,
    stream,
    inputTokens: common.inputTokens + (isCached ? CACHED_INPUT_TOKENS : 0),
    outputCap: cap,
    choices: Math.max(candidates ?? 1, 1),
    // Without `alt=sse` a stream is one JSON list, of which the gateway reads nothing.
    reportsUsage: !stream || target.query === 'alt=sse',
    usageEdit: undefined,
  };
}

function read(body: Uint8Array, target: Target | undefined): BodyFacts | BodyFault {
  if (target === undefined) throw new TypeError('a path of gemini names the model');
  return queryFault(target.query, QUERY) ?? reader.read(body, () => factsOf(body, target));
}

export const gemini: Dialect = {
  name: 'gemini',
  read,
  usage: geminiUsage,
  outputTokens: (bytes, { stream }) => Math.ceil(bytes / (stream ? CHUNK_BYTES_PER_TOKEN : ANSWER_BYTES_PER_TOKEN)),
  error: googleError,
};
