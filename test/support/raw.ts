import { once } from 'node:events';
import { connect } from 'node:net';

/** One answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  /** By lower-case name, every occurrence. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly text: string;
}

const WITHIN_MS = 10_000;

/**
 * Writes bytes to a connection of their own: what no HTTP client would send. Reads until `count` answers (default 1) are
 * there, or the other side closes it; answers of the 1xx kind do not count. Rejects after 10 s without a byte.
 */
export async function sendRaw(
  url: string,
  bytes: Buffer,
  { count = 1 }: { readonly count?: number } = {},
): Promise<RawAnswer[]> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setTimeout(WITHIN_MS, () => socket.destroy(new Error(`not a byte for ${WITHIN_MS} ms`)));
  await once(socket, 'connect');
  socket.write(bytes);
  const hasBody = !bytes.subarray(0, 5).equals(Buffer.from('HEAD '));
  let came = Buffer.alloc(0);
  let answers: RawAnswer[] = [];
  try {
    for await (const part of socket as AsyncIterable<Buffer>) {
      came = Buffer.concat([came, part]);
      answers = answersOf(came, hasBody);
      if (answers.length >= count) break;
    }
  } catch (error) {
    // What is refused early is closed while we still write.
    if (!isReset(error)) throw error;
  } finally {
    socket.destroy();
  }
  return answers;
}

function isReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

/** Those that are complete. */
function answersOf(bytes: Buffer, hasBody: boolean): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end < 0) return answers;
    const [first, ...lines] = bytes.subarray(at, end).toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first!)?.[1]);
    const headers = headersOf(lines);
    const body = status < 200 || !hasBody ? { text: '', end: end + 4 } : bodyOf(bytes, end + 4, headers);
    if (body === undefined) return answers;
    if (status >= 200) answers.push({ status, headers, text: body.text });
    at = body.end;
  }
}

function headersOf(lines: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return headers;
}

/** Undefined: it is not complete. */
function bodyOf(bytes: Buffer, at: number, headers: RawAnswer['headers']): { text: string; end: number } | undefined {
  if (headers.get('transfer-encoding')?.[0] !== 'chunked') {
    const end = at + Number(headers.get('content-length')?.[0] ?? 0);
    return end > bytes.length ? undefined : { text: bytes.subarray(at, end).toString(), end };
  }
  const parts: Buffer[] = [];
  for (;;) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16);
    at = line + 2 + size + 2;
    if (at > bytes.length) return undefined;
    if (size === 0) return { text: Buffer.concat(parts).toString(), end: at };
    parts.push(bytes.subarray(line + 2, line + 2 + size));
  }
}
