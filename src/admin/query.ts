/** Queries of lists: known words, each once, bounded. */
import { parseDay } from '../core/day.ts';
import { problem } from './problem.ts';
import { ProblemError } from './problem-error.ts';

/** Entries of a page. */
export const PAGE_DEFAULT = 50;
export const PAGE_MAX = 200;
const WORD_CHARS_MAX = 256;
/** RFC 3339 in UTC, as our answers write it. */
const INSTANT = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,3})?Z$/;

function wrong(detail: string): ProblemError {
  return new ProblemError(problem('request_malformed', detail));
}

/** The words of a query by name. Throws a ProblemError for a name that is not `known`, or there twice. */
export function readQuery<Name extends string>(url: string, known: readonly Name[]): ReadonlyMap<Name, string> {
  const found = new Map<Name, string>();
  for (const [name, value] of new URL(url).searchParams) {
    const word = known.find((each) => each === name);
    if (word === undefined) {
      const names = known.length === 0 ? 'no query' : `a query of ${known.map((each) => `\`${each}\``).join(', ')}`;
      throw wrong(`expected ${names}, found another word`);
    }
    if (found.has(word)) throw wrong(`expected \`${word}\` once`);
    if (value === '' || value.length > WORD_CHARS_MAX)
      throw wrong(`expected \`${word}\` of 1 to ${WORD_CHARS_MAX} characters`);
    found.set(word, value);
  }
  return found;
}

/** `limit` and `after` of a query. */
export function readPage(query: ReadonlyMap<string, string>): {
  readonly limit: number;
  readonly after: string | undefined;
} {
  const written = query.get('limit');
  const limit = written === undefined ? PAGE_DEFAULT : Number(/^[0-9]{1,4}$/.exec(written)?.[0] ?? 0);
  if (limit < 1 || limit > PAGE_MAX) throw wrong(`expected \`limit\` from 1 to ${PAGE_MAX}`);
  return { limit, after: query.get('after') };
}

/** `since` of a query: a day in UTC, or an instant; epoch ms. */
export function readSince(query: ReadonlyMap<string, string>): number | undefined {
  const written = query.get('since');
  if (written === undefined) return undefined;
  const ms = INSTANT.test(written) ? Date.parse(written) : parseDay(written);
  if (ms === undefined || Number.isNaN(ms)) throw wrong('expected `since` like `2026-01-31` or `2026-01-31T09:00:00Z`');
  return ms;
}
