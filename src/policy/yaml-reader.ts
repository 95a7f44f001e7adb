/** From the nodes of a YAML document to plain values that remember where they stand. */
import { isAlias, isMap, isScalar, isSeq, type LineCounter, type Pair, type Range } from 'yaml';
import { type Finding, type Problems, show } from './problem.ts';
import type { RuleId } from './rules.ts';
import { Decimal, type Path, pathText, RESERVED, type Spot } from './source.ts';

type Container = Record<string, unknown> | unknown[];

/** The grammar needs 7. */
const DEPTH_MAX = 16;

/** Control, format and invisible space characters; values have one line, so that line breaks are among them. */
const FORBIDDEN_IN_VALUE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u00a0\u202f]/v;
const INTEGER = /^-?(?:0|[1-9][0-9]*)$/;
const FRACTION = /^-?(?:0|[1-9][0-9]*)\.[0-9]+$/;

interface YamlNode {
  readonly range?: Range | null | undefined;
  readonly anchor?: string | undefined;
  readonly tag?: string | undefined;
  readonly source?: string | undefined;
  readonly type?: unknown;
}

/** Turns the document's nodes into plain values and remembers where they stand. */
export class Reader {
  readonly spots = new Map<unknown, Map<string, Spot> | Spot[]>();
  sound = true;
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #problems: Problems;

  constructor(file: string, lines: LineCounter, problems: Problems) {
    this.#file = file;
    this.#lines = lines;
    this.#problems = problems;
  }

  report(rule: RuleId, offset: number, path: Path, finding: Finding): void {
    const { line, col } = this.#lines.linePos(offset);
    this.sound = false;
    this.#problems.report(rule, { file: this.#file, line, column: col, path: pathText(path) }, finding);
  }

  read(node: unknown, path: Path): unknown {
    const offset = offsetOf(node) ?? 0;
    if (path.length > DEPTH_MAX) {
      this.report('nesting-depth', offset, [], { text: `expected at most ${DEPTH_MAX} levels of nesting` });
      return null;
    }
    if (isAlias(node)) {
      this.report('yaml-feature', offset, path, { text: 'aliases are not allowed' });
      return null;
    }
    const { anchor, tag } = node as YamlNode;
    if (anchor !== undefined) this.report('yaml-feature', offset, path, { text: 'anchors are not allowed' });
    if (tag !== undefined) this.report('yaml-feature', offset, path, { text: 'tags are not allowed' });
    if (isMap(node)) return this.#mapping(node.items, path);
    if (isSeq(node)) return this.#list(node.items, path);
    return isScalar(node) ? this.#scalar(node.value, node as YamlNode, path) : null;
  }

  #mapping(pairs: readonly Pair[], path: Path): Container {
    const mapping: Record<string, unknown> = {};
    const spots = new Map<string, Spot>();
    for (const { key, value } of pairs) {
      const at = offsetOf(key) ?? 0;
      const name = isScalar(key) && typeof key.value === 'string' ? key.value : undefined;
      if (name === undefined || isDecorated(key)) {
        this.report('yaml-feature', at, path, { text: 'expected a plain text as key' });
        continue;
      }
      const inner = [...path, name];
      if (isSecret(name)) this.report('secret-inline', at, path, { text: SECRET });
      else if (name === '<<') this.report('yaml-feature', at, path, { text: 'merge keys are not allowed' });
      else if (RESERVED.has(name) || FORBIDDEN_IN_VALUE.test(name)) {
        this.report('key-unknown', at, path, { text: `key ${show(name)} is not allowed anywhere` });
      } else if (spots.has(name)) {
        const first = this.#lines.linePos(spots.get(name)!.key ?? 0);
        this.report('key-duplicate', at, inner, { text: `found again; first in line ${first.line}` });
      } else {
        spots.set(name, { key: at, value: offsetOf(value) ?? at });
        mapping[name] = value === null ? null : this.read(value, inner);
      }
    }
    this.spots.set(mapping, spots);
    return mapping;
  }

  #list(items: readonly unknown[], path: Path): Container {
    const list: unknown[] = [];
    const spots: Spot[] = [];
    for (const [index, item] of items.entries()) {
      spots.push({ key: undefined, value: offsetOf(item) ?? 0 });
      list.push(this.read(item, [...path, index]));
    }
    this.spots.set(list, spots);
    return list;
  }

  #scalar(value: unknown, node: YamlNode, path: Path): unknown {
    const offset = node.range?.[0] ?? 0;
    const written = node.source ?? '';
    if (typeof value === 'string') {
      if (FORBIDDEN_IN_VALUE.test(value)) {
        this.report('file-encoding', offset, path, { text: 'expected visible text on one line' });
      } else if (isSecret(value)) {
        this.report('secret-inline', offset, path, { text: SECRET });
      }
      return value;
    }
    if (typeof value === 'bigint') return this.#integer(value, written, offset, path);
    if (typeof value === 'number') {
      if (FRACTION.test(written)) return new Decimal(written);
      this.report('number-form', offset, path, { text: `expected a decimal number, found \`${written}\`` });
      return null;
    }
    if (typeof value === 'boolean' && written !== String(value)) {
      this.report('value-wrong', offset, path, {
        text: `expected \`true\` or \`false\`, found \`${written}\``,
        misspelt: { name: written, known: ['true', 'false'] },
      });
    }
    return value;
  }

  #integer(value: bigint, written: string, offset: number, path: Path): number | null {
    if (!INTEGER.test(written)) {
      this.report('number-form', offset, path, {
        text: `expected a decimal integer without leading zero, found \`${written.slice(0, 40)}\``,
      });
      return null;
    }
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < -BigInt(Number.MAX_SAFE_INTEGER)) {
      this.report('amount-range', offset, path, {
        text: `expected a number below 2^53, found \`${written.slice(0, 40)}\``,
      });
      return null;
    }
    return Number(value);
  }
}

function offsetOf(node: unknown): number | undefined {
  return typeof node === 'object' && node !== null ? ((node as YamlNode).range?.[0] ?? undefined) : undefined;
}

function isDecorated(node: unknown): boolean {
  const { anchor, tag } = node as YamlNode;
  return anchor !== undefined || tag !== undefined;
}

const SECRET = 'expected a digest, an id or the name of a file, found what looks like a secret';

/** Keys of ours and of providers and PEM private keys, wherever they stand in a text. Digests and file names are neither. */
function isSecret(text: string): boolean {
  return /\btg_[a-z0-9-]{1,64}_[a-z0-9]{1,64}_[A-Za-z0-9]{20}|\bsk-[A-Za-z0-9_-]{20}|PRIVATE KEY-----/.test(text);
}
