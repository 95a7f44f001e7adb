/**
 * Reads one body for a dialect: the values it decides by, with their places, and what its input may weigh. Fed by the
 * scanner; keeps no more than a few numbers per level of nesting.
 */
import type { BodyFault } from './dialect.ts';
import { isStray, resolveEscapes } from './escapes.ts';
import { SHOWN_BYTES, scanFault, shown } from './faults.ts';
import { InputMeter, type InputShape } from './input-meter.ts';
import {
  ARRAY_LEVEL,
  folded,
  hasStrayCharacter,
  KEY,
  KEY_COUNT,
  type KeyName,
  keyBetween,
  keyName,
  keySet,
  mayFold,
  OTHER_KEY,
  TWIN_BYTES_MAX,
  TWIN_CHARS_MAX,
} from './keys.ts';
import { ABSENT, ARRAY, DEPTH_MAX, type JsonEvents, JsonScanner, OBJECT, STRING, type ValueKind } from './scanner.ts';
import { skipSpace } from './tokens.ts';

const BRACE_END = 0x7d;
/** Keys deeper than those of `tools[]` can neither duplicate nor refuse anything. */
const KEYS_JUDGED_DEPTH = 3;

/** What a dialect looks for. */
export interface BodyShape extends InputShape {
  /** Members of the root that decide; neither they nor keys that fold to them may stand twice. */
  readonly decision: readonly KeyName[];
  /** Members of the root that are objects of which the named members decide, too. */
  readonly nested: { readonly parent: KeyName; readonly names: readonly KeyName[] } | undefined;
  /** Members that ask for cache writes where they are objects, wherever they stand. */
  readonly caching: readonly KeyName[];
  /** Members of `tools[]` by which a tool asks for another model. */
  readonly toolModel: KeyName | undefined;
}

export class BodyReader implements JsonEvents {
  /** Key of each level on the way to here; ARRAY_LEVEL in arrays. Index 1 is the root's. */
  readonly path: Uint8Array = new Uint8Array(DEPTH_MAX + 2);
  readonly meter: InputMeter;
  readonly #scanner = new JsonScanner();
  readonly #isDecision: Uint8Array;
  readonly #isNested: Uint8Array;
  readonly #isCaching: Uint8Array;
  /** From what names fold to, to the names. */
  readonly #names: ReadonlyMap<string, KeyName>;
  readonly #nestedNames: ReadonlyMap<string, KeyName>;
  readonly #nestedParent: number;
  /** Whether a name that decides has capitals, so that lower-case ASCII may be a twin of it, too. */
  readonly #isCamel: boolean;
  readonly #toolModel: number;
  readonly #isSeen = new Uint8Array(KEY_COUNT);
  readonly #kinds = new Uint8Array(KEY_COUNT);
  readonly #starts = new Uint32Array(KEY_COUNT);
  readonly #ends = new Uint32Array(KEY_COUNT);
  /** Text of the last key that was written in escapes. */
  readonly #unescaped = new Uint8Array(TWIN_CHARS_MAX * 4);
  #body: Uint8Array = EMPTY;
  #caching = false;
  #fault: BodyFault | undefined;

  constructor(shape: BodyShape) {
    this.meter = new InputMeter(this.path, shape);
    this.#isDecision = keySet(shape.decision);
    this.#isNested = keySet(shape.nested?.names ?? []);
    this.#isCaching = keySet(shape.caching);
    this.#names = byFolded(shape.decision);
    this.#nestedNames = byFolded(shape.nested?.names ?? []);
    this.#isCamel = [...shape.decision, ...(shape.nested?.names ?? [])].some((name) => name !== folded(name));
    this.#nestedParent = shape.nested === undefined ? OTHER_KEY : KEY[shape.nested.parent];
    this.#toolModel = shape.toolModel === undefined ? OTHER_KEY : KEY[shape.toolModel];
  }

  /**
   * Reads a body and answers what `factsOf` makes of it, or why it is refused; what the body says stays here only for that
   * long. Linear, never throws.
   */
  read<T>(body: Uint8Array, factsOf: (body: Uint8Array) => T): T | BodyFault {
    const facts = this.#scan(body) ?? factsOf(body);
    // So that the body is not kept alive until the next one.
    this.#body = EMPTY;
    this.meter.reset(EMPTY);
    return facts;
  }

  /** Undefined: the body is well-formed. */
  #scan(body: Uint8Array): BodyFault | undefined {
    this.#body = body;
    this.#isSeen.fill(0);
    this.#kinds.fill(ABSENT);
    this.#caching = false;
    this.#fault = undefined;
    this.meter.reset(body);
    const stop = this.#scanner.scan(body, this);
    if (stop === undefined) return undefined;
    return this.#fault ?? scanFault(body, stop);
  }

  get caching(): boolean {
    return this.#caching;
  }

  /** Kind of a decision value; ABSENT if the body has none. */
  kind(name: KeyName): ValueKind {
    return this.#kinds[KEY[name]] as ValueKind;
  }

  /** First byte of a decision value (of strings: the quote). */
  start(name: KeyName): number {
    return this.#starts[KEY[name]]!;
  }

  /** The byte after a decision value. */
  end(name: KeyName): number {
    return this.#ends[KEY[name]]!;
  }

  /** The number that a decision value of plain digits is, up to eight of them; undefined for any other. */
  digits(name: KeyName): number | undefined {
    const end = this.end(name);
    if (end - this.start(name) > 8) return undefined;
    let number = 0;
    for (let at = this.start(name); at < end; at++) {
      const digit = this.#body[at]! - ZERO;
      if (digit < 0 || digit > 9) return undefined;
      number = number * 10 + digit;
    }
    return number;
  }

  /** A decision value's JSON as it stands, or as much of its beginning as `bytes`. */
  json(name: KeyName, bytes: number = Number.POSITIVE_INFINITY): string {
    const start = this.start(name);
    return utf8(this.#body, start, Math.min(this.end(name), start + bytes));
  }

  /** Whether a decision value that is an object has no members. */
  isEmptyObject(name: KeyName): boolean {
    return this.#body[skipSpace(this.#body, this.start(name) + 1)] === BRACE_END;
  }

  key(depth: number, start: number, end: number, escaped: boolean): boolean {
    return escaped ? this.#escapedKey(depth, start, end) : this.#key(depth, this.#body, start, end);
  }

  /** Unescaped only as far as it can still be one of our names, or pretend to be one: so that long ones cost no more. */
  #escapedKey(depth: number, start: number, end: number): boolean {
    const length = resolveEscapes(this.#body, start, end, this.#unescaped);
    if (length < 0) this.path[depth] = OTHER_KEY;
    else if (!this.#key(depth, this.#unescaped, 0, length)) return false;
    if (!this.#isJudged(depth) || !isStray(this.#body, start, end)) return true;
    return this.#refuseStray(start, end);
  }

  /** A key whose text, without escapes, stands at [start, end) of `bytes`. */
  #key(depth: number, bytes: Uint8Array, start: number, end: number): boolean {
    const id = keyBetween(bytes, start, end);
    this.path[depth] = id;
    if (depth <= KEYS_JUDGED_DEPTH && !this.#mayStand(depth, bytes, start, end)) return false;
    if (id !== OTHER_KEY) this.meter.key(depth, id);
    return true;
  }

  string(depth: number, start: number, end: number, textBytes: number): void {
    if (depth <= 2 && this.#decides(depth)) this.#record(this.path[depth]!, STRING, start - 1, end + 1);
    this.meter.string(depth, start, textBytes);
  }

  scalar(depth: number, kind: ValueKind, start: number, end: number): void {
    if (depth <= 2 && this.#decides(depth)) this.#record(this.path[depth]!, kind, start, end);
  }

  open(depth: number, kind: ValueKind, at: number): void {
    if (depth <= 2 && this.#decides(depth)) this.#record(this.path[depth]!, kind, at, at);
    if (kind === OBJECT && this.#isCaching[this.path[depth]!] === 1) this.#caching = true;
    this.path[depth + 1] = kind === ARRAY ? ARRAY_LEVEL : OTHER_KEY;
    this.meter.open(depth, kind, at);
  }

  close(depth: number, end: number): void {
    if (depth <= 2 && this.#decides(depth)) this.#ends[this.path[depth]!] = end;
    this.meter.close(depth, end);
  }

  #record(id: number, kind: ValueKind, start: number, end: number): void {
    this.#kinds[id] = kind;
    this.#starts[id] = start;
    this.#ends[id] = end;
  }

  /** Whether the value of the current key at `depth` is one we decide by. */
  #decides(depth: number): boolean {
    const id = this.path[depth]!;
    if (id === OTHER_KEY || id === ARRAY_LEVEL) return false;
    if (depth === 1) return this.#isDecision[id] === 1;
    return depth === 2 && this.path[1] === this.#nestedParent && this.#isNested[id] === 1;
  }

  /** Whether a key at `depth` stands beside those that decide. */
  #isJudged(depth: number): boolean {
    return depth === 1 || (depth === 2 && this.#nestedParent !== OTHER_KEY && this.path[1] === this.#nestedParent);
  }

  /** Refuses second spellings of a decision key, and tools that bring a model of their own. */
  #mayStand(depth: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (depth === 3) {
      if (this.#toolModel === OTHER_KEY || this.path[1] !== KEY.tools || this.path[2] !== ARRAY_LEVEL) return true;
      return this.#mayStandInTool(bytes, start, end);
    }
    if (!this.#isJudged(depth)) return true;
    if (this.#decides(depth)) {
      const id = this.path[depth]!;
      if (this.#isSeen[id] === 1) return this.#refuseTwin(keyName(id), utf8(bytes, start, end));
      this.#isSeen[id] = 1;
      return true;
    }
    const isPlain = !mayFold(bytes, start, end);
    if (isPlain && (!this.#isCamel || end - start > TWIN_BYTES_MAX)) return true;
    const key = utf8(bytes, start, end);
    const twin = (depth === 2 ? this.#nestedNames : this.#names).get(isPlain ? key : folded(key));
    if (twin !== undefined) return this.#refuseTwin(twin, key);
    return isPlain || !hasStrayCharacter(key) || this.#refuseStray(start, end);
  }

  #mayStandInTool(bytes: Uint8Array, start: number, end: number): boolean {
    const name = keyName(this.#toolModel);
    const id = this.path[3];
    let isModel = id === this.#toolModel;
    if (!isModel && id === OTHER_KEY && mayFold(bytes, start, end)) {
      isModel = folded(utf8(bytes, start, end)) === name;
    }
    if (!isModel) return true;
    return this.#refuse(
      'body_value_invalid',
      `expected tools that use the request's own model, found \`${name}\` in one of \`tools\``,
    );
  }

  #refuseTwin(name: string, key: string): false {
    const found = key === name ? 'it twice' : `${shown(key)} which some parsers read as the same`;
    return this.#refuse('body_duplicate_key', `expected \`${name}\` once and in this spelling, found ${found}`);
  }

  /** [start, end) is of the body. */
  #refuseStray(start: number, end: number): false {
    const found = shown(utf8(this.#body, start, Math.min(end, start + SHOWN_BYTES)));
    return this.#refuse(
      'body_malformed',
      `expected a key without control characters or lone surrogates, found ${found}`,
    );
  }

  #refuse(reason: BodyFault['reason'], message: string): false {
    this.#fault = { reason, message };
    return false;
  }
}

function byFolded(names: readonly KeyName[]): ReadonlyMap<string, KeyName> {
  return new Map(names.map((name) => [folded(name), name]));
}

const EMPTY = new Uint8Array(0);
const ZERO = 0x30;

function utf8(bytes: Uint8Array, start: number, end: number): string {
  if (Buffer.isBuffer(bytes)) return bytes.toString('utf8', start, end);
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}
