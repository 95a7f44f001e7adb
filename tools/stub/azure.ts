import { openai } from './openai.ts';
import type { StubProvider } from './provider.ts';

/** Azure's deployments of OpenAI's chat completions. */
export const azure: StubProvider = {
  ...openai,
  name: 'azure',
  keyOf: (headers) => (typeof headers['api-key'] === 'string' ? headers['api-key'] : undefined),
};
