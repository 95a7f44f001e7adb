/** Strict YAML 1.2 and JSON: from bytes to plain values that remember where they stand. */
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { type Problems, topOf } from './problem.ts';
import { Source } from './source.ts';
import { Reader } from './yaml-reader.ts';

/** What YAML's own parser takes 3 s for must not be a bundle; JSON is for generated files. */
const YAML_BYTES_MAX = 2 * 1024 * 1024;
const JSON_BYTES_MAX = 8 * 1024 * 1024;
const SYNTAX_MAX = 20;

/** Control, format (bidirectional, zero-width, byte order mark) and invisible space characters, whatever they hide. */
const FORBIDDEN = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u00a0\u202f]--[\t\n\r]]/v;
/** Lists and keys that begin on one line: `- - - -`. */
const OPENINGS = /(?:[-?:][ \t]+){64}/;
/** Brackets open at once. */
const OPEN_MAX = 256;
const LONE_RETURN = /\r(?!\n)/;
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
  if (isTooDeep(file, text, problems)) return undefined;
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

/**
 * The parser recurses, and takes seconds for what nests by the thousand. Brackets in texts and comments count too, but nobody
 * leaves that many of them open.
 */
function isTooDeep(file: string, text: string, problems: Problems): boolean {
  const report = (at: number): true => {
    const before = text.slice(0, at).split('\n');
    problems.report(
      'nesting-depth',
      { ...topOf(file), line: before.length, column: before.at(-1)!.length + 1 },
      { text: 'expected a few levels of nesting, found hundreds' },
    );
    return true;
  };
  const inOneLine = text.search(OPENINGS);
  if (inOneLine >= 0) return report(inOneLine);
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) depth += 1;
    else if ((code === 0x5d || code === 0x7d) && depth > 0) depth -= 1;
    if (depth > OPEN_MAX) return report(at);
  }
  return false;
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
