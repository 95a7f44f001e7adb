/** Names that a Reader can tell from bytes without making strings, see `Reader.oneOf`. */

export interface Name {
  readonly bytes: Uint8Array;
  /** Its place in the list that the table was made from. */
  readonly index: number;
}

/** `table[n]` lists the names of n bytes. */
export type NameTable = readonly (readonly Name[] | undefined)[];

/** Names are ASCII. */
export function nameTable(names: readonly string[]): NameTable {
  const table: Name[][] = [];
  for (const [index, text] of names.entries()) {
    const bytes = Buffer.from(text, 'latin1');
    const sameLength = table[bytes.length] ?? [];
    sameLength.push({ bytes, index });
    table[bytes.length] = sameLength;
  }
  return table;
}
