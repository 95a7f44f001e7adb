/**
 * Weighs the input of a body in tokens, before any provider has seen it: ceil(text bytes / 3.3) + 8 per message + a
 * constant per medium (reference/domain.md 2.4). Text is every string with its escapes resolved, and the whole JSON of
 * tools and schemas; base64 media are not text, but only where a provider reads them as media: a data URI in prose is
 * prose.
 */
import { ARRAY_LEVEL, KEY, type KeyName, keySet, OTHER_KEY } from './keys.ts';
import { ARRAY, DEPTH_MAX, OBJECT, type ValueKind } from './scanner.ts';
import { skipSpace } from './tokens.ts';

/** UTF-8 bytes per token, times ten: observed 3.4 (code) to 4.4 (English, JSON); below both, so that it rounds up. */
const TEXT_BYTES_PER_TEN_TOKENS = 33;
const TOKENS_PER_MESSAGE = 8;
/** An image at full detail: Anthropic's width × height / 750 at its largest size; OpenAI's tiles stay below. */
const TOKENS_PER_MEDIUM = 1600;
/** Base64 bytes of a document per token: a page of text with its picture, about 2000 tokens in 64 KB. */
const DOCUMENT_BYTES_PER_TOKEN = 32;
/** Base64 bytes of audio per token: 10 tokens and, at 64 kbit/s, about 10 KB per second. */
const AUDIO_BYTES_PER_TOKEN = 1000;

const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** What the meter needs to know of a dialect. */
export interface InputShape {
  /** Members of the root whose whole JSON is input (tools, schemas). */
  readonly wholes: readonly KeyName[];
  /** Members of a content part whose whole JSON is input (calls of tools). */
  readonly partWholes: readonly KeyName[];
  /** Members of a content part that hold media. */
  readonly media: readonly KeyName[];
  /** The member of the root that lists messages, and the members of a message that list content parts. */
  readonly messages: KeyName | undefined;
  readonly contents: readonly KeyName[];
  /** The member of the root that is a text, the tokens of one, or a list of either: each a prompt of its own. */
  readonly prompts: KeyName | undefined;
}

export class InputMeter {
  readonly #path: Uint8Array;
  readonly #isWhole: Uint8Array;
  readonly #isPartWhole: Uint8Array;
  readonly #isMedia: Uint8Array;
  readonly #messagesId: number;
  readonly #isContents: Uint8Array;
  readonly #promptsId: number;
  #body: Uint8Array = new Uint8Array(0);
  #textBytes = 0;
  #messages = 0;
  #media = 0;
  #documentBytes = 0;
  #audioBytes = 0;
  #promptTokens = 0;
  #prompts = 0;
  /** Where the list of prompts, or the one of tokens inside it, begins; by depth, 1 and 2. */
  readonly #listStart = [0, 0, 0];
  /** Depth and start of the value that is being counted as a whole; 0: none. */
  #wholeDepth = 0;
  #wholeStart = 0;
  /** Of the `source` object at each depth: bytes of its data, 1 if its type is base64 and nothing else, 1 if an image. */
  readonly #dataBytes = new Float64Array(DEPTH_MAX + 2);
  readonly #sourceType = new Uint8Array(DEPTH_MAX + 2);
  readonly #isImage = new Uint8Array(DEPTH_MAX + 2);

  /** `path` is the reader's: the key of each level on the way to the current token. */
  constructor(path: Uint8Array, shape: InputShape) {
    this.#path = path;
    this.#isWhole = keySet(shape.wholes);
    this.#isPartWhole = keySet(shape.partWholes);
    this.#isMedia = keySet(shape.media);
    this.#messagesId = shape.messages === undefined ? OTHER_KEY : KEY[shape.messages];
    this.#isContents = keySet(shape.contents);
    this.#promptsId = shape.prompts === undefined ? OTHER_KEY : KEY[shape.prompts];
  }

  reset(body: Uint8Array): void {
    this.#body = body;
    this.#textBytes = 0;
    this.#messages = 0;
    this.#media = 0;
    this.#documentBytes = 0;
    this.#audioBytes = 0;
    this.#promptTokens = 0;
    this.#prompts = 0;
    this.#wholeDepth = 0;
  }

  /** Prompts that a list of them holds, each answered on its own; at least 1. */
  prompts(): number {
    return Math.max(1, this.#prompts);
  }

  /** Estimated input tokens, at least 1. */
  tokens(): number {
    const text = Math.ceil((this.#textBytes * 10) / TEXT_BYTES_PER_TEN_TOKENS);
    const documents = Math.ceil(this.#documentBytes / DOCUMENT_BYTES_PER_TOKEN);
    const audio = Math.ceil(this.#audioBytes / AUDIO_BYTES_PER_TOKEN);
    const media = this.#media * TOKENS_PER_MEDIUM + documents + audio;
    return Math.max(1, text + this.#promptTokens + this.#messages * TOKENS_PER_MESSAGE + media);
  }

  key(depth: number, id: number): void {
    if (this.#isMedia[id] === 1 && this.#isPart(depth)) this.#media++;
  }

  string(depth: number, start: number, textBytes: number): void {
    if (this.#wholeDepth !== 0) return;
    // An element of a list is text whatever the list is; asked first, because there may be many, and deep inside parts.
    const isMember = this.#path[depth] !== ARRAY_LEVEL;
    if (isMember && depth > 5 && this.#isMedia[this.#path[depth - 1]!] === 1 && this.#isPart(depth - 1)) {
      this.#mediaString(depth, start, textBytes);
    } else if (depth > 6 && this.#path[depth] === KEY.bytes && this.#isBytes(depth)) {
      if (this.#path[depth - 2] !== KEY.image) this.#documentBytes += textBytes;
    } else if (depth >= 5 && this.#isMedia[this.#path[depth]!] === 1 && this.#isPart(depth)) {
      this.#partString(depth, start, textBytes);
    } else {
      this.#textBytes += textBytes;
      if (depth === 2 && this.#isPrompts(depth)) this.#prompts++;
    }
  }

  open(depth: number, kind: ValueKind, at: number): void {
    if (this.#wholeDepth !== 0 || depth === 0) return;
    if (depth <= 2 && this.#isPrompts(depth)) this.#listStart[depth] = kind === ARRAY ? at : -1;
    const id = this.#path[depth]!;
    if (id === ARRAY_LEVEL) {
      if (depth === 2 && kind === OBJECT && this.#path[1] === this.#messagesId) this.#messages++;
      return;
    }
    if (depth === 1 ? this.#isWhole[id] === 1 : this.#isPartWhole[id] === 1 && this.#isPart(depth)) {
      this.#wholeDepth = depth;
      this.#wholeStart = at;
    } else if (id === KEY.source || id === KEY.inlineData) {
      this.#dataBytes[depth + 1] = 0;
      this.#sourceType[depth + 1] = id === KEY.inlineData ? 1 : 0;
      this.#isImage[depth + 1] = 0;
    }
  }

  close(depth: number, end: number): void {
    if (this.#wholeDepth !== 0) {
      if (this.#wholeDepth !== depth) return;
      this.#textBytes += end - this.#wholeStart;
      this.#wholeDepth = 0;
    } else if (this.#isSource(depth) && this.#isPart(depth)) {
      this.#closeSource(depth + 1);
    } else if (depth <= 2 && this.#isPrompts(depth) && this.#listStart[depth]! >= 0) {
      this.#closePrompts(depth, end);
    }
  }

  /** Whether the value at `depth` is the member of prompts, or an element of it. */
  #isPrompts(depth: number): boolean {
    const path = this.#path;
    if (this.#promptsId === OTHER_KEY || path[1] !== this.#promptsId) return false;
    return depth === 1 || (depth === 2 && path[2] === ARRAY_LEVEL);
  }

  /** A list that begins with a number is one prompt of as many tokens as it has commas, and one. */
  #closePrompts(depth: number, end: number): void {
    const body = this.#body;
    const start = this.#listStart[depth]!;
    const first = body[skipSpace(body, start + 1)]!;
    const isTokens = first === MINUS || (first >= ZERO && first <= NINE);
    if (isTokens) {
      let tokens = 1;
      for (let at = start; at < end; at++) if (body[at] === COMMA) tokens++;
      this.#promptTokens += tokens;
    }
    if (isTokens || depth === 2) this.#prompts++;
  }

  /** Whether the value at `depth` is a medium that says what it is beside its data. */
  #isSource(depth: number): boolean {
    const id = this.#path[depth]!;
    return (id === KEY.source || id === KEY.inlineData) && this.#isMedia[id] === 1;
  }

  /** `data` was text after all unless its `source` said base64 and nothing else. */
  #closeSource(depth: number): void {
    const bytes = this.#dataBytes[depth]!;
    if (this.#sourceType[depth] !== 1) this.#textBytes += bytes;
    else if (this.#isImage[depth] === 0) this.#documentBytes += bytes;
    this.#dataBytes[depth] = 0;
  }

  /** The bytes of a medium as Bedrock writes it: `image.source.bytes` of a part. */
  #isBytes(depth: number): boolean {
    const path = this.#path;
    return path[depth - 1] === KEY.source && this.#isMedia[path[depth - 2]!] === 1 && this.#isPart(depth - 2);
  }

  /** A content part that names its medium by one string, as those of OpenAI's responses do. */
  #partString(depth: number, start: number, textBytes: number): void {
    const id = this.#path[depth]!;
    if (id === KEY.image_url && this.#startsWith(start, 'data:')) return;
    if (id === KEY.file_data) this.#documentBytes += textBytes;
    else this.#textBytes += textBytes;
  }

  /** A string directly inside the medium of a content part. */
  #mediaString(depth: number, start: number, textBytes: number): void {
    const id = this.#path[depth]!;
    const medium = this.#path[depth - 1]!;
    if (medium === KEY.image_url && id === KEY.url && this.#startsWith(start, 'data:')) return;
    if (medium === KEY.file && id === KEY.file_data) {
      this.#documentBytes += textBytes;
      return;
    }
    if (medium === KEY.input_audio && id === KEY.data) {
      this.#audioBytes += textBytes;
      return;
    }
    if (medium === KEY.inlineData && id === KEY.mimeType && this.#startsWith(start, 'image/')) {
      this.#isImage[depth] = 1;
    }
    if (medium === KEY.inlineData && id === KEY.data) {
      this.#dataBytes[depth]! += textBytes;
      return;
    }
    if (medium === KEY.source) {
      if (id === KEY.data) {
        this.#dataBytes[depth]! += textBytes;
        return;
      }
      if (id === KEY.type) {
        this.#sourceType[depth] = this.#sourceType[depth] === 0 && this.#startsWith(start, 'base64"') ? 1 : 2;
      } else if (id === KEY.media_type && this.#startsWith(start, 'image/')) {
        this.#isImage[depth] = 1;
      }
    }
    this.#textBytes += textBytes;
  }

  /**
   * Whether the object at `depth` is a content part: `messages[].content[]` in the dialect's own words, or one inside a
   * part, as in tool results (`content[].content[]`, `content[].toolResult.content[]`) and documents
   * (`content[].source.content[]`).
   */
  #isPart(depth: number): boolean {
    const path = this.#path;
    if (depth < 5 || path[1] !== this.#messagesId || path[2] !== ARRAY_LEVEL) return false;
    if (this.#isContents[path[3]!] !== 1 || path[4] !== ARRAY_LEVEL) return false;
    let level = 5;
    while (level < depth) {
      if (path[level] === KEY.source || path[level] === KEY.toolResult) level++;
      if (level + 1 >= depth || this.#isContents[path[level]!] !== 1 || path[level + 1] !== ARRAY_LEVEL) return false;
      level += 2;
    }
    return level === depth;
  }

  #startsWith(start: number, text: string): boolean {
    if (start + text.length > this.#body.length) return false;
    for (let at = 0; at < text.length; at++) {
      if (this.#body[start + at] !== text.charCodeAt(at)) return false;
    }
    return true;
  }
}
