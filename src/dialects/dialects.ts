/** The one table of the dialects that are built, and what routes without one answer. */
import { anthropicMessages } from './anthropic-messages.ts';
import { azureOpenai } from './azure-openai.ts';
import { bedrockConverse } from './bedrock-converse.ts';
import type { Dialect, ErrorAnswer, Problem } from './dialect.ts';
import { codeOf, rowOf } from './errors.ts';
import { gemini } from './gemini.ts';
import { openaiChat } from './openai-chat.ts';
import { openaiCompletions } from './openai-completions.ts';
import { openaiEmbeddings } from './openai-embeddings.ts';
import { openaiResponses } from './openai-responses.ts';

const DIALECTS: ReadonlyMap<string, Dialect> = new Map(
  [
    openaiChat,
    openaiResponses,
    openaiEmbeddings,
    openaiCompletions,
    anthropicMessages,
    gemini,
    bedrockConverse,
    azureOpenai,
  ].map((dialect) => [dialect.name, dialect]),
);

/** The dialect of a route; undefined: the route has none, or it is not built. */
export function dialect(name: string | undefined): Dialect | undefined {
  return name === undefined ? undefined : DIALECTS.get(name);
}

/** The refusal on a route without dialect: problem details (RFC 9457) with the extensions code, decision and limit. */
export function problemJson(problem: Problem): ErrorAnswer {
  const { anthropic, status, title } = rowOf(problem);
  const shownStatus = anthropic.status ?? status;
  const body = {
    type: 'about:blank',
    title,
    status: shownStatus,
    detail: problem.message,
    code: codeOf(problem),
    decision: problem.decisionId,
    ...(problem.limit === undefined ? {} : { limit: problem.limit }),
  };
  return { status: shownStatus, contentType: 'application/problem+json', body: JSON.stringify(body) };
}
