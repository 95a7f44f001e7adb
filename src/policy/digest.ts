/** What is kept of an API key, as keys/*.yaml writes it: `hmac-sha256:v1:<base64url>`. */

export const DIGEST = /^hmac-sha256:(v[1-9][0-9]{0,3}):([A-Za-z0-9_-]{43})$/;

export interface KeyDigest {
  /** Version of the pepper that the key was digested under, e.g. `v1`. */
  readonly pepper: string;
  /** HMAC-SHA-256 of the whole key under it, 32 bytes. */
  readonly digest: Uint8Array;
}

/** Reads a digest; undefined for anything else. */
export function parseDigest(text: string): KeyDigest | undefined {
  const match = DIGEST.exec(text);
  if (match === null) return undefined;
  const digest = Buffer.from(match[2]!, 'base64url');
  // 43 characters hold 258 bits: only one spelling of 32 bytes is the digest, the others would be twins.
  return digest.toString('base64url') === match[2] ? { pepper: match[1]!, digest } : undefined;
}

/** As `parseDigest` reads it. */
export function formatDigest({ pepper, digest }: KeyDigest): string {
  return `hmac-sha256:${pepper}:${Buffer.from(digest).toString('base64url')}`;
}
