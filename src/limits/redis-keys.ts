/**
 * Names of the keys of one customer. All of them share one hash tag, so that everything a question touches lies in one slot
 * of a cluster; nothing else may make a key of the limit store.
 */
import { LRUCache } from 'lru-cache';

/** Customers whose prefix is remembered. */
const PREFIXES_MAX = 10_000;

/**
 * What would end a hash tag or a field of a value: spaces, controls, `;`, braces, and `~` itself. Counters, ids and
 * markers as Tollgate makes them have none of it.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSAFE = /[\u0000-\u0020\u007f;{}~]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const UNSAFE_ALL = /[\u0000-\u0020\u007f;{}~]/g;

/** The text as part of a key and of a value; different texts stay different. */
export function keyPart(text: string): string {
  if (!UNSAFE.test(text)) return text;
  return text.replace(UNSAFE_ALL, (char) => `~${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function partText(part: string): string {
  return part.replace(/~([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** A name within a customer: what a value says of another key. */
export const nameOf = {
  counter: (counter: string): string => `c:${keyPart(counter)}`,
  run: (marker: string): string => `r:${keyPart(marker)}`,
  hold: (id: string): string => `h:${keyPart(id)}`,
  op: (op: string): string => `a:${keyPart(op)}`,
  open: 'o',
} as const;

export class RedisKeys {
  readonly #namespace: string;
  readonly #prefixes = new LRUCache<string, string>({ max: PREFIXES_MAX });

  /** `namespace` begins every key; no braces. */
  constructor(namespace: string) {
    if (/[{}]/.test(namespace)) throw new TypeError(`namespace \`${namespace}\` must not have braces`);
    this.#namespace = namespace;
  }

  /** What all keys of a customer begin with. An empty tag would be none: the whole key would be hashed. */
  prefix(customer: string): string {
    let prefix = this.#prefixes.get(customer);
    if (prefix === undefined) {
      prefix = `${this.#namespace}:{${customer === '' ? '~' : keyPart(customer)}}:`;
      this.#prefixes.set(customer, prefix);
    }
    return prefix;
  }

  /** Customers with open reservations, by when they were last seen, for the sweep over all. In a slot of its own. */
  get customers(): string {
    return `${this.#namespace}:customers`;
  }
}
