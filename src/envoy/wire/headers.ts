/** Request headers: the few that are read, and their values as they came. */
import type { HeaderView } from '../../identity/principal.ts';
import { type Name, nameTable } from './names.ts';
import type { Reader } from './reader.ts';

/**
 * The request headers that anything in Tollgate may look at. No other header becomes a string, so the work of a request with
 * 500 headers is that of these. Lower case, as Envoy writes them.
 */
export const READ_HEADERS = [
  ':protocol',
  'api-key',
  'authorization',
  'content-encoding',
  'content-type',
  'tollgate-class',
  'tollgate-downgrade',
  'tollgate-run',
  'traceparent',
  'upgrade',
  'x-api-key',
  'x-envoy-auth-partial-body',
  'x-forwarded-client-cert',
  'x-goog-api-key',
  'x-request-id',
] as const;

const NONE: readonly string[] = Object.freeze([]);
const INDEX: ReadonlyMap<string, number> = new Map(READ_HEADERS.map((name, index) => [name, index]));
const TABLE = nameTable(READ_HEADERS);

/**
 * Values of the headers in READ_HEADERS, in the order they came, as latin-1 text of their raw bytes. A name that is not in
 * the list has none, whatever the request says.
 */
export class SelectedHeaders implements HeaderView {
  readonly #values: (string[] | undefined)[] = [];
  #count = 0;

  /** Headers seen, read or not. */
  get count(): number {
    return this.#count;
  }

  get(name: string): readonly string[] {
    const index = INDEX.get(name);
    return index === undefined ? NONE : (this.#values[index] ?? NONE);
  }

  /**
   * Reads an entry of the map (`key` 1, `value` 2) or a HeaderValue (`key` 1, `value` 2, `raw_value` 3): one shape on the
   * wire. `raw_value` counts where both stand. Encoders write the key first, so a value that nobody reads is passed over.
   */
  read(reader: Reader): void {
    this.#count++;
    let name: Name | undefined;
    let keyed = false;
    let value = '';
    let raw: string | undefined;
    const outer = reader.open();
    while (reader.more()) {
      const field = reader.field();
      if (field === 1) {
        name = reader.oneOf(TABLE);
        keyed = true;
      } else if (field <= 3 && (name !== undefined || !keyed)) {
        if (field === 2) value = reader.latin1();
        else raw = reader.latin1();
      } else reader.skip();
    }
    reader.close(outer);
    if (name !== undefined) this.#add(name.index, raw ?? value);
  }

  #add(index: number, value: string): void {
    const values = this.#values[index];
    if (values === undefined) this.#values[index] = [value];
    else values.push(value);
  }
}
