import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sendAnswer, sendJson } from './answering.ts';
import type { StubBehaviour } from './behaviour.ts';
import { control } from './control.ts';
import { GEMINI_COUNT } from './gemini.ts';
import { STUB_KEYS } from './keys.ts';
import { OPENAI_MODELS, openai } from './openai.ts';
import { calledBy } from './paths.ts';
import type { StubRequest } from './provider.ts';
import { Steering } from './steering.ts';

/** A stub of every provider, JSON and streams, on one plain HTTP/1.1 port of 127.0.0.1. Takes the keys of envoy/secrets only. */
export type Stub = Steering & {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
};

const BODY_MAX_BYTES = 64 * 1024 * 1024;

/** Starts it. `port` 0 (default): any free one. */
export async function startStub({ port: wanted = 0 }: { readonly port?: number } = {}): Promise<Stub> {
  const steering = new Steering();
  const server = createServer((request, response) => {
    answer(steering, request, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  });
  // Longer than the idle timeout of Envoy's pool, so that Envoy never meets a connection closing under it.
  server.keepAliveTimeout = 120_000;
  server.requestTimeout = 0;
  server.listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    steering.release();
    server.close();
    server.closeAllConnections();
    if (server.listening) await once(server, 'close');
  };
  return Object.assign(steering, { port, url: `http://127.0.0.1:${port}`, stop });
}

async function answer(steering: Steering, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request);
  if (request.url?.startsWith('/stub/')) return control(steering, { request, response, body });
  const record = steering.add(request, body);
  response.on('close', () => {
    record.status = response.headersSent ? response.statusCode : 0;
    record.state = response.writableFinished ? 'answered' : 'cut';
  });
  const called = calledBy(request);
  if (called === undefined) return sendJson(response, 404, openai.error(404, 'no such path'));
  const { provider, verb, inPath } = called;
  const fail = (status: number, message: string): void => sendJson(response, status, provider.error(status, message));
  if (provider.keyOf(request.headers) !== STUB_KEYS[provider.name]) return fail(401, 'incorrect API key provided');
  if (request.method === 'GET') return sendJson(response, 200, OPENAI_MODELS);
  if (verb === 'countTokens') return sendJson(response, 200, GEMINI_COUNT);
  const asked = parsed(body, inPath);
  if (asked === undefined) return fail(400, 'body is not a JSON object');
  const fault = modelFault(asked) ?? provider.fault(asked);
  if (fault !== undefined) return fail(400, fault);
  const own = behaviourHeader(request);
  const behaviour = { ...steering.behaviour, ...own };
  const failing = steering.isFailing(record, own);
  const held = (): Promise<void> => steering.hold(response);
  if (behaviour.hold) await held();
  if (response.destroyed) return;
  if (failing) return fail(behaviour.failStatus, 'stub failure');
  await sendAnswer({ provider, asked, record, response, behaviour, held });
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

/** What a request orders for itself. */
function behaviourHeader(request: IncomingMessage): Partial<StubBehaviour> {
  const text = request.headers['stub-behaviour'];
  return typeof text === 'string' ? (JSON.parse(text) as Partial<StubBehaviour>) : {};
}
