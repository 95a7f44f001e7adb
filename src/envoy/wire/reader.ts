/**
 * A strict reader of the protobuf wire format (protobuf.dev/programming-guides/encoding), as far as Envoy's services need it.
 * Stricter than protobufjs, which decodes a string that runs past the end, and replaces invalid UTF-8 silently.
 */
import { isUtf8 } from 'node:buffer';
import { TollgateError } from '../../core/errors.ts';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/**
 * Reads one message, field by field: `while (reader.more()) switch (reader.field()) { … default: reader.skip() }`.
 * Copies nothing: `bytes` is a view of the message. Every method throws `wire_invalid` on bytes that are not what it expects.
 */
export class Reader {
  readonly #buffer: Buffer;
  #at = 0;
  #end: number;
  #wire = -1;

  constructor(message: Uint8Array) {
    this.#buffer = Buffer.isBuffer(message)
      ? message
      : Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    this.#end = message.length;
  }

  /** Whether the message that is open has another field. */
  more(): boolean {
    return this.#at < this.#end;
  }

  /** Number of the next field, ≥ 1. Its value must be read or skipped before the next call. */
  field(): number {
    const tag = this.#varint();
    this.#wire = tag & 7;
    if (tag < 8 || tag > 0xffff_ffff) throw faulty(`field number of a tag is out of range`);
    return tag >>> 3;
  }

  /** Passes over the value of an unknown field. Groups (wire types 3 and 4) are refused: proto3 has none. */
  skip(): void {
    switch (this.#wire) {
      case VARINT:
        this.#varint64();
        return;
      case FIXED64:
        this.#advance(8);
        return;
      case BYTES:
        this.#advance(this.#length());
        return;
      case FIXED32:
        this.#advance(4);
        return;
      default:
        throw faulty(`wire type \`${this.#wire}\` is not one of 0, 1, 2, 5`);
    }
  }

  /** An unsigned integer that is exact as a number: ≤ 2^53 − 1, larger is refused. */
  safe(): number {
    this.#expect(VARINT);
    return this.#varint();
  }

  bool(): boolean {
    this.#expect(VARINT);
    return this.#varint64() !== 0n;
  }

  /** uint64, all 64 bits. */
  uint64(): bigint {
    this.#expect(VARINT);
    return this.#varint64();
  }

  /** int64, and int32 and enums, which travel in 64 bits when negative. */
  int64(): bigint {
    this.#expect(VARINT);
    return BigInt.asIntN(64, this.#varint64());
  }

  double(): number {
    this.#expect(FIXED64);
    const at = this.#advance(8);
    return this.#buffer.readDoubleLE(at);
  }

  /** A view of the field's bytes; valid as long as the message is. */
  bytes(): Buffer {
    this.#expect(BYTES);
    const length = this.#length();
    const at = this.#advance(length);
    return this.#buffer.subarray(at, at + length);
  }

  /** UTF-8 text; anything else is refused, never replaced. */
  text(): string {
    this.#expect(BYTES);
    const length = this.#length();
    const at = this.#advance(length);
    const text = this.#buffer.toString('utf8', at, at + length);
    // A replacement character may have been sent as such: only then is it worth looking at the bytes again.
    if (text.includes('\ufffd') && !isUtf8(this.#buffer.subarray(at, at + length))) throw faulty('text is not UTF-8');
    return text;
  }

  /** The field's bytes as latin-1 text, one character a byte. */
  latin1(): string {
    this.#expect(BYTES);
    const length = this.#length();
    const at = this.#advance(length);
    return this.#buffer.toString('latin1', at, at + length);
  }

  /**
   * The first of `names` that equals the field's bytes, without making a string of them. Undefined: none.
   * `names[n]` lists those of n bytes, so that most fields are told apart by their length.
   */
  oneOf<T extends { readonly bytes: Uint8Array }>(names: readonly (readonly T[] | undefined)[]): T | undefined {
    this.#expect(BYTES);
    const length = this.#length();
    const at = this.#advance(length);
    const candidates = names[length];
    return candidates?.find((candidate) => this.#equals(candidate.bytes, at));
  }

  /** Opens the message in the field; what it answers goes to `close` when `more` says no. */
  open(): number {
    this.#expect(BYTES);
    const length = this.#length();
    if (length > this.#end - this.#at) throw pastEnd(length, this.#end - this.#at);
    const outer = this.#end;
    this.#end = this.#at + length;
    return outer;
  }

  /** Goes on behind the message that `open` opened, whether or not all of it was read. */
  close(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  #equals(bytes: Uint8Array, at: number): boolean {
    // From the end: header names differ there sooner than at the front.
    for (let i = bytes.length - 1; i >= 0; i--) {
      if (bytes[i] !== this.#buffer[at + i]) return false;
    }
    return true;
  }

  #expect(wire: number): void {
    if (this.#wire !== wire) throw faulty(`wire type must be \`${wire}\`; got \`${this.#wire}\``);
  }

  /** Where the next `length` bytes begin; moves behind them. */
  #advance(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw pastEnd(length, this.#end - at);
    this.#at = at + length;
    return at;
  }

  #length(): number {
    const first = this.#at < this.#end ? this.#buffer[this.#at]! : 0x80;
    if (first < 0x80) {
      this.#at++;
      return first;
    }
    return this.#varint();
  }

  /** Up to 53 bits as a number. Four bytes by shifts, the rest by multiplication, which is exact below 2^53. */
  #varint(): number {
    let value = 0;
    for (let shift = 1, i = 0; i < 10; i++, shift *= 128) {
      if (this.#at >= this.#end) throw faulty('varint is truncated');
      const byte = this.#buffer[this.#at++]!;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw faulty('integer is beyond 2^53');
        return value;
      }
    }
    throw faulty('varint is longer than 10 bytes');
  }

  #varint64(): bigint {
    let low = 0;
    let shift = 1;
    for (let i = 0; i < 7; i++, shift *= 128) {
      if (this.#at >= this.#end) throw faulty('varint is truncated');
      const byte = this.#buffer[this.#at++]!;
      low += (byte & 0x7f) * shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let bits = 49n; bits < 70n; bits += 7n) {
      if (this.#at >= this.#end) throw faulty('varint is truncated');
      const byte = this.#buffer[this.#at++]!;
      value += BigInt(byte & 0x7f) << bits;
      if (byte < 0x80) {
        if (value > 0xffff_ffff_ffff_ffffn) throw faulty('integer is beyond 64 bits');
        return value;
      }
    }
    throw faulty('varint is longer than 10 bytes');
  }
}

function pastEnd(length: number, rest: number): TollgateError {
  return faulty(`length \`${length}\` is past the end, \`${rest}\` bytes are left`);
}

/** A `wire_invalid` failure. The text names positions and types only, never content. */
export function faulty(what: string): TollgateError {
  return new TollgateError('wire_invalid', `message cannot be decoded: ${what}`);
}
