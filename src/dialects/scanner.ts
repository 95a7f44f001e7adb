/**
 * A strict JSON scanner over raw bytes: RFC 8259 to the letter, one pass, no recursion, nothing allocated per value. It
 * builds nothing; it tells its events where things stand. Time is linear in the body.
 */
import { isUtf8 } from 'node:buffer';
import { ESCAPES, HEX, unitAt } from './escapes.ts';
import { PLAIN, plainEnd, scanNumber, skipSpace } from './tokens.ts';

/** Containers inside one another, the root included. */
export const DEPTH_MAX = 64;
/** Object keys of a whole body, at every depth. */
export const KEYS_MAX = 10_000;
/** Values of a whole body: bounds the time of bodies made of empty arrays. The largest honest ones hold 300k tokens. */
export const VALUES_MAX = 400_000;
/** Numbers and literals that are no members, or deeper than this, are not told: nothing is decided by them. */
const WATCHED_DEPTH = 2;

export type ValueKind = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
export const ABSENT = 0;
export const STRING = 1;
export const NUMBER = 2;
export const TRUE = 3;
export const FALSE = 4;
export const NULL = 5;
export const OBJECT = 6;
export const ARRAY = 7;

/** What was due where the scan stopped. */
export type Due =
  | 'bom'
  | 'colon'
  | 'comma_or_brace'
  | 'comma_or_bracket'
  | 'depth'
  | 'digit'
  | 'end'
  | 'escape'
  | 'key'
  | 'keys'
  | 'refused'
  | 'root'
  | 'string_character'
  | 'utf8'
  | 'value'
  | 'values';

/** Where the scan stopped and what was due there; `refused`: the events' own `key` said no. */
export interface ScanStop {
  readonly due: Due;
  readonly at: number;
}

/**
 * Told of each token in order. `depth` is that of the container the token stands in (1 is the root); offsets are bytes
 * of the body, `end` is exclusive. Strings are given without quotes.
 */
export interface JsonEvents {
  /** False stops the scan with `refused`. */
  key(depth: number, start: number, end: number, escaped: boolean): boolean;
  /** `textBytes` is the string's length in UTF-8 once its escapes are resolved. */
  string(depth: number, start: number, end: number, textBytes: number): void;
  scalar(depth: number, kind: ValueKind, start: number, end: number): void;
  /** A container opens at `at`; `depth` is the one it stands in, 0 for the root. */
  open(depth: number, kind: ValueKind, at: number): void;
  close(depth: number, end: number): void;
}

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const NINE = 0x39;
const COLON = 0x3a;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const BRACKET_END = 0x5d;
const BRACE = 0x7b;
const BRACE_END = 0x7d;

/** Scans one body after the other; not reentrant, so one per thread of work. */
export class JsonScanner {
  #body: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** 1 where the container at that depth is an object. */
  readonly #isObject = new Uint8Array(DEPTH_MAX + 1);
  #keys = 0;
  #due: Due = 'value';
  #dueAt = 0;
  /** Bytes by which the escapes of the last string make it longer than its text. */
  #escapeBytes = 0;
  #escaped = false;

  /** Undefined: the body is one JSON object. Else where it stops being one. Never throws. */
  scan(body: Uint8Array, events: JsonEvents): ScanStop | undefined {
    if (body.length >= 3 && body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) return { due: 'bom', at: 0 };
    if (!isUtf8(body)) return { due: 'utf8', at: 0 };
    this.#body = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    this.#keys = 0;
    const start = skipSpace(body, 0);
    const isWhole = body[start] === BRACE ? this.#values(start, events) : this.#stop('root', start);
    this.#body = EMPTY;
    this.#view = EMPTY_VIEW;
    return isWhole ? undefined : { due: this.#due, at: this.#dueAt };
  }

  #stop(due: Due, at: number): false {
    this.#due = due;
    this.#dueAt = at;
    return false;
  }

  /** The loop over values; `at` stands on the root's brace. */
  #values(at: number, events: JsonEvents): boolean {
    const body = this.#body;
    const length = body.length;
    const isObject = this.#isObject;
    let depth = 0;
    let values = 0;
    for (;;) {
      if (at < length && body[at]! <= SPACE) at = skipSpace(body, at);
      if (at >= length) return this.#stop('value', at);
      if (++values > VALUES_MAX) return this.#stop('values', at);
      const byte = body[at]!;
      let isOpened = false;
      if (byte === QUOTE) {
        const end = this.#string(at + 1);
        if (end < 0) return false;
        events.string(depth, at + 1, end, end - at - 1 - this.#escapeBytes);
        at = end + 1;
      } else if (byte === BRACE || byte === BRACKET) {
        if (depth === DEPTH_MAX) return this.#stop('depth', at);
        events.open(depth, byte === BRACE ? OBJECT : ARRAY, at);
        depth++;
        isObject[depth] = byte === BRACE ? 1 : 0;
        at++;
        isOpened = true;
      } else {
        const end = byte <= NINE ? scanNumber(body, at) : literalEnd(body, at);
        if (end < 0) return this.#stop(byte <= NINE ? numberDue(byte, end, at) : 'value', ~end);
        if (depth <= WATCHED_DEPTH && isObject[depth] === 1) events.scalar(depth, scalarKind(byte), at, end);
        at = end;
      }

      // A value has ended, or a container has begun: close what ends here, then go to the next key or element.
      for (;;) {
        if (depth === 0) return this.#trailing(at);
        if (at < length && body[at]! <= SPACE) at = skipSpace(body, at);
        const next = at < length ? body[at]! : 0;
        if (next === COMMA && !isOpened) {
          at++;
          break;
        }
        if (next === (isObject[depth] === 1 ? BRACE_END : BRACKET_END)) {
          depth--;
          at++;
          events.close(depth, at);
          isOpened = false;
          continue;
        }
        if (isOpened) break;
        return this.#stop(isObject[depth] === 1 ? 'comma_or_brace' : 'comma_or_bracket', at);
      }
      if (isObject[depth] === 1) {
        at = this.#key(depth, at, events);
        if (at < 0) return false;
      }
    }
  }

  #trailing(at: number): boolean {
    const end = skipSpace(this.#body, at);
    return end === this.#body.length || this.#stop('end', end);
  }

  /** Reads `"key" :` and returns where its value begins; -1: stopped. */
  #key(depth: number, at: number, events: JsonEvents): number {
    const body = this.#body;
    const start = skipSpace(body, at);
    if (start >= body.length || body[start] !== QUOTE) {
      this.#stop('key', start);
      return -1;
    }
    if (++this.#keys > KEYS_MAX) {
      this.#stop('keys', start);
      return -1;
    }
    const end = this.#string(start + 1);
    if (end < 0) return -1;
    if (!events.key(depth, start + 1, end, this.#escaped)) {
      this.#stop('refused', start);
      return -1;
    }
    const colon = skipSpace(body, end + 1);
    if (colon >= body.length || body[colon] !== COLON) {
      this.#stop('colon', colon);
      return -1;
    }
    return colon + 1;
  }

  /** Where the string that begins at `at` has its closing quote; -1: stopped. */
  #string(at: number): number {
    const body = this.#body;
    const view = this.#view;
    let escapeBytes = 0;
    at = plainEnd(body, view, at);
    this.#escaped = at < body.length && body[at] === BACKSLASH;
    while (at < body.length && body[at] === BACKSLASH) {
      const byte = at + 1 < body.length ? body[at + 1]! : 0;
      if (ESCAPES[byte] === 1) {
        escapeBytes += 1;
        at += 2;
      } else {
        const unit = byte === 0x75 ? unitAt(body, at + 2) : -1;
        if (unit < 0) return this.#badEscape(at + 1);
        // Half of a surrogate pair counts 2 of its 4 bytes.
        escapeBytes += unit < 0x80 ? 5 : unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 4 : 3;
        at += 6;
      }
      if (at < body.length && PLAIN[body[at]!] === 1) at = plainEnd(body, view, at + 1);
    }
    this.#escapeBytes = escapeBytes;
    if (at < body.length && body[at] === QUOTE) return at;
    this.#stop('string_character', at);
    return -1;
  }

  /** Stops at what is wrong with the escape whose backslash stands before `at`. */
  #badEscape(at: number): -1 {
    const body = this.#body;
    if (at < body.length && body[at] === 0x75 && at + 4 < body.length) {
      do at++;
      while (HEX[body[at]!]! >= 0);
    }
    this.#stop('escape', at);
    return -1;
  }
}

const TRUE_BYTES = Buffer.from('true');
const FALSE_BYTES = Buffer.from('false');
const NULL_BYTES = Buffer.from('null');

const EMPTY = new Uint8Array(0);
const EMPTY_VIEW = new DataView(new ArrayBuffer(0));

/** End of `true`, `false` or `null` at `at`; anything else is `~at`, < 0. */
function literalEnd(body: Uint8Array, at: number): number {
  const literal = body[at] === 0x74 ? TRUE_BYTES : body[at] === 0x66 ? FALSE_BYTES : NULL_BYTES;
  if (at + literal.length > body.length) return ~at;
  for (let index = 0; index < literal.length; index++) {
    if (body[at + index] !== literal[index]) return ~at;
  }
  return at + literal.length;
}

/** Kind of the number or literal that begins with `byte`. */
function scalarKind(byte: number): ValueKind {
  if (byte === 0x74) return TRUE;
  if (byte === 0x66) return FALSE;
  return byte === 0x6e ? NULL : NUMBER;
}

/** A byte that begins no number is a missing value; one that begins it and breaks off is a missing digit. */
function numberDue(byte: number, end: number, at: number): Due {
  return byte === 0x2d || ~end > at ? 'digit' : 'value';
}
