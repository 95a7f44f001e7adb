import { openaiApi } from './openai.ts';
import type { StubProvider } from './provider.ts';

/** Two numbers, as floats of 32 bits in base64: what the official SDK asks for. */
const VECTOR = Buffer.from(new Float32Array([0.5, -0.25]).buffer).toString('base64');

/** OpenAI embeddings: no output, and no stream. */
export const openaiEmbeddings: StubProvider = {
  ...openaiApi,
  fault: (request) => (request['input'] === undefined ? 'input is required' : undefined),
  capOf: () => 0,
  json({ model, tokens, behaviour }) {
    const usage = { prompt_tokens: tokens.input, total_tokens: tokens.input };
    return {
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: VECTOR + 'A'.repeat(behaviour.padBytes) }],
      model,
      ...(behaviour.omitUsage ? {} : { usage }),
    };
  },
  events: () => [],
};
