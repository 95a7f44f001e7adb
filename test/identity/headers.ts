import type { HeaderView } from '../../src/identity/principal.ts';

/** A view over headers as they stand on the wire, one pair per occurrence. */
export function headersOf(pairs: readonly (readonly [name: string, value: string])[]): HeaderView {
  return { get: (name) => pairs.filter(([each]) => each === name).map(([, value]) => value) };
}
