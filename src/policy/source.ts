/** One file of a bundle, parsed strictly, and where each of its keys and values stands. */
import type { LineCounter } from 'yaml';
import type { Place } from './problem.ts';

export type Path = readonly (string | number)[];

/** A number with a fraction, as written: it never becomes a binary float. */
export class Decimal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** Keys that would reach an object's prototype; no name in a bundle is one of them. */
export const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);

/** Offsets of key and value; a list has no keys. */
export interface Spot {
  readonly key: number | undefined;
  readonly value: number;
}

/**
 * A parsed file. `value` holds mappings as plain objects, lists, texts, booleans, safe integers and `Decimal`s; what is
 * wrong in it can be taken out with `drop`, after which paths count what is left.
 */
export class Source {
  readonly file: string;
  readonly value: unknown;
  /** Names that were dropped: declared, but not usable. Who refers to one is not to blame. */
  readonly dropped = new Set<string>();
  readonly #spots: ReadonlyMap<unknown, Map<string, Spot> | Spot[]>;
  readonly #lines: LineCounter;
  readonly #start: number;

  constructor(
    file: string,
    parsed: {
      value: unknown;
      spots: ReadonlyMap<unknown, Map<string, Spot> | Spot[]>;
      lines: LineCounter;
      start: number;
    },
  ) {
    this.file = file;
    this.value = parsed.value;
    this.#spots = parsed.spots;
    this.#lines = parsed.lines;
    this.#start = parsed.start;
  }

  /** The place of the value at `path`, or of its key; of the nearest thing around it if it is absent. */
  at(path: Path, side: 'key' | 'value' = 'value'): Place & { readonly path: string } {
    let offset = this.#start;
    let value = this.value;
    for (const [index, part] of path.entries()) {
      const spots = this.#spots.get(value);
      const spot = Array.isArray(spots) ? spots[part as number] : spots?.get(String(part));
      if (spot === undefined) break;
      const last = index === path.length - 1;
      offset = last && side === 'value' ? spot.value : (spot.key ?? spot.value);
      value = (value as Record<string | number, unknown>)[part];
    }
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.file, line, column: col, path: pathText(path) };
  }

  /** `file:line:column` of the value at `path`. */
  ref(path: Path): string {
    const { file, line, column } = this.at(path);
    return `${file}:${line}:${column}`;
  }

  get(path: Path): unknown {
    let value = this.value;
    for (const part of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
      value = (value as Record<string | number, unknown>)[part];
    }
    return value;
  }

  /** Puts a value at the top of the file where there is none; it has no place of its own. */
  fill(key: string, value: unknown): void {
    (this.value as Record<string, unknown>)[key] = value;
  }

  /** Takes the value at `path` out and remembers the names it declared. False: there is nothing to take out. */
  drop(path: Path): boolean {
    const key = path.at(-1);
    const parent = this.get(path.slice(0, -1));
    if (key === undefined || typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, key)) return false;
    const spots = this.#spots.get(parent);
    const value = (parent as Record<string | number, unknown>)[key];
    const name = typeof value === 'object' && value !== null && 'name' in value ? value.name : undefined;
    if (typeof name === 'string') this.dropped.add(name);
    if (Array.isArray(parent) && Array.isArray(spots)) {
      parent.splice(Number(key), 1);
      spots.splice(Number(key), 1);
    } else {
      this.dropped.add(String(key));
      delete (parent as Record<string, unknown>)[String(key)];
      if (spots instanceof Map) spots.delete(String(key));
    }
    return true;
  }
}

/** `plans.growth.limits[0].max`. */
export function pathText(path: Path): string {
  let text = '';
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : text === '' ? part : `.${part}`;
  return text;
}
