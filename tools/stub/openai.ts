import {
  bearerOf,
  numberAt,
  pieces,
  type StubAnswer,
  type StubEvent,
  type StubProvider,
  type StubRequest,
} from './provider.ts';
import type { Tokens } from './usage.ts';

/** 2026-01-01; answers are the same on every run. */
export const CREATED = 1_767_225_600;

/** What all of OpenAI's APIs share. */
export const openaiApi: Pick<StubProvider, 'name' | 'keyOf' | 'error'> = {
  name: 'openai',
  keyOf: bearerOf,
  error(status, message) {
    const type = status >= 500 ? 'server_error' : 'invalid_request_error';
    return { error: { message, type, param: null, code: status === 401 ? 'invalid_api_key' : null } };
  },
};

/** OpenAI chat completions, as far as usage, streams and errors go. */
export const openai: StubProvider = {
  ...openaiApi,
  fault: (request) => (Array.isArray(request['messages']) ? undefined : 'messages is required'),
  capOf: (request) => numberAt(request, 'max_completion_tokens') ?? numberAt(request, 'max_tokens'),
  json(answer) {
    const content = answer.text + 'x'.repeat(answer.behaviour.padBytes);
    return {
      ...head(answer, 'chat.completion'),
      choices: [
        { index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' },
      ],
      ...(answer.behaviour.omitUsage ? {} : { usage: promptUsage(answer.tokens) }),
    };
  },
  events(answer, request) {
    const asked = includesUsage(request) && !answer.behaviour.omitUsage;
    const chunk = (choices: unknown[], total: unknown = null) => ({
      ...head(answer, 'chat.completion.chunk'),
      choices,
      ...(asked ? { usage: total } : {}),
    });
    const delta = (content: unknown, finish: string | null = null) => [
      { index: 0, delta: content, finish_reason: finish },
    ];
    const events: StubEvent[] = [{ data: chunk(delta({ role: 'assistant', content: '' })) }];
    for (const content of pieces(answer)) events.push({ data: chunk(delta({ content })), content: true });
    events.push({ data: chunk(delta({}, 'stop')) });
    if (asked) events.push({ data: chunk([], promptUsage(answer.tokens)) });
    events.push({ data: '[DONE]' });
    return events;
  },
};

function head(answer: StubAnswer, object: string): Record<string, unknown> {
  return { id: `chatcmpl-${answer.id}`, object, created: CREATED, model: answer.model };
}

/** `prompt_tokens` includes caches here, unlike Anthropic's `input_tokens`. */
export function promptUsage(tokens: Tokens): unknown {
  const written = tokens.cacheWrite5m + tokens.cacheWrite1h;
  const prompt = tokens.input + tokens.cacheRead + written;
  return {
    prompt_tokens: prompt,
    completion_tokens: tokens.output,
    total_tokens: prompt + tokens.output,
    prompt_tokens_details: { cached_tokens: tokens.cacheRead, cache_write_tokens: written, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: tokens.reasoning, audio_tokens: 0 },
  };
}

export function includesUsage(request: StubRequest): boolean {
  const options = request['stream_options'];
  return (
    typeof options === 'object' && options !== null && 'include_usage' in options && options.include_usage === true
  );
}

/** The answer of GET /v1/models. */
export const OPENAI_MODELS: unknown = {
  object: 'list',
  data: ['gpt-5', 'gpt-5-mini'].map((id) => ({ id, object: 'model', created: CREATED, owned_by: 'stub' })),
};
