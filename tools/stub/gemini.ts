import { numberAt, pieces, type StubAnswer, type StubProvider, type StubRequest } from './provider.ts';

const STATUSES: ReadonlyMap<number, string> = new Map([
  [400, 'INVALID_ARGUMENT'],
  [401, 'UNAUTHENTICATED'],
  [429, 'RESOURCE_EXHAUSTED'],
  [503, 'UNAVAILABLE'],
]);

/** Gemini, as far as usage, streams and errors go. */
export const gemini: StubProvider = {
  name: 'gemini',
  keyOf: (headers) => (typeof headers['x-goog-api-key'] === 'string' ? headers['x-goog-api-key'] : undefined),
  error: (code, message) => ({ error: { code, message, status: STATUSES.get(code) ?? 'INTERNAL' } }),
  fault: (request) => (Array.isArray(request['contents']) ? undefined : 'contents is required'),
  capOf: (request) => numberAt((request['generationConfig'] ?? {}) as StubRequest, 'maxOutputTokens'),
  json: (answer) => chunk(answer, answer.text + 'x'.repeat(answer.behaviour.padBytes), true),
  // Each chunk reports what was used so far; the stub lets the first ones say less.
  events: (answer) =>
    pieces(answer).map((text, index, all) => ({
      data: chunk(answer, text, index === all.length - 1),
      content: true,
    })),
};

/** The answer of `:countTokens`. */
export const GEMINI_COUNT: unknown = { totalTokens: 7 };

function chunk({ id, model, tokens, behaviour }: StubAnswer, text: string, isLast: boolean): Record<string, unknown> {
  const prompt = tokens.input + tokens.cacheRead;
  const usageMetadata = {
    promptTokenCount: prompt,
    cachedContentTokenCount: tokens.cacheRead,
    candidatesTokenCount: isLast ? tokens.output - tokens.reasoning : 1,
    thoughtsTokenCount: tokens.reasoning,
    totalTokenCount: prompt + (isLast ? tokens.output : 1 + tokens.reasoning),
  };
  return {
    candidates: [
      { index: 0, content: { role: 'model', parts: [{ text }] }, ...(isLast ? { finishReason: 'STOP' } : {}) },
    ],
    modelVersion: model,
    responseId: id,
    ...(behaviour.omitUsage ? {} : { usageMetadata }),
  };
}
