import { bearerOf, numberAt, pieces, type StubAnswer, type StubEvent, type StubProvider } from './provider.ts';

const ERROR_TYPES: ReadonlyMap<number, string> = new Map([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [429, 'rate_limit_error'],
  [529, 'overloaded_error'],
]);

/** Anthropic messages, as far as usage, streams and errors go. */
export const anthropic: StubProvider = {
  name: 'anthropic',
  // The API takes either header (the official package sends a bearer token); two different keys are no key.
  keyOf(headers) {
    const sent = [headers['x-api-key'], bearerOf(headers)].filter((key) => key !== undefined);
    const [key] = sent;
    return typeof key === 'string' && sent.every((other) => other === key) ? key : undefined;
  },
  error(status, message) {
    return { type: 'error', error: { type: ERROR_TYPES.get(status) ?? 'api_error', message } };
  },
  fault(request) {
    if (!Array.isArray(request['messages'])) return 'messages: field required';
    return this.capOf(request) === undefined ? 'max_tokens: field required' : undefined;
  },
  capOf: (request) => numberAt(request, 'max_tokens'),
  json(answer) {
    const text = answer.text + 'x'.repeat(answer.behaviour.padBytes);
    return { ...head(answer), content: [{ type: 'text', text }], stop_reason: 'end_turn', ...usage(answer) };
  },
  events(answer) {
    const started = { ...head(answer), content: [], stop_reason: null, ...usage(answer, 1) };
    const typed = (name: string, rest: object, content?: true): StubEvent => ({
      name,
      data: { type: name, ...rest },
      ...(content === true ? { content } : {}),
    });
    const final = answer.behaviour.omitUsage ? {} : { usage: { output_tokens: answer.tokens.output } };
    return [
      typed('message_start', { message: started }),
      typed('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      typed('ping', {}),
      ...pieces(answer).map((text) =>
        typed('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }, true),
      ),
      typed('content_block_stop', { index: 0 }),
      typed('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, ...final }),
      typed('message_stop', {}),
    ];
  },
};

function head(answer: StubAnswer): Record<string, unknown> {
  return { id: `msg_${answer.id}`, type: 'message', role: 'assistant', model: answer.model, stop_sequence: null };
}

/** `input_tokens` excludes caches here, unlike OpenAI's `prompt_tokens`. */
function usage({ tokens, behaviour }: StubAnswer, output: number = tokens.output): Record<string, unknown> {
  if (behaviour.omitUsage) return {};
  return {
    usage: {
      input_tokens: tokens.input,
      cache_creation_input_tokens: tokens.cacheWrite5m + tokens.cacheWrite1h,
      cache_read_input_tokens: tokens.cacheRead,
      cache_creation: {
        ephemeral_5m_input_tokens: tokens.cacheWrite5m,
        ephemeral_1h_input_tokens: tokens.cacheWrite1h,
      },
      output_tokens: output,
      service_tier: 'standard',
    },
  };
}
