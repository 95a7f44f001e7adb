/** Reads protobuf without a schema, as far as OTLP needs it: a message is its fields by number, each a list of raw values. */

export type Value = bigint | Uint8Array;
export type Message = ReadonlyMap<number, readonly Value[]>;

export function parse(bytes: Uint8Array): Message {
  const fields = new Map<number, Value[]>();
  const view = Buffer.from(bytes);
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const one = (wire: number): Value => {
    if (wire === 0) return varint();
    if (wire === 2) {
      const length = Number(varint());
      at += length;
      return view.subarray(at - length, at);
    }
    const width = wire === 1 ? 8 : 4;
    at += width;
    return wire === 1 ? view.readBigUInt64LE(at - 8) : BigInt(view.readUInt32LE(at - 4));
  };
  while (at < view.length) {
    const tag = Number(varint());
    const values = fields.get(tag >>> 3) ?? [];
    values.push(one(tag & 7));
    fields.set(tag >>> 3, values);
  }
  return fields;
}

export function messages(message: Message, field: number): Message[] {
  return (message.get(field) ?? []).map((value) => parse(value as Uint8Array));
}

export function textOf(message: Message, field: number): string {
  return Buffer.from((message.get(field)?.[0] as Uint8Array | undefined) ?? []).toString();
}

export function hexOf(message: Message, field: number): string {
  return Buffer.from((message.get(field)?.[0] as Uint8Array | undefined) ?? []).toString('hex');
}

export function bigOf(message: Message, field: number): bigint {
  return (message.get(field)?.[0] as bigint | undefined) ?? 0n;
}

export function doubleOf(value: bigint): number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes.readDoubleLE();
}
