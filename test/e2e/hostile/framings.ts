import { ASK, asking, CLAUDE, DOWNGRADED, FORGED_ID, POST_CHAT, type Row } from './row.ts';

const MIB = 1024 * 1024;
export const FRAMINGS: readonly Row[] = [
  { name: 'chunked', framing: ['Transfer-Encoding: chunked'], body: chunked(ASK), status: 200 },
  { name: 'Chunked', framing: ['Transfer-Encoding: CHUNKED'], body: chunked(DOWNGRADED), status: 200 },
  {
    name: 'trailers that look like headers',
    framing: ['Transfer-Encoding: chunked', 'Trailer: Authorization'],
    body: chunked(DOWNGRADED, `0\r\nx-tollgate-decision: ${FORGED_ID}\r\nAuthorization: Bearer x\r\n\r\n`),
    status: 200,
  },
  {
    name: 'chunked and a length',
    framing: ['Transfer-Encoding: chunked', `Content-Length: ${chunked(ASK).length}`],
    body: chunked(ASK),
    status: 400,
  },
  ...['chunked, identity', 'gzip, chunked', 'xchunked', 'identity'].map((coding) => ({
    name: `coded as ${coding}`,
    framing: [`Transfer-Encoding: ${coding}`],
    body: chunked(ASK),
    status: 501,
  })),
  {
    name: 'chunked twice',
    framing: ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    body: chunked(ASK),
    status: 501,
  },
  {
    name: 'a space behind Transfer-Encoding',
    framing: ['Transfer-Encoding : chunked'],
    body: chunked(ASK),
    status: 400,
  },
  ...['-33', '0x33', '10000000000000033'].map((size) => ({
    name: `a chunk of ${size} bytes`,
    framing: ['Transfer-Encoding: chunked'],
    body: `${size}\r\n${ASK}\r\n0\r\n\r\n`,
    status: 400,
  })),
  {
    name: 'what stands behind a chunk is not read by anybody',
    framing: ['Transfer-Encoding: chunked'],
    body: chunked(ASK).replace(`${ASK}\r\n`, `${ASK},"model":"gpt-5"\r\n`),
    status: 200,
  },
  {
    name: 'a chunk that is shorter than its text',
    framing: ['Transfer-Encoding: chunked'],
    body: chunked(ASK).replace(/^33/, '3 3'),
    status: 400,
    code: 'body_malformed',
  },
  {
    name: 'bare line feeds between chunks',
    framing: ['Transfer-Encoding: chunked'],
    body: chunked(ASK).replaceAll('\r\n', '\n'),
    status: 400,
  },
  {
    name: 'two lengths',
    framing: [`Content-Length: ${ASK.length}`, 'Content-Length: 5'],
    status: 400,
  },
  ...[`+${ASK.length}`, `${ASK.length}, ${ASK.length}`, '0x33', '-1', '18446744073709551616'].map((length) => ({
    name: `a length of ${length}`,
    framing: [`Content-Length: ${length}`],
    status: 400,
  })),
  { name: 'no length', framing: [], body: '', status: 400, code: 'body_malformed' },
  {
    name: 'two requests in one write, each decided',
    bytes: `${whole(ASK)}${whole(ASK, ['Connection: close'])}`,
    requests: 2,
    status: 200,
  },
  {
    name: 'a request hidden in the body of another',
    body: asking(`"max_tokens":5,"user":${JSON.stringify(whole(CLAUDE).slice(0, 60))}`),
    status: 200,
  },
  { name: 'empty lines before it', bytes: `\r\n\r\n${whole(ASK, ['Connection: close'])}`, status: 200 },
  { name: 'more than 4 MiB', body: asking(`"user":"${'x'.repeat(4 * MIB)}"`), status: 413 },
  {
    name: 'more than 4 MiB in chunks',
    framing: ['Transfer-Encoding: chunked'],
    body: chunked(asking(`"user":"${'x'.repeat(4 * MIB)}"`)),
    status: 413,
  },
];

/** A whole request for the chat route. */
function whole(body: string, headers: readonly string[] = []): string {
  const lines = ['Host: gateway.example', 'Authorization: Bearer <open>', 'Content-Type: application/json', ...headers];
  return `${POST_CHAT}\r\n${lines.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** The body as one chunk. */
function chunked(body: string, end = '0\r\n\r\n'): string {
  return `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n${end}`;
}
