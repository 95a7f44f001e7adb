/** What is wrong with a bundle: one closed list of rules, and problems that say where, what was expected and what was found. */

export type Severity = 'error' | 'warning';

/** A rule of the bundle. `controls`: the NIST CSF 2.0 outcomes and OWASP Non-Human Identities Top 10 2025 ids that it serves. */
interface Rule {
  readonly severity: Severity;
  readonly controls: readonly string[];
}

const FORM: Rule = { severity: 'error', controls: ['PR.PS-01'] };
const OWNED: Rule = { severity: 'error', controls: ['GV.OC-01', 'GV.RR-02', 'NHI1'] };
const PRICED: Rule = { severity: 'error', controls: ['GV.OC-01', 'GV.RR-02'] };
const BOUNDED: Rule = { severity: 'error', controls: ['PR.IR-04'] };
const STEPPED: Rule = { severity: 'error', controls: ['PR.AA-05'] };
const REACHED: Rule = { severity: 'warning', controls: ['PR.AA-05', 'NHI5'] };

/** Rules by id. An id once published is never renamed; its severity may only rise. */
export const RULES = {
  'file-missing': FORM,
  'file-unknown': FORM,
  'file-unreadable': FORM,
  'file-size': FORM,
  'file-encoding': FORM,
  'file-empty': FORM,
  'yaml-syntax': FORM,
  'yaml-feature': FORM,
  'json-syntax': FORM,
  'number-form': FORM,
  'nesting-depth': FORM,
  'key-duplicate': FORM,
  'key-unknown': FORM,
  'key-missing': FORM,
  'type-wrong': FORM,
  'value-wrong': FORM,
  'name-duplicate': FORM,
  'name-unknown': FORM,
  'name-elsewhere': REACHED,
  'secret-inline': { severity: 'error', controls: ['PR.AA-01', 'PR.DS-01', 'NHI2'] },
  'owner-missing': OWNED,
  'timezone-missing': FORM,
  'price-missing': PRICED,
  'price-inexact': PRICED,
  'price-overlap': PRICED,
  'price-gap': PRICED,
  'price-cycle': PRICED,
  'cost-missing': { severity: 'warning', controls: ['GV.OC-04'] },
  'amount-form': BOUNDED,
  'amount-range': BOUNDED,
  'limit-shape': BOUNDED,
  'limit-duplicate': BOUNDED,
  'limit-vain': { severity: 'warning', controls: ['PR.IR-04'] },
  'override-scope': BOUNDED,
  'override-unit': BOUNDED,
  'ladder-cycle': STEPPED,
  'ladder-conflict': STEPPED,
  'ladder-dearer': STEPPED,
  'ladder-provider': STEPPED,
  'ladder-percent': STEPPED,
  'ladder-limit': STEPPED,
  'ladder-dead-end': { severity: 'warning', controls: ['PR.AA-05'] },
  'ladder-uncleared': REACHED,
  'route-duplicate': FORM,
  'route-dialect': FORM,
  'model-unserved': REACHED,
  'model-ambiguous': { severity: 'error', controls: ['GV.OC-01', 'PR.PS-01'] },
  'rule-form': { severity: 'error', controls: ['PR.AA-05', 'NHI5'] },
  'account-orphan': { severity: 'error', controls: ['GV.RR-02', 'NHI1'] },
  'account-key': FORM,
  'credential-lifetime': { severity: 'error', controls: ['PR.AA-01', 'NHI7'] },
  'credential-age': { severity: 'warning', controls: ['PR.AA-01', 'NHI7'] },
  'credential-environment': { severity: 'warning', controls: ['PR.AA-05', 'NHI8'] },
  'credential-account': { severity: 'warning', controls: ['PR.AA-05', 'NHI5'] },
  'setting-range': FORM,
  'listen-exposed': { severity: 'error', controls: ['PR.AA-05', 'PR.IR-01'] },
  'secret-file': { severity: 'error', controls: ['PR.AA-01', 'PR.DS-01', 'NHI2'] },
} as const satisfies Record<string, Rule>;

export type RuleId = keyof typeof RULES;

/** Where something stands. `line` and `column` count from 1; columns are UTF-16 code units. */
export interface Place {
  /** Relative to the bundle's directory. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
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
  readonly nearest?: string | undefined;
  readonly text?: string;
}

/** Of more problems nobody reads more, and a hostile file must not fill memory. */
const PROBLEMS_MAX = 1000;

/** Collects problems; beyond 1000 they are only counted. */
export class Problems {
  readonly #found: Problem[] = [];
  #errors = 0;
  #dropped = 0;

  report(rule: RuleId, at: Place & { readonly path: string }, finding: Finding): void {
    const { severity, controls } = RULES[rule];
    if (severity === 'error') this.#errors += 1;
    if (this.#found.length >= PROBLEMS_MAX) {
      this.#dropped += 1;
      return;
    }
    const { expected, found, nearest } = finding;
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
      nearest,
      text: sentence(at.path, finding),
    });
  }

  /** Errors so far, those beyond the bound included. */
  get errors(): number {
    return this.#errors;
  }

  /** Problems beyond the bound. */
  get dropped(): number {
    return this.#dropped;
  }

  /** By file, line, column; errors before warnings at one place. */
  sorted(): readonly Problem[] {
    return this.#found.toSorted(
      (a, b) =>
        compare(a.file, b.file) ||
        a.line - b.line ||
        a.column - b.column ||
        compare(a.severity, b.severity) ||
        compare(a.rule, b.rule),
    );
  }
}

/** `file:line:column: error rule: text [controls]`, as compilers print it and editors read it. */
export function formatProblem(problem: Problem): string {
  const { file, line, column, severity, rule, text, controls } = problem;
  return `${file}:${line}:${column}: ${severity} ${rule}: ${text} [${controls.join(', ')}]`;
}

function sentence(path: string, { expected, found, nearest, text }: Finding): string {
  const where = path === '' ? '' : `\`${path}\`: `;
  const what = text ?? [expected && `expected ${expected}`, found && `found ${found}`].filter(Boolean).join(', ');
  return `${where}${what}${nearest === undefined ? '' : `; did you mean \`${nearest}\`?`}`;
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

/** The known name that `name` was probably meant to be: at most a third of its letters differ (transposition counts once). */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > 64) return undefined;
  let best: string | undefined;
  let distanceMax = Math.max(1, Math.floor(name.length / 3));
  for (const candidate of known) {
    if (candidate === name || Math.abs(candidate.length - name.length) > distanceMax) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < distanceMax || (distance === distanceMax && best === undefined)) {
      best = candidate;
      distanceMax = distance;
    }
  }
  return best;
}

/** Optimal string alignment distance: insert, delete, replace, swap neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = above;
    above = row;
  }
  return above[b.length]!;
}
