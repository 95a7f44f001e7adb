/** The bytes of a key set, from a file or a URL, bounded in size and time. */
import { open } from 'node:fs/promises';
import { systemCodeOf } from '../core/errors.ts';
import type { KeySetPlace } from '../policy/issuer.ts';

/** A hundred RSA keys of 4096 bits with certificates fit. */
export const KEY_SET_BYTES_MAX = 256 * 1024;
/** From the name look-up to the last byte. */
const FETCH_MS_MAX = 2_000;

/** `application/json`, and what ends in `+json` such as RFC 7517's `application/jwk-set+json`. */
const JSON_TYPE = /^application\/(?:json|[a-z0-9.-]+\+json)[ \t]*(?:;|$)/i;

/** Why there are no bytes. `message` holds no answer of the server, and no URL. */
export class KeyFetchFailure extends Error {}

/**
 * Fetches a key set: at most 256 KiB, 2 s, status 200, JSON, no redirect. Throws `KeyFetchFailure`. No credential is sent;
 * nothing is retried.
 */
export async function fetchKeySet(place: KeySetPlace): Promise<Uint8Array> {
  try {
    return place.kind === 'url' ? await fromUrl(place.url) : await fromFile(place.path);
  } catch (cause) {
    if (cause instanceof KeyFetchFailure) throw cause;
    throw new KeyFetchFailure(whyOf(cause), { cause });
  }
}

async function fromUrl(url: string): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(FETCH_MS_MAX);
  const response = await fetch(url, { redirect: 'manual', signal, headers: { accept: 'application/json' } });
  try {
    const type = response.headers.get('content-type') ?? '';
    if (response.status !== 200) throw new KeyFetchFailure(`expected status 200, found ${response.status}`);
    if (!JSON_TYPE.test(type)) throw new KeyFetchFailure('expected JSON, found another content-type');
    // Counted after decompression, so that a small answer cannot grow either.
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body ?? []) {
      bytes += part.length;
      if (bytes > KEY_SET_BYTES_MAX) throw new KeyFetchFailure(`expected at most ${KEY_SET_BYTES_MAX} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  } finally {
    if (response.body?.locked === false) await response.body.cancel().catch(() => {});
  }
}

async function fromFile(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const found = await file.stat();
    // A pipe would keep the reader waiting.
    if (!found.isFile()) throw new KeyFetchFailure('expected a file, found something else');
    if (found.size > KEY_SET_BYTES_MAX) throw new KeyFetchFailure(`expected at most ${KEY_SET_BYTES_MAX} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function whyOf(cause: unknown): string {
  if (cause instanceof Error && cause.name === 'TimeoutError') return `no answer within ${FETCH_MS_MAX} ms`;
  const code = systemCodeOf(cause) ?? systemCodeOf(cause instanceof Error ? cause.cause : undefined);
  return `cannot be read (${code ?? 'connection failed'})`;
}
