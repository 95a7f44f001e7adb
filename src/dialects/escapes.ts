/** The escapes of JSON strings (RFC 8259 section 7), over raw bytes. */

/** Bytes that may follow a backslash, `u` aside, to the byte that they stand for; 0: may not. */
const SHORT = new Uint8Array(256);
for (const [letter, byte] of [
  ['"', 0x22],
  ['\\', 0x5c],
  ['/', 0x2f],
  ['b', 0x08],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
] as const) {
  SHORT[letter.charCodeAt(0)] = byte;
}

/** 1 for a byte that may follow a backslash, `u` aside. */
export const ESCAPES: Uint8Array = SHORT.map((byte) => (byte === 0 ? 0 : 1));

/** Value of a hex digit, -1 for any other byte. */
export const HEX: Int8Array = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** The UTF-16 unit that four hex digits at `at` are; -1 if they are not there. */
export function unitAt(body: Uint8Array, at: number): number {
  if (at + 4 > body.length) return -1;
  const high = (HEX[body[at]!]! << 4) | HEX[body[at + 1]!]!;
  const low = (HEX[body[at + 2]!]! << 4) | HEX[body[at + 3]!]!;
  return (high | low) < 0 ? -1 : (high << 8) | low;
}

/**
 * Writes the text of a string that is known to be well-formed, as UTF-8, into `text`. Answers its length in bytes, or -1
 * where it has more characters than a fourth of `text` has bytes. Half of a surrogate pair becomes U+FFFD.
 */
export function resolveEscapes(body: Uint8Array, start: number, end: number, text: Uint8Array): number {
  let length = 0;
  let left = text.length >> 2;
  let at = start;
  while (at < end) {
    const byte = body[at]!;
    // The bytes of a character beyond its first begin with the bits 10.
    if ((byte & 0xc0) !== 0x80 && --left < 0) return -1;
    if (byte !== BACKSLASH) {
      text[length++] = byte;
      at++;
    } else if (body[at + 1] !== LETTER_U) {
      text[length++] = SHORT[body[at + 1]!]!;
      at += 2;
    } else {
      const code = codeAt(body, at, end);
      length = put(text, length, code < 0 ? REPLACEMENT : code);
      at += code > 0xffff ? 12 : 6;
    }
  }
  return length;
}

/**
 * Whether a well-formed string holds a control character or half of a surrogate pair: parsers that cut keys there would
 * read another name.
 */
export function isStray(body: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const byte = body[at]!;
    if (byte === DELETE) return true;
    if (byte !== BACKSLASH) {
      at++;
    } else if (body[at + 1] !== LETTER_U) {
      if (SHORT[body[at + 1]!]! < SPACE) return true;
      at += 2;
    } else if (body[at + 2] !== ZERO && (body[at + 2]! | 0x20) !== LETTER_D) {
      at += 6;
    } else {
      const code = codeAt(body, at, end);
      if (code < SPACE || code === DELETE) return true;
      at += code > 0xffff ? 12 : 6;
    }
  }
  return false;
}

const SPACE = 0x20;
const ZERO = 0x30;
const BACKSLASH = 0x5c;
const LETTER_D = 0x64;
const LETTER_U = 0x75;
const DELETE = 0x7f;
const REPLACEMENT = 0xfffd;

/** The character that `\uXXXX`, or a pair of them, at `at` stands for; -1 for half of a pair. */
function codeAt(body: Uint8Array, at: number, end: number): number {
  const high = unitAt(body, at + 2);
  if (high < 0xd800 || high > 0xdfff) return high;
  if (high > 0xdbff || at + 12 > end || body[at + 6] !== BACKSLASH || body[at + 7] !== LETTER_U) return -1;
  const low = unitAt(body, at + 8);
  return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/** Writes a character as UTF-8 (RFC 3629 section 3) and answers where the next one stands. */
function put(text: Uint8Array, at: number, code: number): number {
  if (code < 0x80) {
    text[at] = code;
    return at + 1;
  }
  const more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  text[at] = LEADS[more]! | (code >> (6 * more));
  for (let left = more - 1; left >= 0; left--) text[at + more - left] = 0x80 | ((code >> (6 * left)) & 0x3f);
  return at + more + 1;
}

const LEADS = [0, 0xc0, 0xe0, 0xf0];
