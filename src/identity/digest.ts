/**
 * What is stored of an API key: HMAC-SHA-256 under a pepper that lies in a file of its own, written
 * `hmac-sha256:<version>:<base64url>`. Keys have ≥ 160 random bits, so a fast keyed hash is enough and no password hash is needed.
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { TollgateError } from '../core/errors.ts';

const PEPPER_BYTES = 32;
const PEPPER_FILE_BYTES_MAX = 16 * 1024;
const HEX_LINE = /^(?:(v[1-9][0-9]{0,3}):)?([0-9a-fA-F]{64})$/;
const DIGEST = /^hmac-sha256:(v[1-9][0-9]{0,3}):([A-Za-z0-9_-]{43})$/;

/** Compared against where there is nothing to compare with, so that an unknown id costs what a known one does. */
const NO_DIGEST = randomBytes(32);
const NO_PEPPER = createSecretKey(randomBytes(PEPPER_BYTES));

/** Peppers by version. `newest` is the one that new keys are digested under. */
export interface Peppers {
  readonly newest: string;
  readonly byVersion: ReadonlyMap<string, KeyObject>;
}

export interface KeyDigest {
  /** Version of the pepper, e.g. `v1`. */
  readonly pepper: string;
  /** 32 bytes. */
  readonly digest: Uint8Array;
}

/** The text of a new pepper file: 32 random bytes in hex, version `v1`. */
export function newPepperText(): string {
  return `${randomBytes(PEPPER_BYTES).toString('hex')}\n`;
}

/**
 * Reads the text of a pepper file: one line of 64 hex digits (version `v1`), or one line `vN:<64 hex digits>` per version,
 * the newest last; old versions stay for the keys made under them. Undefined for anything else.
 */
export function parsePeppers(text: string): Peppers | undefined {
  const byVersion = new Map<string, KeyObject>();
  let newest: string | undefined;
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const match = HEX_LINE.exec(line);
    if (match === null) return undefined;
    const version = match[1] ?? 'v1';
    if (byVersion.has(version)) return undefined;
    byVersion.set(version, createSecretKey(Buffer.from(match[2]!, 'hex')));
    newest = version;
  }
  return newest === undefined ? undefined : { newest, byVersion };
}

/** Reads a pepper file. Throws `secret_unreadable`, which names the file and never its content. Blocks: for start and reload. */
export function readPeppers(file: string): Peppers {
  let text: string;
  try {
    const bytes = readFileSync(file);
    text = bytes.length > PEPPER_FILE_BYTES_MAX ? '' : bytes.toString('latin1');
  } catch (cause) {
    throw new TollgateError(
      'secret_unreadable',
      `pepper file \`${file}\` cannot be read; \`tollgate keys pepper ${file}\` makes one`,
      { cause },
    );
  }
  const peppers = parsePeppers(text);
  if (peppers === undefined) {
    throw new TollgateError(
      'secret_unreadable',
      `pepper file \`${file}\`: expected one line of 64 hex digits, or one line \`vN:<64 hex digits>\` per version`,
    );
  }
  return peppers;
}

/** The digest of a whole key under the newest pepper, as it stands in keys/*.yaml. */
export function digestText(key: string, peppers: Peppers): string {
  const pepper = peppers.byVersion.get(peppers.newest);
  if (pepper === undefined) throw new TypeError(`pepper \`${peppers.newest}\` is not among its versions`);
  return `hmac-sha256:${peppers.newest}:${hmac(key, pepper).toString('base64url')}`;
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
  const pepper = peppers.byVersion.get(stored?.pepper ?? peppers.newest);
  const expected = stored?.digest.length === 32 ? stored.digest : NO_DIGEST;
  const equal = timingSafeEqual(hmac(key, pepper ?? NO_PEPPER), expected);
  return equal && pepper !== undefined && stored !== undefined;
}

function hmac(key: string, pepper: KeyObject): Buffer {
  return createHmac('sha256', pepper).update(key, 'latin1').digest();
}
