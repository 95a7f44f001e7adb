/** Posts to an OpenTelemetry collector: OTLP over HTTP, protobuf. Nothing is retried: what comes next matters more. */
import type { Signal } from './names.ts';

/** Of an answer only counts are read. */
const ANSWER_BYTES_MAX = 64 * 1024;

export interface CollectorOptions {
  /** Without the signals' paths and without a final slash. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Longest one post may take, ms. */
  readonly timeoutMs: number;
}

/** Why a post failed; holds nothing of the answer, and no URL. */
export class ExportFailure extends Error {}

export class Collector {
  readonly #options: CollectorOptions;
  readonly #ending = new AbortController();

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** Answers the body of a 2xx. Throws ExportFailure for anything else, redirects included, and when time is over. */
  async post(signal: Signal, body: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const { url, headers, timeoutMs } = this.#options;
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(`${url}/v1/${signal}`, {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.any([deadline, this.#ending.signal]),
        headers: { ...headers, 'content-type': 'application/x-protobuf' },
        body,
      });
      return await answerOf(response);
    } catch (cause) {
      if (cause instanceof ExportFailure) throw cause;
      throw new ExportFailure(deadline.aborted ? `no answer within ${timeoutMs} ms` : 'no connection', { cause });
    }
  }

  /** Cuts what is under way; every later post fails. */
  abort(): void {
    this.#ending.abort();
  }
}

async function answerOf(response: Response): Promise<Uint8Array> {
  try {
    if (!response.ok) throw new ExportFailure(`expected status 200, found ${response.status}`);
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body ?? []) {
      bytes += part.length;
      if (bytes > ANSWER_BYTES_MAX) throw new ExportFailure(`expected at most ${ANSWER_BYTES_MAX} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  } finally {
    if (response.body?.locked === false) await response.body.cancel().catch(() => {});
  }
}

const HEADER = /^([A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)$/;

/** Reads a headers file: a `name: value` a line, empty lines and `#` comments between. Undefined: not one. */
export function parseHeaders(text: string): Record<string, string> | undefined {
  const headers: Record<string, string> = Object.create(null);
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue;
    const match = HEADER.exec(line);
    if (match === null) return undefined;
    headers[match[1]!.toLowerCase()] = match[2]!;
  }
  return headers;
}
