/** OpenAI's Responses API. Its streams report usage in their last event by themselves. */
import { openaiOutputTokens } from './answer-bytes.ts';
import { BodyReader } from './body-reader.ts';
import { type BodyFacts, type BodyFault, type Dialect, isFault } from './dialect.ts';
import { openaiError } from './errors.ts';
import { readCommon, readCount, readFlag } from './facts.ts';
import type { KeyName } from './keys.ts';
import { ABSENT, NULL } from './scanner.ts';
import { responsesUsage } from './usage.ts';

const reader = new BodyReader({
  decision: [
    'model',
    'stream',
    'max_output_tokens',
    'background',
    'tools',
    'input',
    'previous_response_id',
    'conversation',
    'store',
    'prompt',
    'service_tier',
    'models',
    'fallbacks',
  ],
  nested: undefined,
  wholes: ['tools', 'text'],
  partWholes: [],
  media: ['image_url', 'file_data', 'input_audio'],
  messages: 'input',
  contents: ['content', 'output'],
  prompts: undefined,
  caching: ['prompt_cache_options', 'prompt_cache_breakpoint'],
  toolModel: 'model',
});

/** What a body only points at is input, too: an earlier answer, a conversation, a prompt template. */
const POINTERS: readonly KeyName[] = ['previous_response_id', 'conversation', 'prompt'];
/** Tokens that each of them is reserved with: some twenty turns of a conversation. The report of usage sets it right. */
export const HIDDEN_INPUT_TOKENS = 8192;

/** Under one provider key these belong to all who call with it: whoever knows an id may go on with what another has stored. */
const STORED: readonly (readonly [name: KeyName, fault: BodyFault])[] = POINTERS.map((name) => [
  name,
  { reason: 'body_value_invalid', message: `expected no \`${name}\`: nothing is kept at the provider on this route` },
]);
/** This API keeps every answer unless it is told not to. */
const STORES: BodyFault = {
  reason: 'body_value_invalid',
  message: 'expected `store` to be `false`: nothing is kept at the provider on this route',
};

function factsOf(body: Uint8Array): BodyFacts | BodyFault {
  const nameless = modelFault();
  if (nameless !== undefined) return nameless;
  const common = readCommon(reader, body);
  if (isFault(common)) return common;
  const cap = readCount(reader, 'max_output_tokens');
  if (isFault(cap)) return cap;
  const background = readFlag(reader, 'background');
  if (isFault(background)) return background;
  if (background === true) {
    const expected = 'expected `background` to be `false`: what such an answer uses never passes the gateway';
    return { reason: 'body_value_invalid', message: `${expected}, found \`true\`` };
  }
  const store = readFlag(reader, 'store');
  if (isFault(store)) return store;
  const pointers = POINTERS.filter(isGiven).length;
  return {
    ...common,
    inputTokens: common.inputTokens + pointers * HIDDEN_INPUT_TOKENS,
    outputCap: cap,
    choices: 1,
    reportsUsage: true,
    usageEdit: undefined,
    storedState: STORED.find(([name]) => isGiven(name))?.[1] ?? (store === false ? undefined : STORES),
  };
}

function isGiven(name: KeyName): boolean {
  const kind = reader.kind(name);
  return kind !== ABSENT && kind !== NULL;
}

/** This API lets a prompt template name the model; which one that is cannot be known here, so it cannot be decided on. */
function modelFault(): BodyFault | undefined {
  if (isGiven('model')) return undefined;
  const beside = isGiven('prompt') ? ', also beside `prompt`: which model a template names is not known here' : '';
  return { reason: 'model_invalid', message: `expected \`model\`, the model to answer${beside}, found none` };
}

export const openaiResponses: Dialect = {
  name: 'openai-responses',
  read: (body) => reader.read(body, factsOf),
  usage: responsesUsage,
  outputTokens: openaiOutputTokens,
  error: openaiError,
};
