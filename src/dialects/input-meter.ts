/**
 * Weighs the input of a body in tokens, before any provider has seen it: ceil(text bytes / 3.3) + 8 per message + a
 * constant per medium (reference/domain.md 2.4). Text is every string with its escapes resolved, and the whole JSON of
 * tools and schemas; base64 media are not text, but only where a provider reads them as media: a data URI in prose is
 * prose.
 */
import { ARRAY_LEVEL, KEY, type KeyName, keySet } from './keys.ts';
import { DEPTH_MAX, OBJECT, type ValueKind } from './scanner.ts';

/** UTF-8 bytes per token, times ten: observed 3.4 (code) to 4.4 (English, JSON); below both, so that it rounds up. */
const TEXT_BYTES_PER_TEN_TOKENS = 33;
const TOKENS_PER_MESSAGE = 8;
/** An image at full detail: Anthropic's width × height / 750 at its largest size; OpenAI's tiles stay below. */
const TOKENS_PER_MEDIUM = 1600;
/** Base64 bytes of a document per token: a page of text with its picture, about 2000 tokens in 64 KB. */
const DOCUMENT_BYTES_PER_TOKEN = 32;
/** Base64 bytes of audio per token: 10 tokens and, at 64 kbit/s, about 10 KB per second. */
const AUDIO_BYTES_PER_TOKEN = 1000;

/** What the meter needs to know of a dialect. */
export interface InputShape {
  /** Members of the root whose whole JSON is input (tools, schemas). */
  readonly wholes: readonly KeyName[];
  /** Members of a content part that hold media. */
  readonly media: readonly KeyName[];
}

export class InputMeter {
  readonly #path: Uint8Array;
  readonly #isWhole: Uint8Array;
  readonly #isMedia: Uint8Array;
  #body: Uint8Array = new Uint8Array(0);
  #textBytes = 0;
  #messages = 0;
  #media = 0;
  #documentBytes = 0;
  #audioBytes = 0;
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
    this.#isMedia = keySet(shape.media);
  }

  reset(body: Uint8Array): void {
    this.#body = body;
    this.#textBytes = 0;
    this.#messages = 0;
    this.#media = 0;
    this.#documentBytes = 0;
    this.#audioBytes = 0;
    this.#wholeDepth = 0;
  }

  /** Estimated input tokens, at least 1. */
  tokens(): number {
    const text = Math.ceil((this.#textBytes * 10) / TEXT_BYTES_PER_TEN_TOKENS);
    const documents = Math.ceil(this.#documentBytes / DOCUMENT_BYTES_PER_TOKEN);
    const audio = Math.ceil(this.#audioBytes / AUDIO_BYTES_PER_TOKEN);
    const media = this.#media * TOKENS_PER_MEDIUM + documents + audio;
    return Math.max(1, text + this.#messages * TOKENS_PER_MESSAGE + media);
  }

  key(depth: number, id: number): void {
    if (this.#isMedia[id] === 1 && this.#isPart(depth)) this.#media++;
  }

  string(depth: number, start: number, textBytes: number): void {
    if (this.#wholeDepth !== 0) return;
    if (depth > 5 && this.#isMedia[this.#path[depth - 1]!] === 1 && this.#isPart(depth - 1)) {
      this.#mediaString(depth, start, textBytes);
    } else {
      this.#textBytes += textBytes;
    }
  }

  open(depth: number, kind: ValueKind, at: number): void {
    if (this.#wholeDepth !== 0 || depth === 0) return;
    const id = this.#path[depth]!;
    if (id === ARRAY_LEVEL) {
      if (depth === 2 && kind === OBJECT && this.#path[1] === KEY.messages) this.#messages++;
      return;
    }
    if (depth === 1 ? this.#isWhole[id] === 1 : id === KEY.input && this.#isPart(depth)) {
      this.#wholeDepth = depth;
      this.#wholeStart = at;
    } else if (id === KEY.source) {
      this.#dataBytes[depth + 1] = 0;
      this.#sourceType[depth + 1] = 0;
      this.#isImage[depth + 1] = 0;
    }
  }

  close(depth: number, end: number): void {
    if (this.#wholeDepth !== 0) {
      if (this.#wholeDepth !== depth) return;
      this.#textBytes += end - this.#wholeStart;
      this.#wholeDepth = 0;
    } else if (this.#path[depth] === KEY.source && this.#isMedia[KEY.source] === 1 && this.#isPart(depth)) {
      this.#closeSource(depth + 1);
    }
  }

  /** `data` was text after all unless its `source` said base64 and nothing else. */
  #closeSource(depth: number): void {
    const bytes = this.#dataBytes[depth]!;
    if (this.#sourceType[depth] !== 1) this.#textBytes += bytes;
    else if (this.#isImage[depth] === 0) this.#documentBytes += bytes;
    this.#dataBytes[depth] = 0;
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
   * Whether the object at `depth` is a content part: `messages[].content[]`, or one inside a part, as in tool results
   * (`content[].content[]`) and documents (`content[].source.content[]`).
   */
  #isPart(depth: number): boolean {
    const path = this.#path;
    if (depth < 5 || path[1] !== KEY.messages || path[2] !== ARRAY_LEVEL) return false;
    if (path[3] !== KEY.content || path[4] !== ARRAY_LEVEL) return false;
    let level = 5;
    while (level < depth) {
      if (path[level] === KEY.source) level++;
      if (level + 1 >= depth || path[level] !== KEY.content || path[level + 1] !== ARRAY_LEVEL) return false;
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
