import { once } from 'node:events';
import { connect as connectHttp2, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';

export interface Http2Sent {
  readonly headers: OutgoingHttpHeaders;
  /** Each piece is a DATA frame of its own. */
  readonly body?: readonly Buffer[];
  readonly trailers?: OutgoingHttpHeaders;
}

export interface Http2Answer {
  /** 0: the stream was reset without an answer. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const WITHIN_MS = 10_000;

/** One request over HTTP/2 without TLS, by prior knowledge, on a connection of its own. */
export async function sendHttp2(url: string, { headers, body = [], trailers }: Http2Sent): Promise<Http2Answer> {
  const session = connectHttp2(url);
  session.on('error', () => {});
  try {
    const stream = session.request(headers, {
      waitForTrailers: trailers !== undefined,
      signal: AbortSignal.timeout(WITHIN_MS),
    });
    let answered: IncomingHttpHeaders = {};
    let text = '';
    stream.on('response', (head) => {
      answered = head;
    });
    stream.on('data', (part: Buffer) => {
      text += part.toString();
    });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}));
    const closed = new Promise<void>((resolve) => {
      stream.on('error', () => {});
      stream.on('close', resolve);
    });
    for (const piece of body) stream.write(piece);
    stream.end();
    await closed;
    return { status: Number(answered[':status'] ?? 0), headers: answered, text };
  } finally {
    session.destroy();
  }
}

const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, goaway: 7 } as const;
const END_STREAM = 1;
const END_HEADERS = 4;

/**
 * One HTTP/2 request of any header fields, in their order, well-formed or not; a client would refuse to send most of them.
 * `refused`: the stream was reset, or the connection closed, without an answer.
 */
export async function sendFields(
  url: string,
  { fields, body }: { readonly fields: readonly (readonly [name: string, value: string])[]; readonly body: Buffer },
): Promise<'answered' | 'refused'> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setTimeout(WITHIN_MS, () => socket.destroy(new Error(`not a byte for ${WITHIN_MS} ms`)));
  await once(socket, 'connect');
  const head = Buffer.concat(fields.map(([name, value]) => literal(name, value)));
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(FRAME.settings, { flags: 0, stream: 0, payload: Buffer.alloc(0) }));
  socket.write(frame(FRAME.headers, { flags: END_HEADERS, stream: 1, payload: head }));
  socket.write(frame(FRAME.data, { flags: END_STREAM, stream: 1, payload: body }));
  let bytes = Buffer.alloc(0);
  try {
    for await (const part of socket as AsyncIterable<Buffer>) {
      bytes = Buffer.concat([bytes, part]);
      while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
        if (bytes[3] === FRAME.headers) return 'answered';
        if (bytes[3] === FRAME.reset || bytes[3] === FRAME.goaway) return 'refused';
        bytes = bytes.subarray(9 + bytes.readUIntBE(0, 3));
      }
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ECONNRESET')) throw error;
  } finally {
    socket.destroy();
  }
  return 'refused';
}

/** A literal field without indexing, new name, no Huffman (RFC 7541 section 6.2.2). */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const rest = bytes.length - 127;
  if (rest >= 128 * 128) throw new RangeError('a field of a test is short');
  const length = rest < 128 ? [127, rest] : [127, (rest & 127) | 128, rest >> 7];
  return Buffer.concat([Buffer.from(length), bytes]);
}

function frame(type: number, { flags, stream, payload }: { flags: number; stream: number; payload: Buffer }): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
