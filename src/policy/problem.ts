/** What is wrong with a bundle: problems that say where, what was expected and what was found. */
import { nearest } from './nearest.ts';
import { RULES, type RuleId, type Severity } from './rules.ts';

/** Where something stands. `line` and `column` count from 1; columns are UTF-16 code units. */
export interface Place {
  /** Relative to the bundle's directory. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The beginning of a file, for what is wrong with it as a whole. */
export function topOf(file: string): Place & { readonly path: string } {
  return { file, line: 1, column: 1, path: '' };
}

export interface Problem extends Place {
  readonly severity: Severity;
  readonly rule: RuleId;
  readonly controls: readonly string[];
  /** Path of keys inside the file, e.g. `plans.growth.limits[0].max`; empty for the file itself. */
  readonly path: string;
  readonly expected: string | undefined;
  readonly found: string | undefined;
  /** The nearest known name. */
  readonly nearest: string | undefined;
  /** All of it in one sentence: lower case, values in backticks, no full stop, no line breaks. */
  readonly text: string;
}

/** What a problem says: either expected and found, or a sentence of its own. */
export interface Finding {
  readonly expected?: string;
  readonly found?: string;
  readonly text?: string;
  /** A name that nobody knows, and those among which the one that was meant may be. */
  readonly misspelt?: { readonly name: string; readonly known: Iterable<string> } | undefined;
}

/** Of more problems nobody reads more, and a hostile file must not fill memory. */
const PROBLEMS_MAX = 1000;

/** Collects problems; beyond 1000 they are only counted. */
export class Problems {
  readonly #found: Problem[] = [];
  readonly #filesWithErrors = new Set<string>();
  #errors = 0;
  #dropped = 0;

  report(rule: RuleId, at: Place & { readonly path: string }, finding: Finding): void {
    const { severity, controls } = RULES[rule];
    if (severity === 'error') {
      this.#errors += 1;
      this.#filesWithErrors.add(at.file);
    }
    if (this.#found.length >= PROBLEMS_MAX) {
      this.#dropped += 1;
      return;
    }
    const { expected, found, misspelt } = finding;
    const meant = misspelt && nearest(misspelt.name, misspelt.known);
    const text = sentence(at.path, finding);
    this.#found.push({
      file: at.file,
      line: at.line,
      column: at.column,
      severity,
      rule,
      controls,
      path: at.path,
      expected,
      found,
      nearest: meant,
      text: meant === undefined ? text : `${text}; did you mean \`${meant}\`?`,
    });
  }

  /** Errors so far, those beyond the bound included. */
  get errors(): number {
    return this.#errors;
  }

  /** Whether any error is in `file`. */
  isWrong(file: string): boolean {
    return this.#filesWithErrors.has(file);
  }

  /** Problems beyond the bound. */
  get dropped(): number {
    return this.#dropped;
  }

  sorted(): readonly Problem[] {
    return this.#found.toSorted(byPlace);
  }
}

/** The order of problems: by file, line, column; at one place errors before warnings. */
export function byPlace(a: Problem, b: Problem): number {
  return (
    compare(a.file, b.file) ||
    a.line - b.line ||
    a.column - b.column ||
    compare(a.severity, b.severity) ||
    compare(a.rule, b.rule)
  );
}

/** `file:line:column: error rule: text [controls]`, as compilers print it and editors read it. */
export function formatProblem(problem: Problem): string {
  const { file, line, column, severity, rule, text, controls } = problem;
  return `${file}:${line}:${column}: ${severity} ${rule}: ${text} [${controls.join(', ')}]`;
}

function sentence(path: string, { expected, found, text }: Finding): string {
  const where = path === '' ? '' : `\`${path}\`: `;
  const what = text ?? [expected && `expected ${expected}`, found && `found ${found}`].filter(Boolean).join(', ');
  return where + what;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A value of the file as a message shows it: short, on one line, never a secret's whole text. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'string') return value === '' ? 'an empty text' : `\`${clip(value)}\``;
  if (typeof value === 'object' && !('text' in value && Object.keys(value).length === 1)) return 'a mapping';
  return `\`${String(value)}\``;
}

const SHOWN_CHARS_MAX = 60;

function clip(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]/g, '?').replaceAll('`', "'");
  return plain.length > SHOWN_CHARS_MAX ? `${plain.slice(0, SHOWN_CHARS_MAX)}…` : plain;
}
