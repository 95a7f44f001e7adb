import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { anthropicMessages } from '../../src/dialects/anthropic-messages.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';
import { openaiChat } from '../../src/dialects/openai-chat.ts';
import { accepted, bytes } from './bodies.ts';

const BASE64 = 'QUJD'.repeat(25_000);
const PROSE = 'word '.repeat(20_000);

/** ceil(text bytes / 3.3) + 8 per message + 1600 per medium + media by weight. */
function weight({ text = '', messages = 0, media = 0, extra = 0 }): number {
  return Math.max(1, Math.ceil(Buffer.byteLength(text) / 3.3) + messages * 8 + media * 1600 + extra);
}

/** The model's own name is text, too. */
function openai(rest: object): string {
  return JSON.stringify({ model: 'm', ...rest });
}
function anthropic(rest: object): string {
  return JSON.stringify({ model: 'm', max_tokens: 1, ...rest });
}
const part = (content: object) => ({ messages: [{ role: 'user', content: [content] }] });
const image = { type: 'base64', media_type: 'image/png', data: BASE64 };
const pdf = { type: 'base64', media_type: 'application/pdf', data: BASE64 };
const tools = [{ type: 'function', function: { name: 'f', parameters: { a: 1 } } }];

const ROWS: readonly (readonly [number, string, Dialect, string, number])[] = [
  [1, 'nothing but a model', openaiChat, openai({}), 1],
  [
    2,
    'one message',
    openaiChat,
    openai({ messages: [{ role: 'user', content: PROSE }] }),
    weight({ text: `muser${PROSE}`, messages: 1 }),
  ],
  [
    3,
    'two messages',
    openaiChat,
    openai({ messages: [{ content: 'a' }, { content: 'b' }] }),
    weight({ text: 'mab', messages: 2 }),
  ],
  [
    4,
    'escapes count as the text they are',
    openaiChat,
    '{"model":"m","messages":[{"content":"\\u4e16\\ud83c\\udf0d\\n\\u00e9\\u0041"}]}',
    weight({ text: 'm世🌍\néA', messages: 1 }),
  ],
  [
    5,
    'text parts',
    openaiChat,
    openai(part({ type: 'text', text: PROSE })),
    weight({ text: `musertext${PROSE}`, messages: 1 }),
  ],
  [
    6,
    'an image in a data URI',
    openaiChat,
    openai(part({ type: 'image_url', image_url: { url: `data:image/png;base64,${BASE64}` } })),
    weight({ text: 'muserimage_url', messages: 1, media: 1 }),
  ],
  [
    7,
    'an image by address',
    openaiChat,
    openai(part({ type: 'image_url', image_url: { url: 'https://a.example/b.png' } })),
    weight({ text: 'muserimage_urlhttps://a.example/b.png', messages: 1, media: 1 }),
  ],
  [
    8,
    'a data URI in prose is prose',
    openaiChat,
    openai({ messages: [{ content: `data:image/png;base64,${BASE64}` }] }),
    weight({ text: `mdata:image/png;base64,${BASE64}`, messages: 1 }),
  ],
  [
    9,
    'image_url outside of a content part is prose',
    openaiChat,
    openai({ messages: [{ image_url: { url: `data:${BASE64}` } }] }),
    weight({ text: `mdata:${BASE64}`, messages: 1 }),
  ],
  [
    10,
    'image_url inside a tool is the tool',
    openaiChat,
    openai({ tools: [{ content: [{ image_url: { url: `data:${BASE64}` } }] }] }),
    weight({ text: `m${JSON.stringify([{ content: [{ image_url: { url: `data:${BASE64}` } }] }])}` }),
  ],
  [
    11,
    'a file',
    openaiChat,
    openai(part({ type: 'file', file: { filename: 'a', file_data: BASE64 } })),
    weight({ text: 'muserfilea', messages: 1, media: 1, extra: 3125 }),
  ],
  [
    12,
    'audio',
    openaiChat,
    openai(part({ type: 'input_audio', input_audio: { format: 'mp3', data: BASE64 } })),
    weight({ text: 'muserinput_audiomp3', messages: 1, media: 1, extra: 100 }),
  ],
  [13, 'tools by their whole JSON', openaiChat, openai({ tools }), weight({ text: `m${JSON.stringify(tools)}` })],
  [
    14,
    'a schema by its whole JSON',
    openaiChat,
    openai({ response_format: { json_schema: { n: 12345 } } }),
    weight({ text: `m${JSON.stringify({ json_schema: { n: 12345 } })}` }),
  ],
  [
    15,
    'source means nothing to OpenAI',
    openaiChat,
    openai(part({ source: image })),
    weight({ text: `muserbase64image/png${BASE64}`, messages: 1 }),
  ],
  [
    16,
    'an image',
    anthropicMessages,
    anthropic(part({ type: 'image', source: image })),
    weight({ text: 'muserimagebase64image/png', messages: 1, media: 1 }),
  ],
  [
    17,
    'a document',
    anthropicMessages,
    anthropic(part({ type: 'document', source: pdf })),
    weight({ text: 'muserdocumentbase64application/pdf', messages: 1, media: 1, extra: 3125 }),
  ],
  [
    18,
    'a document of plain text',
    anthropicMessages,
    anthropic(part({ source: { data: PROSE, type: 'text' } })),
    weight({ text: `musertext${PROSE}`, messages: 1, media: 1 }),
  ],
  [
    19,
    'a source of two types is text',
    anthropicMessages,
    '{"model":"m","max_tokens":1,"messages":[{"content":[{"source":{"type":"base64","type":"text","data":"AAAA"}}]}]}',
    weight({ text: 'mbase64textAAAA', messages: 1, media: 1 }),
  ],
  [
    20,
    'a source without type is text',
    anthropicMessages,
    anthropic(part({ source: { data: PROSE } })),
    weight({ text: `muser${PROSE}`, messages: 1, media: 1 }),
  ],
  [
    21,
    'an image in a tool result',
    anthropicMessages,
    anthropic(part({ type: 'tool_result', content: [{ type: 'image', source: image }] })),
    weight({ text: 'musertool_resultimagebase64image/png', messages: 1, media: 1 }),
  ],
  [
    22,
    'an image in a document of blocks',
    anthropicMessages,
    anthropic(part({ source: { type: 'content', content: [{ source: image }] } })),
    weight({ text: 'musercontentbase64image/png', messages: 1, media: 2 }),
  ],
  [
    23,
    'source in the message is prose',
    anthropicMessages,
    anthropic({ messages: [{ source: image }] }),
    weight({ text: `mbase64image/png${BASE64}`, messages: 1 }),
  ],
  [
    24,
    'the input of a tool call by its whole JSON',
    anthropicMessages,
    anthropic(part({ type: 'tool_use', input: { a: [1, 2, 3], source: image } })),
    weight({ text: `musertool_use${JSON.stringify({ a: [1, 2, 3], source: image })}`, messages: 1 }),
  ],
  [
    25,
    'a system prompt',
    anthropicMessages,
    anthropic({ system: [{ type: 'text', text: PROSE }] }),
    weight({ text: `mtext${PROSE}` }),
  ],
  [
    26,
    'image_url means nothing to Anthropic',
    anthropicMessages,
    anthropic(part({ image_url: { url: `data:${BASE64}` } })),
    weight({ text: `muserdata:${BASE64}`, messages: 1 }),
  ],
];

describe('estimate of the input', () => {
  for (const [row, what, dialect, body, tokens] of ROWS) {
    it(`row ${row}: ${what}`, () => assert.equal(accepted(dialect, bytes(body)).inputTokens, tokens));
  }

  it('does not depend on the order of members', () => {
    const reversed = { data: BASE64, media_type: 'image/png', type: 'base64' };
    const straight = accepted(anthropicMessages, bytes(anthropic(part({ type: 'image', source: image }))));
    const turned = accepted(anthropicMessages, bytes(anthropic(part({ source: reversed, type: 'image' }))));
    assert.equal(turned.inputTokens, straight.inputTokens);
  });
});
