import { CREATED, openaiApi } from './openai.ts';
import { numberAt, pieces, type StubAnswer, type StubEvent, type StubProvider } from './provider.ts';

/** OpenAI responses, as far as usage, streams and errors go. */
export const openaiResponses: StubProvider = {
  ...openaiApi,
  fault: (request) => (request['input'] === undefined ? 'input is required' : undefined),
  capOf: (request) => numberAt(request, 'max_output_tokens'),
  json: (answer) => completed(answer, answer.text + 'x'.repeat(answer.behaviour.padBytes)),
  events(answer) {
    const begun = { ...head(answer), status: 'in_progress', output: [], usage: null };
    const texts = pieces(answer);
    const typed = (type: string, rest: object, content?: true): StubEvent => ({
      name: type,
      data: { type, ...rest },
      ...(content === true ? { content } : {}),
    });
    return [
      typed('response.created', { response: begun }),
      typed('response.in_progress', { response: begun }),
      ...texts.map((delta) => typed('response.output_text.delta', { output_index: 0, content_index: 0, delta }, true)),
      typed('response.completed', { response: completed(answer, texts.join('')) }),
    ];
  },
};

function head(answer: StubAnswer): Record<string, unknown> {
  return { id: `resp_${answer.id}`, object: 'response', created_at: CREATED, model: answer.model, error: null };
}

function completed(answer: StubAnswer, text: string): Record<string, unknown> {
  const content = [{ type: 'output_text', text, annotations: [] }];
  return {
    ...head(answer),
    status: 'completed',
    output: [{ type: 'message', id: 'msg_1', status: 'completed', role: 'assistant', content }],
    usage: answer.behaviour.omitUsage ? null : usage(answer),
  };
}

/** `input_tokens` includes caches here, unlike Anthropic's of the same name. */
function usage({ tokens }: StubAnswer): unknown {
  const written = tokens.cacheWrite5m + tokens.cacheWrite1h;
  const input = tokens.input + tokens.cacheRead + written;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: tokens.cacheRead, cache_write_tokens: written },
    output_tokens: tokens.output,
    output_tokens_details: { reasoning_tokens: tokens.reasoning },
    total_tokens: input + tokens.output,
  };
}
