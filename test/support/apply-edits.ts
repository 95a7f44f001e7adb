import type { Edit } from '../../src/dialects/dialect.ts';

/** The body after its edits, as the Lua filter makes it. Edits that are not ascending, overlap or reach past the body throw. */
export function applyEdits(body: Uint8Array, edits: readonly Edit[]): Buffer {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const { offset, length, text } of edits) {
    if (offset < at || length < 0 || offset + length > body.length) {
      throw new RangeError(`${length} bytes at ${offset} are not between ${at} and ${body.length}`);
    }
    pieces.push(body.subarray(at, offset), Buffer.from(text, 'latin1'));
    at = offset + length;
  }
  pieces.push(body.subarray(at));
  return Buffer.concat(pieces);
}
