/** Bodies just under 4 MiB that cost the most to read, by what they are full of; for every API that is served. */
const BODY_MAX_BYTES = 4 * 2 ** 20;
/** The scanner's own bounds: what stops there costs less than what stops short of it. */
const KEYS = 9_900;
const VALUES = 395_000;

export interface HeavyBody {
  readonly what: string;
  readonly route: HeavyRoute;
  body(): Buffer;
}

export type HeavyRoute = 'chat' | 'completions' | 'embeddings' | 'responses' | 'messages' | 'gemini' | 'bedrock';

/** Where each route is asked. */
export const HEAVY_PATHS: Readonly<Record<HeavyRoute, string>> = {
  chat: '/v1/chat/completions',
  completions: '/v1/completions',
  embeddings: '/v1/embeddings',
  responses: '/v1/responses',
  messages: '/v1/messages',
  gemini: '/v1beta/models/gpt-5-mini:generateContent',
  bedrock: '/model/gpt-5-mini/converse',
};

/** The routes in lines of traffic.yaml, `chat` aside, which its user has. */
export const HEAVY_ROUTES: readonly string[] = [
  'completions: {dialect: openai-completions, match: {method: POST, path: /v1/completions}, body_max: 4MiB}',
  'embeddings: {dialect: openai-embeddings, match: {method: POST, path: /v1/embeddings}, body_max: 4MiB}',
  'responses: {dialect: openai-responses, match: {method: POST, path: /v1/responses}, body_max: 4MiB}',
  'messages: {dialect: anthropic-messages, match: {method: POST, path: /v1/messages}, body_max: 4MiB}',
  'gemini: {dialect: gemini, match: {method: POST, path: "/v1beta/models/{model}:generateContent"}, body_max: 4MiB}',
  'bedrock: {dialect: bedrock-converse, match: {method: POST, path: "/model/{model}/converse"}, body_max: 4MiB}',
];

interface Around {
  readonly head?: string;
  readonly tail?: string;
  /** Units at most; default as many as there is room for. */
  readonly most?: number;
}

const HEAD = '{"model":"gpt-5-mini","max_tokens":5,"messages":[],';

/** `unit` again and again between `head` and `tail`; a unit may depend on its number, if all are as long as the first. */
function filled(
  unit: string | ((index: number) => string),
  { head = `${HEAD}"x":[`, tail = '0]}', most }: Around = {},
): Buffer {
  const unitOf = typeof unit === 'string' ? () => unit : unit;
  const room = BODY_MAX_BYTES - 1024 - Buffer.byteLength(head + tail);
  const count = Math.min(most ?? Number.POSITIVE_INFINITY, Math.floor(room / Buffer.byteLength(unitOf(0))));
  const text =
    typeof unit === 'string' ? unit.repeat(count) : Array.from({ length: count }, (_, index) => unitOf(index)).join('');
  return Buffer.from(head + text + tail);
}

/** One text, full of `unit`. */
const textOf = (unit: string, member = `${HEAD}"x":`): Buffer => filled(unit, { head: `${member}"`, tail: '"}' });
/** `length` characters that are number `index`, and no other's. */
const serial = (index: number, length: number): string => index.toString(36).padStart(length, '0');
const escaped = (text: string): string =>
  [...text].map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

/** An object of as many keys as may be, each `length` bytes long as `keyOf` makes it. */
function keyed(keyOf: (index: number) => string, around: Around = {}): Buffer {
  return filled((index) => `"${keyOf(index)}":0,`, { head: `${HEAD}"x":{`, tail: '"last":0}}', most: KEYS, ...around });
}
const atRoot: Around = { head: HEAD, tail: '"last":0}' };
const ESCAPED_KEY_CHARS = 66;

/** Content parts inside content parts, as deep as may be, around `inner`. */
function parts(inner: string): Pick<Around, 'head' | 'tail'> {
  const levels = 27;
  return {
    head: `{"model":"gpt-5-mini","max_tokens":5,"messages":[{"role":"user","content":[${'{"content":['.repeat(levels)}${inner}`,
    tail: `""]}${']}'.repeat(levels)}]}]}`,
  };
}

/** Lists in one another down to the bound, again and again. */
const DEEP = 60;

const shapes: readonly (readonly [route: HeavyRoute, what: string, body: () => Buffer])[] = [
  ['chat', 'numbers', () => filled('1,', { most: VALUES })],
  ['chat', 'numbers and white space', () => filled('1 \n\t\r , ', { most: VALUES })],
  ['chat', 'numbers of eight digits', () => filled('-1.5e+77,', { most: VALUES })],
  ['chat', 'literals', () => filled('false,', { most: VALUES })],
  ['chat', 'empty texts', () => filled('"",', { most: VALUES })],
  ['chat', 'texts of five bytes', () => filled('"aaaaa",', { most: VALUES })],
  ['chat', 'texts of one escape', () => filled('"\\u0041",', { most: VALUES })],
  ['chat', 'lists', () => filled('[],', { most: VALUES })],
  ['chat', 'objects', () => filled('{},', { most: VALUES })],
  ['chat', 'deep lists', () => filled(`${'['.repeat(DEEP)}${']'.repeat(DEEP)},`, { most: VALUES / DEEP })],
  [
    'chat',
    'deep lists with white space',
    () => filled(`${'[ '.repeat(DEEP)}${'] '.repeat(DEEP)},`, { most: VALUES / DEEP }),
  ],
  ['chat', 'more values than may be', () => filled('[],')],
  ['chat', 'nothing but opening brackets', () => filled('[')],
  ['chat', 'white space', () => filled(' \n')],
  ['chat', 'spaces', () => filled(' ')],
  ['chat', 'one long number', () => filled('1')],
  [
    'chat',
    'a long `max_tokens`',
    () => filled('1', { head: '{"model":"gpt-5-mini","messages":[],"max_tokens":', tail: '1}' }),
  ],
  [
    'chat',
    'a long `n` of zeros behind a point',
    () => filled('0', { head: '{"model":"gpt-5-mini","messages":[],"n":1.', tail: '1}' }),
  ],
  ['chat', 'a long model', () => textOf('m', '{"messages":[],"model":')],
  ['chat', 'a long model in escapes', () => textOf('\\u006d', '{"messages":[],"model":')],
  ['chat', 'a long model in short escapes', () => textOf('\\/', '{"messages":[],"model":')],
  ['chat', 'a long model in beyond ASCII', () => textOf('世', '{"messages":[],"model":')],
  ['chat', 'a long `stream`', () => textOf('\\n', '{"model":"gpt-5-mini","messages":[],"stream":')],
  ['chat', 'escapes', () => textOf('\\u00e4')],
  ['chat', 'short escapes', () => textOf('\\n')],
  ['chat', 'escapes apart by one byte', () => textOf('a\\n')],
  ['chat', 'escapes apart by three bytes', () => textOf('aaa\\n')],
  ['chat', 'escapes apart by seven bytes', () => textOf('aaaaaaa\\n')],
  ['chat', 'escapes apart by eight bytes', () => textOf('aaaaaaaa\\n')],
  ['chat', 'surrogate pairs in escapes', () => textOf('\\ud83c\\udf0d')],
  ['chat', 'halves of surrogate pairs', () => textOf('\\ud83c')],
  ['chat', 'escapes of all lengths', () => textOf('\\n\\u00e4a\\ud83c\\udf0dbc\\"')],
  ['chat', 'prose', () => textOf('The quick brown fox jumps over the lazy dog. ')],
  ['chat', 'text of two bytes a character', () => textOf('ä')],
  ['chat', 'text of three bytes a character', () => textOf('世界')],
  ['chat', 'text of four bytes a character', () => textOf('🌍')],
  ['chat', 'a control byte at the end', () => filled('a', { head: `${HEAD}"x":"`, tail: '\n"}' })],
  [
    'chat',
    'bytes that are no UTF-8 at the end',
    () => Buffer.concat([filled('世', { head: `${HEAD}"x":"`, tail: '' }), Buffer.from('ff227d', 'hex')]),
  ],
  ['chat', 'one plain key', () => filled('k', { head: `${HEAD}"`, tail: '":0}' })],
  ['chat', 'one key in escapes', () => filled('\\u006b', { head: `${HEAD}"`, tail: '":0}' })],
  ['chat', 'one key in short escapes', () => filled('\\n', { head: `${HEAD}"`, tail: '":0}' })],
  ['chat', 'one key in surrogate pairs', () => filled('\\ud83c\\udf0d', { head: `${HEAD}"`, tail: '":0}' })],
  ['chat', 'one key beyond ASCII', () => filled('世', { head: `${HEAD}"`, tail: '":0}' })],
  ['chat', 'one key in escapes, third level', () => filled('\\u006b', { head: `${HEAD}"tools":[{"`, tail: '":0}]}' })],
  [
    'chat',
    'one key in escapes, tenth level',
    () => filled('\\u006b', { head: `${HEAD}"x":[[[[[[[[{"`, tail: '":0}]]]]]]]]}' }),
  ],
  ['chat', 'keys', () => keyed((index) => serial(index, 8), atRoot)],
  ['chat', 'long keys', () => keyed((index) => serial(index, 400), atRoot)],
  ['chat', 'keys in escapes', () => keyed((index) => escaped(serial(index, ESCAPED_KEY_CHARS)), atRoot)],
  ['chat', 'keys in escapes, second level', () => keyed((index) => escaped(serial(index, ESCAPED_KEY_CHARS)))],
  [
    'chat',
    'keys in escapes, third level',
    () =>
      keyed((index) => escaped(serial(index, ESCAPED_KEY_CHARS)), { head: `${HEAD}"tools":[{`, tail: '"last":0}]}' }),
  ],
  [
    'chat',
    'keys in escapes, tenth level',
    () =>
      keyed((index) => escaped(serial(index, ESCAPED_KEY_CHARS)), {
        head: `${HEAD}"x":[[[[[[[[{`,
        tail: '"last":0}]]]]]]]]}',
      }),
  ],
  [
    'chat',
    'keys in surrogate pairs',
    () => keyed((index) => `${'\\ud83c\\udf0d'.repeat(32)}${serial(index, 8)}`, atRoot),
  ],
  ['chat', 'keys of capitals', () => keyed((index) => serial(index, 80).toUpperCase(), atRoot)],
  [
    'chat',
    'keys of capitals, `stream_options`',
    () => keyed((index) => serial(index, 80).toUpperCase(), { head: `${HEAD}"stream_options":{`, tail: '"last":0}}' }),
  ],
  ['chat', 'keys beyond ASCII', () => keyed((index) => `${'ſ'.repeat(36)}${serial(index, 8)}`, atRoot)],
  ['chat', 'keys of three bytes a character', () => keyed((index) => `${'K'.repeat(25)}${serial(index, 8)}`, atRoot)],
  [
    'chat',
    'integer keys that collide in a hash table',
    () => keyed((index) => String(1_000_000_000 + index * 65_536), atRoot),
  ],
  ['chat', 'more keys than may be', () => keyed((index) => escaped(serial(index, 60)), { ...atRoot, most: 20_000 })],
  [
    'chat',
    'messages',
    () =>
      filled('{"role":"user","content":"a"},', {
        head: '{"model":"gpt-5-mini","messages":[',
        tail: '{}]}',
        most: KEYS / 2,
      }),
  ],
  ['chat', 'tools', () => filled('{"type":"function"},', { head: `${HEAD}"tools":[`, tail: '{}]}', most: KEYS })],
  ['chat', 'texts in the deepest content part', () => filled('"",', { ...parts('{"image_url":['), most: VALUES })],
  [
    'chat',
    'lists in the deepest content part',
    () => filled('[""],', { ...parts('{"image_url":['), most: VALUES / 2 }),
  ],
  [
    'chat',
    'images in content parts',
    () =>
      filled('{"image_url":{"url":"data:image/png;base64,AAAA"}},', {
        head: '{"model":"gpt-5-mini","messages":[{"content":[',
        tail: '{}]}]}',
        most: KEYS / 2,
      }),
  ],
  [
    'chat',
    'a big image',
    () =>
      filled('iVBORw0KGgoAAAAN', {
        head: '{"model":"gpt-5-mini","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,',
        tail: '"}}]}]}',
      }),
  ],
  [
    'chat',
    'a big image with escaped slashes',
    () =>
      filled('iVBORw0K\\/', {
        head: '{"model":"gpt-5-mini","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,',
        tail: '"}}]}]}',
      }),
  ],
  [
    'chat',
    'most values, and escapes',
    () => filled('\\n', { head: `${HEAD}"x":[${'[],'.repeat(VALUES)}"`, tail: '"]}' }),
  ],
  ['chat', 'most keys in escapes, most values, and escapes', () => most()],
  ['completions', 'a prompt of tokens', () => filled('1,', { head: '{"model":"gpt-5-mini","prompt":[', most: VALUES })],
  [
    'completions',
    'a prompt of tokens and spaces',
    () => filled('1,      ', { head: '{"model":"gpt-5-mini","prompt":[', most: VALUES }),
  ],
  [
    'completions',
    'prompts of tokens in one',
    () => filled('[1,1,1],', { head: '{"model":"gpt-5-mini","prompt":[1,', most: VALUES / 4 }),
  ],
  ['completions', 'empty prompts', () => filled('"",', { head: '{"model":"gpt-5-mini","prompt":[', most: VALUES })],
  [
    'embeddings',
    'inputs of tokens',
    () => filled('[1],', { head: '{"model":"gpt-5-mini","input":[', tail: '[0]]}', most: VALUES / 2 }),
  ],
  [
    'responses',
    'keys of tools in escapes',
    () =>
      keyed((index) => escaped(serial(index, ESCAPED_KEY_CHARS)), {
        head: '{"model":"gpt-5-mini","tools":[{',
        tail: '"last":0}]}',
      }),
  ],
  [
    'responses',
    'one key of a tool in escapes',
    () => filled('\\u006b', { head: '{"model":"gpt-5-mini","tools":[{"', tail: '":0}]}' }),
  ],
  [
    'responses',
    'texts in content parts',
    () =>
      filled('"",', {
        head: '{"model":"gpt-5-mini","input":[{"content":[{"image_url":[',
        tail: '""]}]}]}',
        most: VALUES,
      }),
  ],
  [
    'messages',
    'base64 in a source',
    () =>
      filled('JVBERi0x', {
        head: '{"model":"gpt-5-mini","max_tokens":5,"messages":[{"content":[{"type":"document","source":{"type":"base64","data":"',
        tail: '"}}]}]}',
      }),
  ],
  [
    'messages',
    'sources',
    () =>
      filled('{"source":{"data":"JVBERi0x"}},', {
        head: '{"model":"gpt-5-mini","max_tokens":5,"messages":[{"content":[',
        tail: '{}]}]}',
        most: KEYS / 2,
      }),
  ],
  ['gemini', 'keys', () => keyed((index) => serial(index, 80), { head: '{"contents":[],', tail: '"last":0}' })],
  [
    'gemini',
    'keys of `generationConfig` in escapes',
    () =>
      keyed((index) => escaped(serial(index, ESCAPED_KEY_CHARS)), {
        head: '{"generationConfig":{',
        tail: '"last":0}}',
      }),
  ],
  [
    'gemini',
    'inline data',
    () =>
      filled('iVBORw0K', {
        head: '{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"',
        tail: '"}}]}]}',
      }),
  ],
  [
    'gemini',
    'texts in inline data',
    () => filled('"",', { head: '{"contents":[{"parts":[{"inlineData":[', tail: '""]}]}]}', most: VALUES }),
  ],
  ['gemini', 'a long model', () => textOf('\\u006d', '{"contents":[],"model":')],
  [
    'bedrock',
    'keys of `inferenceConfig` in escapes',
    () =>
      keyed((index) => escaped(serial(index, ESCAPED_KEY_CHARS)), { head: '{"inferenceConfig":{', tail: '"last":0}}' }),
  ],
  [
    'bedrock',
    'bytes of images',
    () => filled('iVBORw0K', { head: '{"messages":[{"content":[{"image":{"source":{"bytes":"', tail: '"}}}]}]}' }),
  ],
  [
    'bedrock',
    'texts in results of tools',
    () =>
      filled('"",', {
        head: '{"messages":[{"content":[{"toolResult":{"content":[{"image":[',
        tail: '""]}]}}]}]}',
        most: VALUES,
      }),
  ],
];

/** Of every bounded thing as much as may be, and escapes in what room is left. */
function most(): Buffer {
  const keys = Array.from({ length: KEYS }, (_, index) => `"${escaped(serial(index, 14))}":0,`).join('');
  return filled('\\n', { head: `${HEAD}${keys}"x":[${'[],'.repeat(VALUES - KEYS)}"`, tail: '"]}' });
}

export const HEAVY_BODIES: readonly HeavyBody[] = shapes.map(([route, what, body]) => ({ route, what, body }));
