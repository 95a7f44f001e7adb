/**
 * Usage as providers report it, from what Envoy's filters wrote (usage-rules.ts), normalised into disjoint token
 * classes. OpenAI's prompt_tokens and input_tokens include caches, Anthropic's input_tokens exclude them: it is the dialect
 * that knows, never the key (reference/domain.md 2.2).
 *
 * A value that cannot be a count of tokens, or counts that contradict one another, make the whole report `faulty`: it
 * is not settled in part. A member that is null or absent is 0, but for the two that every report has.
 */
import { NO_QUANTITIES, type Quantities } from '../core/units.ts';
import type { ReportedUsage, UsageFields } from './dialect.ts';
import type { UsageKey } from './usage-rules.ts';

type Json = Readonly<Record<string, unknown>>;

/** A count, absent (undefined), or FAULTY. */
type Count = number | undefined | typeof FAULTY;
const FAULTY: unique symbol = Symbol('faulty');

const DIGITS = /^(?:0|[1-9][0-9]{0,15})$/;
const USAGE_CHARACTERS_MAX = 65_536;
const MODEL_CHARACTERS_MAX = 256;

/** prompt_tokens, completion_tokens and their details, from a JSON answer or a stream's last chunk. */
export function openaiUsage(fields: UsageFields): ReportedUsage {
  return inclusiveUsage(fields, PROMPT_TOKENS);
}

/** The same of an API that has no output: `completion_tokens` is absent, or 0. */
export function embeddingsUsage(fields: UsageFields): ReportedUsage {
  return inclusiveUsage(fields, { ...PROMPT_TOKENS, outputDefault: 0 });
}

/** input_tokens and output_tokens with caches and reasoning inside them, unlike Anthropic's of the same names. */
export function responsesUsage(fields: UsageFields): ReportedUsage {
  return inclusiveUsage(fields, {
    input: 'input_tokens',
    output: 'output_tokens',
    stream: 'sse_response_usage',
    outputDefault: undefined,
  });
}

/** Where an API of OpenAI's says what it counted. `outputDefault`: the output of a report that does not name any. */
interface InclusiveNames {
  readonly input: 'prompt_tokens' | 'input_tokens';
  readonly output: 'completion_tokens' | 'output_tokens';
  readonly stream: 'sse_usage' | 'sse_response_usage';
  readonly outputDefault: 0 | undefined;
}

const PROMPT_TOKENS: InclusiveNames = {
  input: 'prompt_tokens',
  output: 'completion_tokens',
  stream: 'sse_usage',
  outputDefault: undefined,
};

function inclusiveUsage(fields: UsageFields, names: InclusiveNames): ReportedUsage {
  const model = modelOf(fields);
  const stream = jsonOf(fields, names.stream);
  if (stream === FAULTY) return { model, quantities: undefined, faulty: true };
  const counts: InclusiveCounts =
    stream === undefined
      ? {
          input: field(fields, names.input),
          output: field(fields, names.output),
          cached: field(fields, 'cached_tokens'),
          written: field(fields, 'cache_write_tokens'),
          reasoning: field(fields, 'reasoning_tokens'),
        }
      : {
          input: member(stream, names.input),
          output: member(stream, names.output),
          cached: member(stream, `${names.input}_details`, 'cached_tokens'),
          written: member(stream, `${names.input}_details`, 'cache_write_tokens'),
          reasoning: member(stream, `${names.output}_details`, 'reasoning_tokens'),
        };
  if (stream === undefined && Object.values(counts).every((count) => count === undefined)) {
    return { model, quantities: undefined, faulty: false };
  }
  return reported(model, inclusiveQuantities({ ...counts, output: counts.output ?? names.outputDefault }));
}

type InclusiveCounts = Readonly<Record<'input' | 'output' | 'cached' | 'written' | 'reasoning', Count>>;

function inclusiveQuantities(counts: InclusiveCounts): Quantities | undefined {
  const { input, output } = counts;
  const cached = counts.cached ?? 0;
  const written = counts.written ?? 0;
  const reasoning = counts.reasoning ?? 0;
  if (typeof input !== 'number' || typeof output !== 'number') return undefined;
  if (cached === FAULTY || written === FAULTY || reasoning === FAULTY) return undefined;
  if (cached + written > input || reasoning > output) return undefined;
  return {
    ...NO_QUANTITIES,
    input: input - cached - written,
    cache_read: cached,
    // OpenAI has one class of cache writes; it is booked under the shorter lifetime.
    cache_write_5m: written,
    output,
    reasoning,
  };
}

/**
 * A JSON answer's usage; or a stream's: input and caches from message_start unless message_delta says them, output from
 * the last message_delta (cumulative, never summed). A stream cut before its message_delta has only the first output
 * count: that is no usage, and is settled as estimated. `thinking_tokens` are approximate, hence not read: reasoning is 0.
 */
export function anthropicUsage(fields: UsageFields): ReportedUsage {
  const model = modelOf(fields);
  const delta = jsonOf(fields, 'sse_usage');
  const start = jsonOf(fields, 'sse_message_usage');
  if (delta === FAULTY || start === FAULTY) return { model, quantities: undefined, faulty: true };
  if (delta === undefined && start === undefined) return anthropicJsonUsage(model, fields);
  if (delta === undefined) return { model, quantities: undefined, faulty: false };
  const later = (...path: readonly string[]): Count =>
    member(delta, ...path) ?? (start === undefined ? undefined : member(start, ...path));
  const input = later('input_tokens');
  // A delta without its start, whose event was lost or too large, says nothing of the input.
  if (input === undefined) return { model, quantities: undefined, faulty: member(delta, 'output_tokens') === FAULTY };
  return reported(
    model,
    anthropicQuantities({
      input,
      output: member(delta, 'output_tokens'),
      read: later('cache_read_input_tokens'),
      written: later('cache_creation_input_tokens'),
      written5m: later('cache_creation', 'ephemeral_5m_input_tokens'),
      written1h: later('cache_creation', 'ephemeral_1h_input_tokens'),
    }),
  );
}

function anthropicJsonUsage(model: string | undefined, fields: UsageFields): ReportedUsage {
  const counts: AnthropicCounts = {
    input: field(fields, 'input_tokens'),
    output: field(fields, 'output_tokens'),
    read: field(fields, 'cache_read_input_tokens'),
    written: field(fields, 'cache_creation_input_tokens'),
    written5m: field(fields, 'cache_5m_tokens'),
    written1h: field(fields, 'cache_1h_tokens'),
  };
  if (Object.values(counts).every((count) => count === undefined)) {
    return { model, quantities: undefined, faulty: false };
  }
  return reported(model, anthropicQuantities(counts));
}

type AnthropicCounts = Readonly<Record<'input' | 'output' | 'read' | 'written' | 'written5m' | 'written1h', Count>>;

function anthropicQuantities(counts: AnthropicCounts): Quantities | undefined {
  const { input, output } = counts;
  const read = counts.read ?? 0;
  const written5m = counts.written5m ?? 0;
  const written1h = counts.written1h ?? 0;
  if (typeof input !== 'number' || typeof output !== 'number') return undefined;
  if (read === FAULTY || written5m === FAULTY || written1h === FAULTY || counts.written === FAULTY) return undefined;
  const written = counts.written ?? written5m + written1h;
  // The split may be older than the total (message_start and message_delta): what it lacks goes to the class in use,
  // and to the default lifetime if there is none or both are.
  const rest = written - written5m - written1h;
  if (rest < 0) return undefined;
  const isHourly = written1h > 0 && written5m === 0;
  return {
    ...NO_QUANTITIES,
    input,
    cache_read: read,
    cache_write_5m: written5m + (isHourly ? 0 : rest),
    cache_write_1h: written1h + (isHourly ? rest : 0),
    output,
  };
}

/**
 * usageMetadata of a JSON answer, or of a stream's last chunk that has it (cumulative, never summed). Endpoints differ on
 * whether candidatesTokenCount has the thoughts in it: it has them if the total says so, else they come on top
 * (reference/domain.md 2.2). A prompt that was blocked has no candidates.
 */
export function geminiUsage(fields: UsageFields): ReportedUsage {
  const model = modelOf(fields);
  const stream = jsonOf(fields, 'sse_usage_metadata');
  if (stream === FAULTY) return { model, quantities: undefined, faulty: true };
  const of = (key: GeminiKey, name: string): Count =>
    stream === undefined ? field(fields, key) : member(stream, name);
  const counts: GeminiCounts = {
    prompt: of('prompt_token_count', 'promptTokenCount'),
    tools: of('tool_use_prompt_token_count', 'toolUsePromptTokenCount'),
    cached: of('cached_content_token_count', 'cachedContentTokenCount'),
    candidates: of('candidates_token_count', 'candidatesTokenCount'),
    thoughts: of('thoughts_token_count', 'thoughtsTokenCount'),
    total: of('total_token_count', 'totalTokenCount'),
  };
  if (stream === undefined && Object.values(counts).every((count) => count === undefined)) {
    return { model, quantities: undefined, faulty: false };
  }
  return reported(model, geminiQuantities(counts));
}

type GeminiKey = Extract<UsageKey, `${string}_token_count`>;
type GeminiCounts = Readonly<Record<'prompt' | 'tools' | 'cached' | 'candidates' | 'thoughts' | 'total', Count>>;

function geminiQuantities({ prompt, total, ...counts }: GeminiCounts): Quantities | undefined {
  const tools = counts.tools ?? 0;
  const cached = counts.cached ?? 0;
  const candidates = counts.candidates ?? 0;
  const thoughts = counts.thoughts ?? 0;
  if (typeof prompt !== 'number' || total === FAULTY) return undefined;
  if (tools === FAULTY || cached === FAULTY || candidates === FAULTY || thoughts === FAULTY) return undefined;
  if (cached > prompt) return undefined;
  const isInside = thoughts <= candidates && prompt + tools + candidates === total;
  return {
    ...NO_QUANTITIES,
    input: prompt - cached + tools,
    cache_read: cached,
    output: isInside ? candidates : candidates + thoughts,
    reasoning: thoughts,
  };
}

/** Usable only if the sum of all classes is still a safe integer. */
function reported(model: string | undefined, quantities: Quantities | undefined): ReportedUsage {
  if (quantities === undefined) return { model, quantities, faulty: true };
  const sum = Object.values(quantities).reduce((total, quantity) => total + quantity, 0);
  if (!Number.isSafeInteger(sum)) return { model, quantities: undefined, faulty: true };
  return { model, quantities, faulty: false };
}

function modelOf(fields: UsageFields): string | undefined {
  const model = fields.get('model' satisfies UsageKey);
  if (typeof model !== 'string' || model === '' || model.length > MODEL_CHARACTERS_MAX) return undefined;
  return model;
}

/** A field that json_to_metadata wrote: a number, or a string of digits. */
function field(fields: UsageFields, key: UsageKey): Count {
  const value = fields.get(key);
  if (value === '') return undefined;
  return count(typeof value === 'string' && DIGITS.test(value) ? Number(value) : value);
}

function member(json: Json, ...path: readonly string[]): Count {
  let value: unknown = json;
  for (const name of path) {
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) return FAULTY;
    value = Object.hasOwn(value, name) ? (value as Json)[name] : undefined;
  }
  return count(value);
}

function count(value: unknown): Count {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : FAULTY;
}

/** An object that sse_to_metadata wrote as a JSON string; null and the empty string are none. */
function jsonOf(fields: UsageFields, key: UsageKey): Json | undefined | typeof FAULTY {
  const text = fields.get(key);
  if (text === undefined || text === '' || text === 'null') return undefined;
  if (typeof text !== 'string' || text.length > USAGE_CHARACTERS_MAX) return FAULTY;
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Json) : FAULTY;
  } catch {
    return FAULTY;
  }
}
