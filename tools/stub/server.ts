import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { anthropic } from './anthropic.ts';
import { azure } from './azure.ts';
import { bedrock } from './bedrock.ts';
import { DEFAULT_BEHAVIOUR, type StubBehaviour } from './behaviour.ts';
import { control } from './control.ts';
import { GEMINI_COUNT, gemini } from './gemini.ts';
import { STUB_KEYS } from './keys.ts';
import { OPENAI_MODELS, openai } from './openai.ts';
import { openaiCompletions } from './openai-completions.ts';
import { openaiEmbeddings } from './openai-embeddings.ts';
import { openaiResponses } from './openai-responses.ts';
import { numberAt, type StubAnswer, type StubEvent, type StubProvider, type StubRequest } from './provider.ts';
import { type StubRecord, StubRecords } from './records.ts';
import { tokensOf } from './usage.ts';

export interface StubOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** The only keys that are accepted. Default: those of envoy/secrets. */
  readonly keys?: Readonly<Record<keyof typeof STUB_KEYS, string>>;
  /** Requests remembered. Default 10000. */
  readonly recordsMax?: number;
}

/** A stub provider: OpenAI and Anthropic, JSON and SSE, on one plain HTTP/1.1 port of 127.0.0.1. */
export interface Stub {
  readonly port: number;
  readonly url: string;
  /** Requests with their raw bodies, oldest first. */
  records(): readonly StubRecord[];
  /** Those with this `x-tollgate-decision`, one for each attempt. */
  recordsOf(decisionId: string): readonly StubRecord[];
  /** Resolves once this many requests have come since the start or `reset`; rejects after `withinMs` (default 10000). */
  arrived(count: number, withinMs?: number): Promise<void>;
  /** Changes how all later requests are answered; fields not named stay. `hold: false` does not release. */
  setBehaviour(change: Partial<StubBehaviour>): void;
  /** Answers waiting for `release`. */
  held(): number;
  /** Lets all held answers go, and later ones pass. */
  release(): void;
  /** Default behaviour, no records, nothing held. */
  reset(): void;
  stop(): Promise<void>;
}

const BODY_MAX_BYTES = 64 * 1024 * 1024;

export async function startStub(options: StubOptions = {}): Promise<Stub> {
  const keys = options.keys ?? STUB_KEYS;
  const records = new StubRecords(options.recordsMax ?? 10_000);
  const waiting = new Set<() => void>();
  let behaviour: StubBehaviour = DEFAULT_BEHAVIOUR;

  const stub = {
    records: () => records.all(),
    recordsOf: (decisionId: string) => records.all().filter((record) => record.decisionId === decisionId),
    async arrived(count: number, withinMs = 10_000): Promise<void> {
      const until = performance.now() + withinMs;
      while (records.total < count) {
        if (performance.now() > until) throw new Error(`${records.total} of ${count} requests after ${withinMs} ms`);
        await sleep(5);
      }
    },
    setBehaviour(change: Partial<StubBehaviour>): void {
      behaviour = { ...behaviour, ...change };
    },
    held: () => waiting.size,
    release(): void {
      behaviour = { ...behaviour, hold: false, holdAfter: undefined };
      for (const go of waiting) go();
      waiting.clear();
    },
    reset(): void {
      this.release();
      behaviour = DEFAULT_BEHAVIOUR;
      records.clear();
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    if (request.url?.startsWith('/stub/')) return control(stub, { request, response, body });
    const record = records.add(request, body);
    response.on('close', () => {
      record.status = response.headersSent ? response.statusCode : 0;
      record.state = response.writableFinished ? 'answered' : 'cut';
    });
    const found = providerOf(request);
    const provider = found?.provider;
    if (found === undefined || provider === undefined)
      return sendJson(response, 404, openai.error(404, 'no such path'));
    if (provider.keyOf(request.headers) !== keys[provider.name]) {
      return sendJson(response, 401, provider.error(401, 'incorrect API key provided'));
    }
    if (request.method === 'GET') return sendJson(response, 200, OPENAI_MODELS);
    if (found.verb === 'countTokens') return sendJson(response, 200, GEMINI_COUNT);
    const asked = parsed(body, found.inPath);
    const fault = asked === undefined ? 'body is not a JSON object' : (modelFault(asked) ?? provider.fault(asked));
    if (asked === undefined || fault !== undefined) return sendJson(response, 400, provider.error(400, fault ?? ''));
    const own = behaviourHeader(request);
    const effective = { ...behaviour, ...own };
    const failing =
      own?.failures === undefined ? countDown() : stub.recordsOf(record.decisionId ?? '').length <= own.failures;
    if (effective.hold) await held(response);
    if (response.destroyed) return;
    if (failing) return sendJson(response, effective.failStatus, provider.error(effective.failStatus, 'stub failure'));
    await send({ provider, asked, record, response, behaviour: effective, held: () => held(response) });
  }

  /** One of the failures that `setBehaviour` has ordered for whoever comes. */
  function countDown(): boolean {
    if (behaviour.failures === 0) return false;
    behaviour = { ...behaviour, failures: behaviour.failures - 1 };
    return true;
  }

  function held(response: ServerResponse): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        waiting.delete(go);
        resolve();
      };
      waiting.add(go);
      response.once('close', go);
    });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  // Longer than the idle timeout of Envoy's pool, so that Envoy never meets a connection closing under it.
  server.keepAliveTimeout = 120_000;
  server.requestTimeout = 0;
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...stub,
    port,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      stub.release();
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

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

interface Found {
  readonly provider: StubProvider;
  readonly verb?: string;
  /** What the path says beside the body. */
  readonly inPath?: StubRequest;
}

function providerOf(request: IncomingMessage): Found | undefined {
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

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > BODY_MAX_BYTES) throw new Error('body too large');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function parsed(body: Buffer, inPath: StubRequest = {}): StubRequest | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value, ...inPath } : undefined;
  } catch {
    return undefined;
  }
}

function modelFault(request: StubRequest): string | undefined {
  return typeof request['model'] === 'string' ? undefined : 'model is required';
}

function behaviourHeader(request: IncomingMessage): Partial<StubBehaviour> | undefined {
  const text = request.headers['stub-behaviour'];
  return typeof text === 'string' ? (JSON.parse(text) as Partial<StubBehaviour>) : undefined;
}

interface Sending {
  readonly provider: StubProvider;
  readonly asked: StubRequest;
  readonly record: StubRecord;
  readonly response: ServerResponse;
  readonly behaviour: StubBehaviour;
  /** Waits for `release` or the end of the connection. */
  held(): Promise<void>;
}

async function send({ provider, asked, record, response, behaviour, held }: Sending): Promise<void> {
  const tokens = tokensOf(
    { bodyBytes: record.body.length, cap: provider.capOf(asked), choices: numberAt(asked, 'n') ?? 1 },
    behaviour.usage,
  );
  record.tokens = tokens;
  const model = behaviour.model ?? String(asked['model']);
  const answer: StubAnswer = {
    id: `stub-${record.index}`,
    model,
    text: 'word'.repeat(tokens.output),
    tokens,
    behaviour,
  };
  if (asked['stream'] !== true) {
    if (behaviour.delayMs > 0) await sleep(behaviour.delayMs);
    return sendJson(response, 200, provider.json(answer), behaviour.jsonType);
  }
  const { framing } = provider;
  const type = framing?.type ?? 'text/event-stream; charset=utf-8';
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-cache' });
  response.flushHeaders();
  let contents = 0;
  for (const event of provider.events(answer, asked)) {
    if (behaviour.delayMs > 0) await sleep(behaviour.delayMs);
    if (event.content === true && contents === behaviour.holdAfter) await held();
    if (response.destroyed) return;
    if (event.content === true && contents++ === behaviour.cutAfter) {
      response.destroy();
      return;
    }
    const flowing = response.write(framing === undefined ? sseOf(event) : framing.frame(event));
    if (!flowing) await Promise.race([once(response, 'drain'), once(response, 'close')]);
  }
  response.end();
}

function sseOf({ name, data }: StubEvent): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${text}\n\n`;
}

function sendJson(response: ServerResponse, status: number, value: unknown, type = 'application/json'): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': type, 'content-length': body.length });
  response.end(body);
}
