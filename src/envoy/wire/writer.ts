/**
 * Writes the protobuf wire format back to front: a message's length is known once its content stands, so nothing is sized
 * twice and nothing is moved. Whoever writes puts the last field first.
 */

const VARINT = 0;
const BYTES = 2;
/** Below this a loop over character codes beats a call into the runtime. */
const SHORT_TEXT_CHARS = 48;

/** One writer is used again and again: `finish` copies the message out and empties it. Not for two messages at a time. */
export class Writer {
  #buffer = Buffer.allocUnsafeSlow(4096);
  #at = 4096;

  /** Bytes written so far; what a message written from here on began with. */
  mark(): number {
    return this.#buffer.length - this.#at;
  }

  /** Makes all that was written since `mark` the content of field `field`. */
  message(field: number, mark: number): void {
    this.#head(field, this.mark() - mark);
  }

  /** UTF-8 text. Empty text is written too. */
  text(field: number, value: string): void {
    this.#head(field, this.#text(value));
  }

  /** A safe integer ≥ 0. Zero is written too, so that an answer can be explicit. */
  varint(field: number, value: number): void {
    this.#varint(value);
    this.#varint(field * 8 + VARINT);
  }

  bool(field: number, value: boolean): void {
    this.varint(field, value ? 1 : 0);
  }

  /** The message; the writer is empty after it. */
  finish(): Buffer {
    const message = Buffer.from(this.#buffer.subarray(this.#at));
    this.clear();
    return message;
  }

  /** Drops what was written, for a message that could not be completed. */
  clear(): void {
    this.#at = this.#buffer.length;
  }

  #head(field: number, length: number): void {
    this.#varint(length);
    this.#varint(field * 8 + BYTES);
  }

  #text(value: string): number {
    const chars = value.length;
    if (chars <= SHORT_TEXT_CHARS) {
      this.#room(chars);
      const at = this.#at - chars;
      let i = 0;
      for (; i < chars; i++) {
        const code = value.charCodeAt(i);
        if (code > 0x7f) break;
        this.#buffer[at + i] = code;
      }
      if (i === chars) {
        this.#at = at;
        return chars;
      }
    }
    const length = Buffer.byteLength(value, 'utf8');
    this.#room(length);
    this.#at -= length;
    this.#buffer.write(value, this.#at, length, 'utf8');
    return length;
  }

  #varint(value: number): void {
    if (value < 0x80) {
      this.#room(1);
      this.#buffer[--this.#at] = value;
      return;
    }
    let length = 2;
    for (let rest = Math.floor(value / 0x4000); rest > 0; rest = Math.floor(rest / 128)) length++;
    this.#room(length);
    this.#at -= length;
    let rest = value;
    for (let i = 0; i < length - 1; i++) {
      this.#buffer[this.#at + i] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#at + length - 1] = rest;
  }

  #room(bytes: number): void {
    if (this.#at >= bytes) return;
    const written = this.mark();
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, written + bytes));
    this.#buffer.copy(larger, larger.length - written, this.#at);
    this.#buffer = larger;
    this.#at = larger.length - written;
  }
}
