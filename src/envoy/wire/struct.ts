/** google.protobuf.Struct: read into maps (never objects, its keys may be a client's), written from pairs of strings. */
import { faulty, type Reader } from './reader.ts';
import type { Writer } from './writer.ts';

export type StructValue = null | boolean | number | string | StructMap | readonly StructValue[];
export interface StructMap extends ReadonlyMap<string, StructValue> {}

/** Structs and lists inside each other. Deeper is refused; Envoy itself nests two or three. */
const DEPTH_MAX = 16;

/** Reads the Struct in the field that was just named. A key that comes twice has its last value, as in protobuf. */
export function readStruct(reader: Reader, depth = 1): Map<string, StructValue> {
  if (depth > DEPTH_MAX) throw faulty(`struct is nested deeper than \`${DEPTH_MAX}\``);
  const fields = new Map<string, StructValue>();
  const outer = reader.open();
  while (reader.more()) {
    if (reader.field() === 1) readEntry(reader, { fields, depth });
    else reader.skip();
  }
  reader.close(outer);
  return fields;
}

function readEntry(reader: Reader, into: { fields: Map<string, StructValue>; depth: number }): void {
  let key = '';
  let value: StructValue = null;
  const outer = reader.open();
  while (reader.more()) {
    const field = reader.field();
    if (field === 1) key = reader.text();
    else if (field === 2) value = readValue(reader, into.depth);
    else reader.skip();
  }
  reader.close(outer);
  into.fields.set(key, value);
}

/** google.protobuf.Value: a oneof, whose last member counts. */
function readValue(reader: Reader, depth: number): StructValue {
  let value: StructValue = null;
  const outer = reader.open();
  while (reader.more()) {
    switch (reader.field()) {
      case 1:
        reader.int64();
        value = null;
        break;
      case 2:
        value = reader.double();
        break;
      case 3:
        value = reader.text();
        break;
      case 4:
        value = reader.bool();
        break;
      case 5:
        value = readStruct(reader, depth + 1);
        break;
      case 6:
        value = readList(reader, depth + 1);
        break;
      default:
        reader.skip();
    }
  }
  reader.close(outer);
  return value;
}

function readList(reader: Reader, depth: number): StructValue[] {
  if (depth > DEPTH_MAX) throw faulty(`struct is nested deeper than \`${DEPTH_MAX}\``);
  const values: StructValue[] = [];
  const outer = reader.open();
  while (reader.more()) {
    if (reader.field() === 1) values.push(readValue(reader, depth));
    else reader.skip();
  }
  reader.close(outer);
  return values;
}

/** Writes the content of a Struct (not its head): each pair becomes a string value. */
function writeStrings(writer: Writer, pairs: readonly (readonly [string, string])[]): void {
  for (let i = pairs.length - 1; i >= 0; i--) {
    const [key, text] = pairs[i]!;
    const entry = writer.mark();
    const value = writer.mark();
    writer.text(3, text);
    writer.message(2, value);
    writer.text(1, key);
    writer.message(1, entry);
  }
}

/** Writes the content of a Struct with one key, whose value is a Struct of strings. */
export function writeNested(writer: Writer, key: string, pairs: readonly (readonly [string, string])[]): void {
  const entry = writer.mark();
  const value = writer.mark();
  const struct = writer.mark();
  writeStrings(writer, pairs);
  writer.message(5, struct);
  writer.message(2, value);
  writer.text(1, key);
  writer.message(1, entry);
}
