/** The admin port on the wire: one Node server with tight bounds, a gate before anything reads a request. */
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { gateFor, HEADERS_MAX } from './gate.ts';
import { type AdminEnv, PLAIN_HEADERS } from './guard.ts';
import { type AdminProblem, PROBLEM_TYPE, problem, problemText } from './problem.ts';

export interface ServerBounds {
  /** From the connection, or the last answer, to the end of the headers. Default 5000. */
  readonly headersMs: number;
  /** To the end of the body. Default 10000. */
  readonly requestMs: number;
  /** How often both are looked at. Default 1000. */
  readonly checkMs: number;
  /** An idle connection is closed after it. Default 5000. */
  readonly idleMs: number;
  /** Connections at once; one more ends the oldest, so that nobody who holds many keeps a probe out. Default 100. */
  readonly connectionsMax: number;
  /** Of all headers together. Default 16384. */
  readonly headerBytesMax: number;
}

export const BOUNDS: ServerBounds = Object.freeze({
  headersMs: 5_000,
  requestMs: 10_000,
  checkMs: 1_000,
  idleMs: 5_000,
  connectionsMax: 100,
  headerBytesMax: 16 * 1024,
});

export interface AdminServerOptions {
  readonly app: Hono<AdminEnv>;
  /** Hosts that it may be called by, besides loopback's. */
  readonly hosts: readonly string[];
  readonly bounds?: Partial<ServerBounds>;
}

/** A server that does not listen yet. */
export function adminServer({ app, hosts, bounds }: AdminServerOptions): Server {
  const { headersMs, requestMs, checkMs, idleMs, connectionsMax, headerBytesMax } = { ...BOUNDS, ...bounds };
  const options: ServerOptions = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: checkMs,
    keepAliveTimeout: idleMs,
    maxHeaderSize: headerBytesMax,
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
  };
  const gate = gateFor(hosts);
  const handle = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const listener = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const found = gate({
      target: incoming.url ?? '',
      rawHeaders: incoming.rawHeaders,
      localAddress: incoming.socket.localAddress,
    });
    if (found !== undefined) refuse(outgoing, found);
    else void handle(incoming, outgoing);
  };
  const server = createServer(options, listener);
  // One more, so that the gate sees that there were too many.
  server.maxHeadersCount = HEADERS_MAX + 1;
  boundConnections(server, connectionsMax);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else socket.end(bareAnswer(ofClientError(error.code)));
  });
  // Nobody is to be told that an upgrade or a tunnel failed in some way of its own.
  for (const event of ['upgrade', 'connect'] as const) {
    server.on(event, (_request: IncomingMessage, socket) => socket.end(bareAnswer(malformed)));
  }
  return server;
}

function boundConnections(server: Server, most: number): void {
  const open = new Set<Duplex>();
  server.on('connection', (socket: Duplex) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    if (open.size <= most) return;
    const [oldest] = open;
    oldest?.destroy();
  });
}

const malformed = problem('request_malformed', 'expected a well-formed HTTP request');

function refuse(outgoing: ServerResponse, found: AdminProblem): void {
  outgoing.writeHead(found.status, { ...headersOf(found), connection: 'close' });
  outgoing.end(problemText(found));
}

function headersOf(found: AdminProblem): Record<string, string> {
  return { ...PLAIN_HEADERS, ...found.headers, 'content-type': PROBLEM_TYPE };
}

function ofClientError(code: string | undefined): AdminProblem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { ...malformed, status: 408, detail: 'the request came too slowly' };
  if (code === 'HPE_HEADER_OVERFLOW') return { ...malformed, status: 431, detail: 'expected fewer or shorter headers' };
  return malformed;
}

/** An answer for a connection that has no response to write it by; the connection ends with it. */
function bareAnswer(found: AdminProblem): string {
  const body = problemText(found);
  const headers = { ...headersOf(found), connection: 'close', 'content-length': String(Buffer.byteLength(body)) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${found.status} ${found.status === 400 ? 'Bad Request' : 'Refused'}\r\n${lines.join('')}\r\n${body}`;
}
