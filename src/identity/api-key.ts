/**
 * The text of an API key: `tg_<environment>_<public id>_<secret><checksum>`. Everything here is about the text alone;
 * whether a key is good is for identify.ts.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ENVIRONMENT, KEY_ID } from '../policy/forms.ts';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** 30 characters of base62 are 178 bits; the promise is 160. */
const SECRET_CHARS = 30;
/** 62^6 > 2^32: six characters hold any CRC-32. */
const CHECKSUM_CHARS = 6;
/** `k` and 11 characters of [a-z2-7], 55 bits: it names, it does not protect. The letter keeps YAML from reading a number. */
const ID_RANDOM_CHARS = 11;
const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const WHOLE_ENVIRONMENT = new RegExp(`^${ENVIRONMENT}$`);
const KEY = new RegExp(`^tg_(${ENVIRONMENT})_(${KEY_ID})_[0-9A-Za-z]{${SECRET_CHARS + CHECKSUM_CHARS}}$`);

/** The public parts of a well-formed key. Neither says anything about the secret. */
export interface ApiKeyParts {
  readonly environment: string;
  /** Public id: names the key in logs, ledger and limits. */
  readonly id: string;
}

/** A new key. `key` is shown once and never stored. */
export interface MintedApiKey extends ApiKeyParts {
  readonly key: string;
}

/**
 * Makes a key from the system's random generator. `environment` must fit [a-z][a-z0-9-]{0,31}; anything else is a
 * TypeError. Writes nothing.
 */
export function mintApiKey(environment: string): MintedApiKey {
  if (!WHOLE_ENVIRONMENT.test(environment)) {
    throw new TypeError(`environment: expected ${ENVIRONMENT}; got \`${environment}\``);
  }
  const id = `k${randomText(ID_RANDOM_CHARS, ID_ALPHABET)}`;
  const body = `tg_${environment}_${id}_${randomText(SECRET_CHARS, BASE62)}`;
  return { key: body + checksum(body), environment, id };
}

/**
 * Reads a key strictly: prefix, character sets, lengths, checksum, nothing before or after. Undefined for anything else;
 * a key that was mistyped is so refused before any look-up. Never throws.
 */
export function parseApiKey(text: string): ApiKeyParts | undefined {
  const match = KEY.exec(text);
  if (match === null) return undefined;
  const body = text.slice(0, -CHECKSUM_CHARS);
  // Not a secret: whoever has the body can compute it, so an ordinary comparison gives nothing away.
  if (text.slice(-CHECKSUM_CHARS) !== checksum(body)) return undefined;
  return { environment: match[1]!, id: match[2]! };
}

/** CRC-32 (ISO 3309, as zlib computes it) of `body` in six characters of base62, as secret scanners expect it of a key. */
function checksum(body: string): string {
  let rest = crc32(body);
  let text = '';
  for (let i = 0; i < CHECKSUM_CHARS; i++) {
    text = BASE62[rest % 62]! + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

/** Uniform over the alphabet: bytes beyond its largest multiple are thrown away. */
function randomText(length: number, alphabet: string): string {
  const fair = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) {
      if (byte < fair && text.length < length) text += alphabet[byte % alphabet.length]!;
    }
  }
  return text;
}
