/** Byte-exact edits of a request body: all bytes outside of them reach the provider as the caller wrote them. */
import type { BodyFacts, Edit } from './dialect.ts';
import { isModelName } from './facts.ts';

/** Replaces the model. A name that no body may ask for is a mistake of ours: TypeError. */
export function modelEdit(facts: BodyFacts, model: string): Edit {
  if (!isModelName(model)) throw new TypeError('a model of the bundle must be a name that a body may ask for');
  return { offset: facts.modelSpan.offset, length: facts.modelSpan.length, text: `"${model}"` };
}

/** Ascending by offset, as the filter behind us applies them. A new array. */
export function sortEdits(edits: readonly Edit[]): readonly Edit[] {
  return edits.toSorted((a, b) => a.offset - b.offset || a.length - b.length);
}

/**
 * The body after its edits: what the Lua filter does, for tests and explanations. Edits that are not ascending, that
 * overlap or reach past the body are a RangeError.
 */
export function applyEdits(body: Uint8Array, edits: readonly Edit[]): Buffer {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const { offset, length, text } of edits) {
    if (offset < at || length < 0 || offset + length > body.length) {
      throw new RangeError(
        `expected an edit between byte ${at} and ${body.length}, found ${length} bytes at ${offset}`,
      );
    }
    pieces.push(body.subarray(at, offset), Buffer.from(text, 'latin1'));
    at = offset + length;
  }
  pieces.push(body.subarray(at));
  return Buffer.concat(pieces);
}
