/** JSON of tokens and key sets, read so that no two readers can read it differently. */

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** A string of valid JSON, and the colon after it where it is a key. */
const STRING = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/**
 * The object that `bytes` hold: UTF-8, JSON, and no key twice in any object, however it is spelled. Undefined for anything
 * else. Linear; the caller bounds the length. What it answers is data of a stranger: look keys up with `Object.hasOwn`.
 */
export function strictObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  let text: string;
  let value: unknown;
  try {
    text = UTF8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  // JSON.parse keeps the last of two like keys: then the text has more keys than the value.
  return keysOfText(text) === keysOfValue(value) ? (value as Record<string, unknown>) : undefined;
}

function keysOfText(text: string): number {
  let keys = 0;
  for (const [, colon] of text.matchAll(STRING)) if (colon !== undefined) keys += 1;
  return keys;
}

/** Without recursion: nesting is a stranger's. */
function keysOfValue(value: object): number {
  let keys = 0;
  const open: object[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const entries: unknown[] = Object.values(next);
    if (!Array.isArray(next)) keys += entries.length;
    for (const entry of entries) if (typeof entry === 'object' && entry !== null) open.push(entry);
  }
  return keys;
}
