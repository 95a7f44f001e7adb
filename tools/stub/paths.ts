/** Which provider answers at a path, and what the path says of the request. */
import type { IncomingMessage } from 'node:http';
import { anthropic } from './anthropic.ts';
import { azure } from './azure.ts';
import { bedrock } from './bedrock.ts';
import { gemini } from './gemini.ts';
import { openai } from './openai.ts';
import { openaiCompletions } from './openai-completions.ts';
import { openaiEmbeddings } from './openai-embeddings.ts';
import { openaiResponses } from './openai-responses.ts';
import type { StubProvider, StubRequest } from './provider.ts';

const PROVIDERS: ReadonlyMap<string, StubProvider> = new Map([
  ['POST /v1/chat/completions', openai],
  ['POST /v1/completions', openaiCompletions],
  ['POST /v1/embeddings', openaiEmbeddings],
  ['POST /v1/responses', openaiResponses],
  ['GET /v1/models', openai],
  ['POST /v1/messages', anthropic],
]);

/** Where the path names the model, and whether the verb behind it asks for a stream; undefined: the body says it. */
const PATHS: readonly (readonly [pattern: RegExp, provider: StubProvider, stream: string | undefined])[] = [
  [/^\/v1beta\/models\/([^/]+):([A-Za-z]+)$/, gemini, 'streamGenerateContent'],
  [/^\/model\/([^/]+)\/(converse|converse-stream)$/, bedrock, 'converse-stream'],
  [/^\/openai\/deployments\/([^/]+)\/chat\/(completions)$/, azure, undefined],
];

export interface Called {
  readonly provider: StubProvider;
  readonly verb?: string;
  /** What the path says beside the body. */
  readonly inPath?: StubRequest;
}

/** Undefined: no provider has this method and path. */
export function calledBy(request: IncomingMessage): Called | undefined {
  const [path = ''] = (request.url ?? '').split('?');
  const provider = PROVIDERS.get(`${request.method} ${path}`);
  if (provider !== undefined) return { provider };
  for (const [pattern, found, stream] of PATHS) {
    const [, segment, verb] = pattern.exec(path) ?? [];
    if (segment === undefined || verb === undefined || request.method !== 'POST') continue;
    const model = decodeURIComponent(segment);
    return { provider: found, verb, inPath: stream === undefined ? { model } : { model, stream: verb === stream } };
  }
  return undefined;
}
