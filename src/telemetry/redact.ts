/** Takes secrets and excess out of what is about to be logged. Pure; never changes its argument. */

/** What stands instead of a secret. */
export const REDACTED = '[redacted]';

/** Bytes (UTF-8) of one string field; the rest is cut, and the cut is shown. */
export const FIELD_BYTES_MAX = 1024;
/** Deeper objects and longer lists than any event of ours has; beyond them a log line is not a place for data. */
const DEPTH_MAX = 6;
const ENTRIES_MAX = 64;

/** Lower-cased field names that hold a secret as a whole. */
const SECRET_FIELDS = new Set(['authorization', 'cookie', 'set-cookie', 'key', 'credentials', 'pepper', 'passphrase']);
/** Parts of names that do: `providerApiKey`, `x-api-key`, `client_secret`, `accessToken`, `db_password`, `digest`. */
const SECRET_PARTS = /(?:api[-_]?key|private[-_]?key|secret|token|digest|pepper|passw|authorization)/;
/** Names that hold such a part and say only what kind of token it is. */
const HARMLESS = /(?:^|[-_.])token[-_.]?(?:type|class)$/;

/** Our keys whole or cut, bearer values, and passwords in URLs, wherever they stand in a text. */
const KEY_SHAPE = /tg_[A-Za-z0-9-]{1,64}_[A-Za-z0-9]{1,64}_[A-Za-z0-9]*/g;
const BEARER = /\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+/gi;
const JWT_SHAPE = /\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g;
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/@]+@/gi;

/** A copy of `value` without secrets: fields by their lower-cased name, strings by their shape, everything bounded. */
export function redact(value: unknown): unknown {
  return clean(value, 0);
}

/** A text without key, token or URL-password shapes, at most 1 KiB. */
export function redactText(text: string): string {
  // Cut first to bound the work, with room for a secret that crosses the bound to be seen whole.
  const bounded = text.length > FIELD_BYTES_MAX * 8 ? text.slice(0, FIELD_BYTES_MAX * 8) : text;
  const safe = bounded
    .replace(KEY_SHAPE, REDACTED)
    .replace(JWT_SHAPE, REDACTED)
    .replace(BEARER, `$1 ${REDACTED}`)
    .replace(URL_PASSWORD, `$1:${REDACTED}@`);
  return cut(safe, text.length - bounded.length);
}

/** Counts of tokens are the product's daily bread: a number under a name in `tokens` is shown. */
function isSecretField(name: string, value: unknown): boolean {
  const lower = name.toLowerCase();
  if (SECRET_FIELDS.has(lower)) return true;
  if (!SECRET_PARTS.test(lower) || HARMLESS.test(lower)) return false;
  return !(lower.includes('tokens') && typeof value === 'number');
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value;
  if (depth >= DEPTH_MAX) return '[deeper]';
  if (value instanceof Error) return cleanError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return cleanList(value, depth);
  if (value instanceof Set) return cleanList([...value], depth);
  return cleanFields(value instanceof Map ? value.entries() : Object.entries(value), depth);
}

function cleanList(list: readonly unknown[], depth: number): unknown[] {
  const shown = list.slice(0, ENTRIES_MAX).map((item) => clean(item, depth + 1));
  return list.length > ENTRIES_MAX ? [...shown, `[${list.length - ENTRIES_MAX} more]`] : shown;
}

function cleanFields(entries: Iterable<[unknown, unknown]>, depth: number): unknown {
  const shown: Record<string, unknown> = Object.create(null);
  let count = 0;
  for (const [name, value] of entries) {
    if (++count > ENTRIES_MAX) break;
    const text = redactText(String(name));
    shown[text] = value !== undefined && isSecretField(text, value) ? REDACTED : clean(value, depth + 1);
  }
  return shown;
}

/** Errors keep type, code, message, stack and cause; other own fields are not for the log. */
function cleanError(error: Error, depth: number): unknown {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    type: error.name,
    code,
    message: redactText(error.message),
    stack: error.stack === undefined ? undefined : redactText(error.stack),
    cause: error.cause === undefined ? undefined : clean(error.cause, depth + 1),
  };
}

/** At most FIELD_BYTES_MAX bytes of UTF-8, cut between characters; `lost` is what was cut before, in UTF-16 units. */
function cut(text: string, lost: number): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= FIELD_BYTES_MAX && lost === 0) return text;
  const mark = `… [${bytes - FIELD_BYTES_MAX + lost} more]`;
  const room = FIELD_BYTES_MAX - Buffer.byteLength(mark);
  const kept = Buffer.from(text)
    .subarray(0, room)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
  return kept + mark;
}
