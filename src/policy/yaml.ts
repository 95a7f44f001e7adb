/** Strict YAML 1.2 and JSON: from bytes to plain values that remember where they stand. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Pair, parseDocument, type Range } from 'yaml';
import { type Finding, type Problems, show, topOf } from './problem.ts';
import type { RuleId } from './rules.ts';
import { Decimal, type Path, pathText, RESERVED, Source, type Spot } from './source.ts';

type Container = Record<string, unknown> | unknown[];

/** What YAML's own parser takes 3 s for must not be a bundle; JSON is for generated files. */
const YAML_BYTES_MAX = 2 * 1024 * 1024;
const JSON_BYTES_MAX = 8 * 1024 * 1024;
/** The grammar needs 7. */
const DEPTH_MAX = 16;
const SYNTAX_MAX = 20;

/** Control, format (bidirectional, zero-width, byte order mark) and invisible space characters, whatever they hide. */
const FORBIDDEN = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u00a0\u202f]--[\t\n\r]]/v;
const FORBIDDEN_IN_VALUE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u00a0\u202f]/v;
const LONE_RETURN = /\r(?!\n)/;
const INTEGER = /^-?(?:0|[1-9][0-9]*)$/;
const FRACTION = /^-?(?:0|[1-9][0-9]*)\.[0-9]+$/;

/** Parses the bytes of `file`; undefined after an error that leaves nothing to look at. Every fault is reported. */
export function parseSource(file: string, bytes: Uint8Array, problems: Problems): Source | undefined {
  const json = file.endsWith('.json');
  const bytesMax = json ? JSON_BYTES_MAX : YAML_BYTES_MAX;
  if (bytes.length > bytesMax) {
    const advice = json ? '; split the file' : '; split the file, or generate JSON';
    problems.report('file-size', topOf(file), {
      text: `expected at most ${bytesMax} bytes, found ${bytes.length}${advice}`,
    });
    return undefined;
  }
  const text = decode(file, bytes, problems);
  if (text === undefined) return undefined;
  if (json && !isJson(file, text, problems)) return undefined;
  return parseText(file, text, problems);
}

function decode(file: string, bytes: Uint8Array, problems: Problems): string | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    problems.report('file-encoding', topOf(file), { expected: 'UTF-8', found: 'bytes that are not' });
    return undefined;
  }
  if (text.trim() === '') {
    problems.report('file-empty', topOf(file), { text: 'expected a mapping, found an empty file' });
    return undefined;
  }
  const at = text.search(FORBIDDEN);
  const alone = text.search(LONE_RETURN);
  const first = at < 0 ? alone : alone < 0 ? at : Math.min(at, alone);
  if (first < 0) return text;
  const before = text.slice(0, first).split('\n');
  const code = text.charCodeAt(first).toString(16).toUpperCase().padStart(4, '0');
  const place = { ...topOf(file), line: before.length, column: before.at(-1)!.length + 1 };
  problems.report('file-encoding', place, {
    text: `expected visible text, found the control or invisible character U+${code}`,
  });
  return undefined;
}

/** YAML 1.2 takes nearly all of JSON and much more, so that JSON is held to its own grammar first. */
function isJson(file: string, text: string, problems: Problems): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (cause) {
    const position = /position (\d+)/.exec(String(cause))?.[1];
    const before = text.slice(0, Number(position ?? 0)).split('\n');
    const place = { ...topOf(file), line: before.length, column: before.at(-1)!.length + 1 };
    problems.report('json-syntax', place, { text: 'expected JSON, found something else here' });
    return false;
  }
}

function parseText(file: string, text: string, problems: Problems): Source | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    stringKeys: true,
    // Quadratic in the library; duplicates are found below.
    uniqueKeys: false,
    merge: false,
    resolveKnownTags: false,
    intAsBigInt: true,
    prettyErrors: false,
    // `silent` would also silence a second document.
    logLevel: 'error',
    lineCounter: lines,
  });
  const reader = new Reader(file, lines, problems);
  const faults = [...document.errors, ...document.warnings];
  for (const { code, message, pos } of faults.slice(0, SYNTAX_MAX)) {
    reader.report(
      code === 'MULTIPLE_DOCS' || code === 'TAG_RESOLVE_FAILED' ? 'yaml-feature' : 'yaml-syntax',
      pos[0],
      [],
      {
        text: syntaxText(code, message),
      },
    );
  }
  if (faults.length > 0) return undefined;
  if (document.directives?.yaml.explicit === true || /^%/.test(text)) {
    reader.report('yaml-feature', 0, [], { text: 'directives are not allowed' });
  }
  const start = document.contents?.range?.[0] ?? 0;
  if (!isMap(document.contents)) {
    const empty = document.contents === null || (isScalar(document.contents) && document.contents.value === null);
    reader.report(empty ? 'file-empty' : 'type-wrong', start, [], {
      text: empty ? 'expected a mapping, found an empty file' : 'expected a mapping at the top of the file',
    });
    return undefined;
  }
  const value = reader.read(document.contents, []);
  return reader.sound ? new Source(file, { value, spots: reader.spots, lines, start }) : undefined;
}

function syntaxText(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS') return 'expected one document, found another after it';
  if (code === 'TAB_AS_INDENT') return 'expected spaces, found a tab as indentation';
  if (code === 'TAG_RESOLVE_FAILED') return 'tags are not allowed';
  const plain = message.replace(/[^\x20-\x7e]+/g, ' ').replaceAll('`', "'");
  return `not well-formed: ${plain.charAt(0).toLowerCase()}${plain.slice(1)}`;
}

interface YamlNode {
  readonly range?: Range | null | undefined;
  readonly anchor?: string | undefined;
  readonly tag?: string | undefined;
  readonly source?: string | undefined;
  readonly type?: unknown;
}

/** Turns the document's nodes into plain values and remembers where they stand. */
class Reader {
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
