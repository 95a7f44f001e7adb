import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';

export interface Sent {
  /** Gateway, `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Default POST with a body, else GET. */
  readonly method?: string;
  /** Goes onto the wire as it is, without normalisation. */
  readonly path: string;
  /** A list value is sent as several headers of one name. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** An object is sent as JSON. A content-type of application/json is added unless given. */
  readonly body?: Buffer | string | object;
  /** Sends the body chunked, without a content-length. */
  readonly chunked?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly text: string;
}

const WITHIN_MS = 20_000;
const agent = new Agent({ keepAlive: false });

/** One HTTP/1.1 request on a connection of its own, with its whole answer. */
export async function send(sent: Sent): Promise<Answer> {
  const { response } = await begin(sent);
  const parts: Buffer[] = [];
  for await (const part of response as AsyncIterable<Buffer>) parts.push(part);
  const body = Buffer.concat(parts);
  return { status: response.statusCode ?? 0, headers: response.headers, body, text: body.toString() };
}

/** The same, up to the head of the answer: to read a stream in pieces, or to leave it. `call.destroy()` goes away. */
export async function begin(sent: Sent): Promise<{ readonly call: ClientRequest; readonly response: IncomingMessage }> {
  const { hostname, port } = new URL(sent.url);
  const body = bytesOf(sent.body);
  const headers: Record<string, string | string[]> = body === undefined ? {} : { 'content-type': 'application/json' };
  if (body !== undefined && sent.chunked !== true) headers['content-length'] = String(body.length);
  for (const [name, value] of Object.entries(sent.headers ?? {})) {
    headers[name] = typeof value === 'string' ? value : [...value];
  }
  const method = sent.method ?? (body === undefined ? 'GET' : 'POST');
  const call = request({
    hostname,
    port,
    method,
    path: sent.path,
    headers,
    agent,
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  call.end(body);
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  return { call, response };
}

function bytesOf(body: Sent['body']): Buffer | undefined {
  if (body === undefined || Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
