/**
 * The member names that a body is read by, and the two questions asked of every key: which of them is it, and does it
 * pretend to be one of them.
 */
const NAMES = [
  'model',
  'stream',
  'stream_options',
  'include_usage',
  'max_tokens',
  'max_completion_tokens',
  'n',
  'best_of',
  'tools',
  'functions',
  'service_tier',
  'thinking',
  'models',
  'fallbacks',
  'response_format',
  'output_config',
  'output_format',
  'messages',
  'content',
  'input',
  'source',
  'type',
  'media_type',
  'data',
  'image_url',
  'url',
  'file',
  'file_data',
  'input_audio',
  'cache_control',
  'prompt_cache_options',
  'prompt_cache_breakpoint',
  'prompt',
  'max_output_tokens',
  'previous_response_id',
  'conversation',
  'store',
  'background',
  'output',
  'text',
  'contents',
  'parts',
  'inlineData',
  'mimeType',
  'generationConfig',
  'generation_config',
  'maxOutputTokens',
  'candidateCount',
  'candidate_count',
  'cachedContent',
  'cached_content',
  'functionCall',
  'functionResponse',
  'inferenceConfig',
  'maxTokens',
  'additionalModelRequestFields',
  'toolConfig',
  'toolUse',
  'toolResult',
  'image',
  'document',
  'video',
  'bytes',
  'cachePoint',
] as const;

export type KeyName = (typeof NAMES)[number];

/** A name's number, 1 to KEY_COUNT - 1; 0 is any other key. */
export const KEY = Object.freeze(Object.fromEntries(NAMES.map((name, index) => [name, index + 1]))) as Readonly<
  Record<KeyName, number>
>;
export const KEY_COUNT: number = NAMES.length + 1;
export const OTHER_KEY = 0;
/** Stands in a path, instead of a name's number, for a level that is an array. */
export const ARRAY_LEVEL = 255;

/** A set of names, indexed by number; also by ARRAY_LEVEL, which is in none. */
export function keySet(names: readonly KeyName[]): Uint8Array {
  const set = new Uint8Array(256);
  for (const name of names) set[KEY[name]] = 1;
  return set;
}

export function keyName(id: number): KeyName {
  return NAMES[id - 1]!;
}

const BUCKETS = 256;
const bytesOf: readonly Uint8Array[] = [new Uint8Array(0), ...NAMES.map((name) => Buffer.from(name, 'latin1'))];
const first = new Uint8Array(BUCKETS);
const next = new Uint8Array(KEY_COUNT);

function bucketOf(length: number, head: number, tail: number): number {
  return (length * 37 + head * 5 + tail * 11) & (BUCKETS - 1);
}

for (let id = 1; id < KEY_COUNT; id++) {
  const bytes = bytesOf[id]!;
  const bucket = bucketOf(bytes.length, bytes[0]!, bytes[bytes.length - 1]!);
  next[id] = first[bucket]!;
  first[bucket] = id;
}

/** Number of the name that stands at [start, end) without quotes or escapes; OTHER_KEY if it is none of ours. */
export function keyBetween(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 0) return OTHER_KEY;
  let id = first[bucketOf(length, bytes[start]!, bytes[end - 1]!)]!;
  while (id !== OTHER_KEY) {
    const name = bytesOf[id]!;
    if (name.length === length) {
      let at = 0;
      while (at < length && name[at] === bytes[start + at]) at++;
      if (at === length) return id;
    }
    id = next[id]!;
  }
  return OTHER_KEY;
}

/** Longest spelling that can still fold to one of our names: 28 characters of up to 3 bytes each. */
export const TWIN_BYTES_MAX = 84;
/** Most characters of such a spelling: those of the name, and a U+0307 behind each `i`, which folding takes away. */
export const TWIN_CHARS_MAX: number = Math.max(...NAMES.map((name) => name.length + (name.match(/i/gi)?.length ?? 0)));
/**
 * Whether a key may fold to another: true unless it is lower-case ASCII, which only folds to itself. Spares most keys
 * the slow question.
 */
export function mayFold(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > TWIN_BYTES_MAX) return false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80 || (byte >= 0x41 && byte <= 0x5a)) return true;
  }
  return false;
}

/**
 * The name that case-insensitive parsers take `text` for. Wider than Unicode's simple folding on purpose: through upper
 * case and back, so that U+017F, U+212A, U+0131, U+0130 and the ligature U+FB06 are seen as the letters they fold to.
 */
export function folded(text: string): string {
  if (text.length > TWIN_BYTES_MAX) return text;
  return text.toUpperCase().toLowerCase().replaceAll('i\u0307', 'i');
}

/** Control characters and lone surrogates: parsers that cut keys at them would read another name. */
export function hasStrayCharacter(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return /[\u0000-\u001f\u007f]/.test(text) || !text.isWellFormed();
}
