/**
 * What is stored of an API key: HMAC-SHA-256 under a pepper (peppers.ts), written
 * `hmac-sha256:<version>:<base64url>`. Keys have ≥ 160 random bits, so a fast keyed hash is enough and no password hash is needed.
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Peppers } from './peppers.ts';

const DIGEST = /^hmac-sha256:(v[1-9][0-9]{0,3}):([A-Za-z0-9_-]{43})$/;

/** Compared against where there is nothing to compare with, so that an unknown id costs what a known one does. */
const NO_DIGEST = randomBytes(32);
const NO_PEPPER = createSecretKey(randomBytes(32));

export interface KeyDigest {
  /** Version of the pepper, e.g. `v1`. */
  readonly pepper: string;
  /** 32 bytes. */
  readonly digest: Uint8Array;
}

/** The digest of a whole key under the newest pepper, as it stands in keys/*.yaml. Without a pepper it is a TypeError. */
export function digestText(key: string, { newest, byVersion }: Peppers): string {
  const pepper = newest === undefined ? undefined : byVersion.get(newest);
  if (pepper === undefined) throw new TypeError('there is no pepper to digest a key under');
  return `hmac-sha256:${newest}:${hmac(key, pepper).toString('base64url')}`;
}

/** Reads `hmac-sha256:v1:<base64url of 32 bytes>`; undefined for anything else. */
export function parseDigest(text: string): KeyDigest | undefined {
  const match = DIGEST.exec(text);
  if (match === null) return undefined;
  const digest = Buffer.from(match[2]!, 'base64url');
  // 43 characters hold 258 bits: only one spelling of 32 bytes is the digest, the others would be twins.
  return digest.toString('base64url') === match[2] ? { pepper: match[1]!, digest } : undefined;
}

/**
 * Whether `key` is the one that `stored` was made of, in constant time. Undefined `stored` (an unknown id) and a pepper
 * that is not loaded do the same work and answer false.
 */
export function digestMatches(key: string, stored: KeyDigest | undefined, peppers: Peppers): boolean {
  const version = stored?.pepper ?? peppers.newest;
  const pepper = version === undefined ? undefined : peppers.byVersion.get(version);
  const expected = stored?.digest.length === 32 ? stored.digest : NO_DIGEST;
  const equal = timingSafeEqual(hmac(key, pepper ?? NO_PEPPER), expected);
  return equal && pepper !== undefined && stored !== undefined;
}

function hmac(key: string, pepper: KeyObject): Buffer {
  return createHmac('sha256', pepper).update(key, 'latin1').digest();
}
