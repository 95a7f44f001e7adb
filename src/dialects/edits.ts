/** Byte-exact edits of a request body: all bytes outside of them reach the provider as the caller wrote them. */
import type { Edit, Span } from './dialect.ts';
import { isModelName } from './facts.ts';

/** Replaces the model that stands there. A name that no body may ask for is a mistake of ours: TypeError. */
export function modelEdit({ offset, length }: Span, model: string): Edit {
  if (!isModelName(model)) throw new TypeError('a model of the bundle must be a name that a body may ask for');
  return { offset, length, text: `"${model}"` };
}

/** Ascending by offset, as the filter behind us applies them. A new array. */
export function sortEdits(edits: readonly Edit[]): readonly Edit[] {
  return edits.toSorted((a, b) => a.offset - b.offset || a.length - b.length);
}
