/**
 * The forms of single values in a bundle. Each description completes "expected …". What a text means beyond its form
 * (amounts, names of other things) is for the compiler.
 */
import * as z from 'zod';
import { DAY, parseDay } from '../core/day.ts';
import { mayBeFetched } from './fetched-url.ts';
import { KINDS } from './policy.ts';
import { DECIMAL, DURATION, parseCount, parseDuration, parsePercent, parseSize, SIZE } from './quantity.ts';
import { Decimal } from './source.ts';

/** Entries of one list or mapping, but for accounts and keys. */
const ENTRIES_MAX = 10_000;

/** A text that matches `pattern`, which is anchored and does not backtrack. */
export function text(pattern: RegExp, expected: string) {
  return z.string().regex(pattern).describe(expected);
}

/**
 * A text that `accepts` can read: it answers undefined for others. `pattern` is for whoever cannot ask it (editors): it
 * takes all that `accepts` takes, and little more.
 */
export function checked(accepts: (text: string) => unknown, expected: string, pattern: RegExp) {
  return z
    .string()
    .refine((value) => accepts(value) !== undefined)
    .meta({ description: expected, pattern: pattern.source });
}

/** One entry or more: an empty list would mean nothing, or everything. */
export function list<T extends z.ZodType>(item: T, expected: string) {
  return z.array(item).min(1).max(ENTRIES_MAX).describe(`a list of ${expected}`);
}

/** Source of an expression, not anchored. */
export const NAME = '[A-Za-z][A-Za-z0-9._-]{0,63}';
export const name = text(new RegExp(`^${NAME}$`), `a name (${NAME})`);
export const className = text(/^[a-z][a-z0-9_-]{0,31}$/, 'a class ([a-z][a-z0-9_-]{0,31})');
export const modelName = text(/^[A-Za-z0-9._:/@-]{1,128}$/, 'a model name ([A-Za-z0-9._:/@-]{1,128})');
export const modelPattern = text(
  /^[A-Za-z0-9._:/@*-]{1,128}$/,
  'a model name or pattern ([A-Za-z0-9._:/@*-]{1,128}), `*` for any characters',
);
const part = '(?!\\.{1,2}(?:/|$))[a-z0-9._-]{1,64}';
const ACCOUNT_PATH = new RegExp(`^${part}(?:/${part}){0,7}$`);
const ACCOUNT_CHARS_MAX = 256;
/** Whether `text` may be an account, declared or not: 1 to 8 parts, at most 256 characters. */
export function isAccountPath(text: string): boolean {
  return text.length <= ACCOUNT_CHARS_MAX && ACCOUNT_PATH.test(text);
}
export const accountPath = z
  .string()
  .max(ACCOUNT_CHARS_MAX)
  .regex(ACCOUNT_PATH)
  .describe('an account like `acme/search` (parts of [a-z0-9._-]{1,64}, at most 8)');
export const accountPattern = text(
  new RegExp(`^(?:\\*\\*|${part}(?:/${part}){0,7}(?:/\\*\\*)?)$`),
  'an account like `acme/search`, or `acme/**` for it and all below it',
);
export const accountTemplate = text(
  new RegExp(`^${part}(?:/(?:${part}|\\{[A-Za-z0-9_]{1,64}\\})){0,7}$`),
  'an account whose first part is literal, with whole parts from claims, like `acme/{team}`',
);
export const owner = text(/^[^\s@]{1,64}@[^\s@]{1,190}$/, 'an owner like `team@acme.example`');
export const enforce = z.enum(['on', 'observe', 'off']).describe('`on`, `observe` or `off`');
export const duration = checked(parseDuration, 'a length of time like `100ms`, `30s`, `15m`, `1h` or `90d`', DURATION);
export const size = checked(parseSize, 'a size like `64KiB` or `4MiB`', SIZE);
export const date = checked(parseDay, 'a day like `2026-01-31`', DAY);
export const percent = checked(
  (value) => {
    const parsed = parsePercent(value);
    return parsed !== undefined && parsed >= 10_000 && parsed % 10_000 === 0 ? parsed : undefined;
  },
  'a percent from `1%` to `100%`',
  /^(?:100|[1-9][0-9]?)(?:\.0{1,4})?%$/,
);
export const count = z
  .union([z.int(), z.string(), z.instanceof(Decimal)])
  .refine((value) => parseCount(value) !== undefined)
  .meta({
    description: 'a whole number like `400` or `128k`, below 2^53',
    type: ['integer', 'string'],
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    pattern: `^${DECIMAL}$`,
  });
export const decimal = z
  .union([z.int().nonnegative(), z.instanceof(Decimal)])
  .meta({ description: 'an amount of money like `1.25`', type: 'number', minimum: 0 });
const label = text(/^[A-Za-z0-9][A-Za-z0-9._ /:@+-]{0,127}$/, 'a text of [A-Za-z0-9._ /:@+-]; numbers in quotes');
export const labels = z.record(name, label).describe('a mapping of texts');
export const sentence = z.string().min(1).max(200).describe('a text of up to 200 characters');
export const flag = z.boolean().describe('`true` or `false`');
export const kind = z.enum(KINDS).describe('`human`, `service` or `agent`');
/** Sources of expressions, not anchored: a key's text has both inside it. */
export const ENVIRONMENT = '[a-z][a-z0-9-]{0,31}';
export const KEY_ID = '[a-z][a-z0-9]{5,31}';
export const environment = text(new RegExp(`^${ENVIRONMENT}$`), `an environment (${ENVIRONMENT})`);
export const keyId = text(new RegExp(`^${KEY_ID}$`), `a public id (${KEY_ID})`);
/** Plain http reaches loopback only: whoever can read it there is already on the machine. */
const URL_FORM =
  '(?:https://[A-Za-z0-9.-]+|http://(?:localhost|127(?:\\.[0-9]{1,3}){3}|\\[::1\\]))(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?';
const HTTPS = new RegExp(`^${URL_FORM}$`);
const KEY_SET_PLACE = new RegExp(`^(?:${URL_FORM}|/?[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*)$`);
const NEVER = 'never of a link-local or metadata address';
export const https = checked(
  (value) => (HTTPS.test(value) && mayBeFetched(value) ? value : undefined),
  `an https URL without query (http only on loopback), ${NEVER}`,
  HTTPS,
);
export const keySetPlace = checked(
  (value) => (KEY_SET_PLACE.test(value) && (!value.includes('://') || mayBeFetched(value)) ? value : undefined),
  `an https URL without query (http only on loopback), ${NEVER}, or a file like \`jwks/corp.json\``,
  KEY_SET_PLACE,
);
