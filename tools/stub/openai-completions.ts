import { CREATED, includesUsage, openaiApi, promptUsage } from './openai.ts';
import { numberAt, pieces, type StubAnswer, type StubEvent, type StubProvider } from './provider.ts';

/** OpenAI completions, as far as usage, streams and errors go. */
export const openaiCompletions: StubProvider = {
  ...openaiApi,
  fault: (request) => (request['prompt'] === undefined ? 'prompt is required' : undefined),
  capOf: (request) => numberAt(request, 'max_tokens') ?? 16,
  json(answer) {
    const text = answer.text + 'x'.repeat(answer.behaviour.padBytes);
    return {
      ...head(answer),
      choices: [{ index: 0, text, logprobs: null, finish_reason: 'stop' }],
      ...(answer.behaviour.omitUsage ? {} : { usage: promptUsage(answer.tokens) }),
    };
  },
  events(answer, request) {
    const asked = includesUsage(request) && !answer.behaviour.omitUsage;
    const chunk = (choices: unknown[], total: unknown = null) => ({
      ...head(answer),
      choices,
      ...(asked ? { usage: total } : {}),
    });
    const events: StubEvent[] = pieces(answer).map((text) => ({
      data: chunk([{ index: 0, text, logprobs: null, finish_reason: null }]),
      content: true,
    }));
    if (asked) events.push({ data: chunk([], promptUsage(answer.tokens)) });
    events.push({ data: '[DONE]' });
    return events;
  },
};

function head(answer: StubAnswer): Record<string, unknown> {
  return { id: `cmpl-${answer.id}`, object: 'text_completion', created: CREATED, model: answer.model };
}
