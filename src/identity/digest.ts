/**
 * What is stored of an API key: its HMAC-SHA-256 under a pepper (peppers.ts). Keys have ≥ 160 random bits, so a fast keyed
 * hash is enough and no password hash is needed.
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { formatDigest, type KeyDigest } from '../policy/digest.ts';
import type { Peppers } from './peppers.ts';

/** Compared against where there is nothing to compare with, so that an unknown id costs what a known one does. */
const NO_DIGEST = randomBytes(32);
const NO_PEPPER = createSecretKey(randomBytes(32));

/** The digest of a whole key under the newest pepper, as it stands in keys/*.yaml. Without a pepper it is a TypeError. */
export function digestText(key: string, { newest, byVersion }: Peppers): string {
  const pepper = newest === undefined ? undefined : byVersion.get(newest);
  if (newest === undefined || pepper === undefined) throw new TypeError('there is no pepper to digest a key under');
  return formatDigest({ pepper: newest, digest: hmac(key, pepper) });
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
