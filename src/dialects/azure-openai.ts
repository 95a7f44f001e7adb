/** Azure OpenAI's deployments: chat completions, whose model is the deployment that the path names. */
import { openaiOutputTokens } from './answer-bytes.ts';
import type { Dialect } from './dialect.ts';
import { openaiError } from './errors.ts';
import { readChat } from './openai-chat.ts';
import { queryFault } from './query.ts';
import { openaiUsage } from './usage.ts';

const QUERY: ReadonlyMap<string, RegExp> = new Map([['api-version', /^[A-Za-z0-9.-]{1,32}$/]]);

export const azureOpenai: Dialect = {
  name: 'azure-openai',
  read: (body, target) => (target && queryFault(target.query, QUERY)) ?? readChat(body, target),
  usage: openaiUsage,
  outputTokens: openaiOutputTokens,
  error: openaiError,
};
