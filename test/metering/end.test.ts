import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_QUANTITIES, type Quantities } from '../../src/core/units.ts';
import { dialect } from '../../src/dialects/dialects.ts';
import type { Hold } from '../../src/ledger/hold.ts';
import { type Ending, endOf } from '../../src/metering/end.ts';
import type { LogEntry } from '../../src/metering/entry.ts';
import { entryOf, holdOf, usageOf } from './fixtures.ts';

interface Row {
  readonly what: string;
  readonly entry: Partial<LogEntry>;
  readonly hold?: Partial<Hold>;
  readonly kind: Ending['kind'];
  readonly tokens: Partial<Quantities>;
  readonly flags?: readonly string[];
  readonly answered?: string;
}

const OPENAI = 'gpt-5-2026-08-07';
const UNSENT = { attempts: 0, firstByte: false, responseBytes: 90 };
const UNANSWERED = { attempts: 1, firstByte: false, responseBytes: 0 };
const REPORTED = { usage: usageOf(90, 20) };
const USED = { input: 90, output: 20 };
const SSE = { responseContentType: 'text/event-stream; charset=utf-8' };
const UNMETERED = { model: undefined, dialect: undefined };
const ANTHROPIC = { dialect: 'anthropic-messages' };
const MESSAGE_START = [
  'sse_message_usage',
  '{"input_tokens":70,"cache_read_input_tokens":5,"output_tokens":1}',
] as const;
const MESSAGE_DELTA = ['sse_usage', '{"output_tokens":33}'] as const;

// The hold: 100 in, 200 out at most. 330 bytes of JSON are 100 tokens, of a stream 2.
const ROWS: readonly Row[] = [
  // Nothing was sent upstream.
  { what: 'a local answer', entry: { ...UNSENT, status: 503, details: 'lua_response' }, kind: 'released', tokens: {} },
  { what: 'no status at all', entry: { ...UNSENT, status: 0, details: '' }, kind: 'released', tokens: {} },
  { what: 'a 200 that is not the provider’s', entry: UNSENT, kind: 'released', tokens: {} },
  {
    what: 'a client that left at once',
    entry: { ...UNSENT, status: 0, clientGone: true },
    kind: 'released',
    tokens: {},
  },
  { what: 'usage without an attempt', entry: { ...UNSENT, ...REPORTED }, kind: 'released', tokens: {} },
  {
    what: 'a provider that refuses connections',
    entry: {
      ...UNANSWERED,
      status: 503,
      details:
        'upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}',
    },
    kind: 'released',
    tokens: {},
  },
  {
    what: 'a connection that times out',
    entry: { ...UNANSWERED, status: 503, details: 'upstream_reset_before_response_started{connection_timeout}' },
    kind: 'released',
    tokens: {},
  },
  {
    what: 'a stream that the provider refuses',
    entry: {
      ...UNANSWERED,
      status: 503,
      details: 'upstream_reset_before_response_started{remote_refused_stream_reset}',
    },
    kind: 'released',
    tokens: {},
  },
  {
    what: 'a full circuit',
    entry: { ...UNANSWERED, status: 503, details: 'upstream_reset_before_response_started{overflow}' },
    kind: 'released',
    tokens: {},
  },
  {
    what: 'no healthy host',
    entry: { ...UNANSWERED, status: 503, details: 'no_healthy_upstream' },
    kind: 'released',
    tokens: {},
  },
  {
    what: 'nothing sent on an unmetered route',
    hold: UNMETERED,
    entry: { ...UNSENT, status: 503 },
    kind: 'released',
    tokens: {},
  },

  // Usage was reported: whatever the status.
  { what: 'a whole answer', entry: REPORTED, kind: 'settled', tokens: USED, answered: OPENAI },
  { what: 'a refused one', entry: { ...REPORTED, status: 400 }, kind: 'settled', tokens: USED, answered: OPENAI },
  { what: 'a failed one', entry: { ...REPORTED, status: 500 }, kind: 'settled', tokens: USED, answered: OPENAI },
  {
    what: 'a client that left after it',
    entry: { ...REPORTED, clientGone: true },
    kind: 'settled',
    tokens: USED,
    answered: OPENAI,
  },
  {
    what: 'one after two failed attempts',
    entry: { ...REPORTED, attempts: 3 },
    kind: 'settled',
    tokens: USED,
    answered: OPENAI,
  },
  { what: 'no status sent', entry: { ...REPORTED, status: 0 }, kind: 'settled', tokens: USED, answered: OPENAI },
  { what: 'nothing used', entry: { usage: usageOf(0, 0) }, kind: 'settled', tokens: {}, answered: OPENAI },
  {
    what: 'more than estimated, within twice',
    entry: { usage: usageOf(90_000, 400) },
    kind: 'settled',
    tokens: { input: 90_000, output: 400 },
    answered: OPENAI,
  },
  {
    what: 'caches inside the prompt',
    entry: {
      usage: new Map([
        ['prompt_tokens', 90],
        ['cached_tokens', 60],
        ['completion_tokens', 1],
      ]),
    },
    kind: 'settled',
    tokens: { input: 30, cache_read: 60, output: 1 },
  },
  {
    what: 'reasoning inside output',
    entry: {
      usage: new Map([
        ['prompt_tokens', 9],
        ['completion_tokens', 8],
        ['reasoning_tokens', 7],
      ]),
    },
    kind: 'settled',
    tokens: { input: 9, output: 8, reasoning: 7 },
  },
  {
    what: 'a stream’s last chunk',
    entry: { ...SSE, usage: new Map([['sse_usage', '{"prompt_tokens":9,"completion_tokens":8}']]) },
    kind: 'settled',
    tokens: { input: 9, output: 8 },
  },
  {
    what: 'a whole stream of messages',
    hold: ANTHROPIC,
    entry: { ...SSE, usage: new Map([MESSAGE_START, MESSAGE_DELTA]) },
    kind: 'settled',
    tokens: { input: 70, cache_read: 5, output: 33 },
  },

  // An answer without usage.
  { what: 'JSON', entry: {}, kind: 'estimated', tokens: { input: 100, output: 100 } },
  {
    what: 'a model, but no usage',
    entry: { usage: new Map([['model', OPENAI]]) },
    kind: 'estimated',
    tokens: { input: 100, output: 100 },
    answered: OPENAI,
  },
  { what: 'a stream', entry: { ...SSE, responseBytes: 2000 }, kind: 'estimated', tokens: { input: 100, output: 10 } },
  {
    what: 'a stream by the request alone',
    hold: { stream: true },
    entry: { responseContentType: undefined, responseBytes: 2000 },
    kind: 'estimated',
    tokens: { input: 100, output: 10 },
  },
  {
    what: 'JSON where a stream was asked for',
    hold: { stream: true },
    entry: {},
    kind: 'estimated',
    tokens: { input: 100, output: 100 },
  },
  {
    what: 'a long one: at most the cap',
    entry: { responseBytes: 1_000_000 },
    kind: 'estimated',
    tokens: { input: 100, output: 200 },
  },
  { what: 'an empty one', entry: { responseBytes: 0 }, kind: 'estimated', tokens: { input: 100 } },
  { what: '299', entry: { status: 299 }, kind: 'estimated', tokens: { input: 100, output: 100 } },
  {
    what: 'a dialect that is not built',
    hold: { dialect: 'gemini' },
    entry: {},
    kind: 'estimated',
    tokens: { input: 100, output: 200 },
  },
  { what: 'one without tokens, on an unmetered route', hold: UNMETERED, entry: {}, kind: 'settled', tokens: {} },

  // Cut after the first byte.
  {
    what: 'a stream that the client left',
    entry: { ...SSE, clientGone: true, responseBytes: 400, details: 'downstream_remote_disconnect' },
    kind: 'estimated',
    tokens: { input: 100, output: 2 },
  },
  {
    what: 'a stream that the provider cut',
    entry: { ...SSE, responseBytes: 400, details: 'upstream_reset_after_response_started{connection_termination}' },
    kind: 'estimated',
    tokens: { input: 100, output: 2 },
  },
  {
    what: 'before any of it was sent on',
    entry: { status: 0, responseBytes: 0, clientGone: true },
    kind: 'estimated',
    tokens: { input: 100 },
  },
  {
    what: 'messages cut after their start',
    hold: ANTHROPIC,
    entry: { ...SSE, clientGone: true, usage: new Map([MESSAGE_START]), responseBytes: 0 },
    kind: 'estimated',
    tokens: { input: 100 },
  },
  {
    what: 'an answer too large for the gateway',
    entry: { status: 500, details: 'response_payload_too_large', responseBytes: 60 },
    kind: 'estimated',
    tokens: { input: 100, output: 200 },
  },

  // Attempted, and cut before the first byte.
  {
    what: 'a client that did not wait',
    entry: { ...UNANSWERED, status: 0, clientGone: true, details: 'downstream_remote_disconnect' },
    kind: 'estimated',
    tokens: { input: 100 },
  },
  {
    what: 'a timeout of the gateway',
    entry: { ...UNANSWERED, status: 504, details: 'upstream_response_timeout', responseBytes: 24 },
    kind: 'estimated',
    tokens: { input: 100 },
  },
  {
    what: 'a connection that was closed',
    entry: {
      ...UNANSWERED,
      status: 503,
      details: 'upstream_reset_before_response_started{connection_termination}',
      responseBytes: 95,
    },
    kind: 'estimated',
    tokens: { input: 100 },
  },
  {
    what: 'a third attempt that finds no connection',
    entry: {
      ...UNANSWERED,
      attempts: 3,
      status: 503,
      details: 'upstream_reset_before_response_started{remote_connection_failure}',
    },
    kind: 'estimated',
    tokens: { input: 100 },
  },
  { what: 'an unmetered route', hold: UNMETERED, entry: { ...UNANSWERED, status: 504 }, kind: 'settled', tokens: {} },

  // The provider refused.
  { what: '400', entry: { status: 400 }, kind: 'failed', tokens: {} },
  { what: '429', entry: { status: 429, responseBytes: 5000 }, kind: 'failed', tokens: {} },
  { what: '500', entry: { status: 500 }, kind: 'failed', tokens: {} },
  { what: '503 after three attempts', entry: { status: 503, attempts: 3 }, kind: 'failed', tokens: {} },
  {
    what: '529 with a model',
    hold: ANTHROPIC,
    entry: { status: 529, usage: new Map([['model', 'claude']]) },
    kind: 'failed',
    tokens: {},
    answered: 'claude',
  },
  { what: 'a redirect', entry: { status: 302 }, kind: 'failed', tokens: {} },
  { what: '404 on an unmetered route', hold: UNMETERED, entry: { status: 404 }, kind: 'failed', tokens: {} },
  {
    what: 'an error that was cut',
    entry: { status: 500, clientGone: true, details: 'downstream_remote_disconnect' },
    kind: 'failed',
    tokens: {},
  },

  // Usage that cannot be.
  {
    what: 'more than twice the cap',
    entry: { usage: usageOf(90, 401) },
    kind: 'estimated',
    tokens: { input: 100, output: 100 },
    flags: ['usage_faulty'],
    answered: OPENAI,
  },
  {
    what: 'input beyond any window',
    entry: { usage: usageOf(20_000_001, 1) },
    kind: 'estimated',
    tokens: { input: 100, output: 100 },
    flags: ['usage_faulty'],
    answered: OPENAI,
  },
  {
    what: 'a fraction',
    entry: { usage: usageOf(90.5, 1) },
    kind: 'estimated',
    tokens: { input: 100, output: 100 },
    flags: ['usage_faulty'],
    answered: OPENAI,
  },
  {
    what: 'a negative count',
    entry: { usage: usageOf(-1, 1) },
    kind: 'estimated',
    tokens: { input: 100, output: 100 },
    flags: ['usage_faulty'],
    answered: OPENAI,
  },
  {
    what: 'words',
    entry: { usage: new Map([['prompt_tokens', '12abc']]) },
    kind: 'estimated',
    tokens: { input: 100, output: 100 },
    flags: ['usage_faulty'],
  },
  {
    what: 'more cached than asked',
    entry: {
      usage: new Map([
        ['prompt_tokens', 5],
        ['cached_tokens', 6],
        ['completion_tokens', 1],
      ]),
    },
    kind: 'estimated',
    tokens: { input: 100, output: 100 },
    flags: ['usage_faulty'],
  },
  {
    what: 'more reasoning than output',
    entry: {
      usage: new Map([
        ['prompt_tokens', 5],
        ['completion_tokens', 1],
        ['reasoning_tokens', 2],
      ]),
    },
    kind: 'estimated',
    tokens: { input: 100, output: 100 },
    flags: ['usage_faulty'],
  },
  {
    what: 'beside an error',
    entry: { status: 500, usage: usageOf(90, 401), responseBytes: 33 },
    kind: 'estimated',
    tokens: { input: 100, output: 10 },
    flags: ['usage_faulty'],
    answered: OPENAI,
  },
  {
    what: 'output half known',
    entry: { usage: new Map([['prompt_tokens', 5]]) },
    kind: 'estimated',
    tokens: { input: 100, output: 100 },
    flags: ['usage_faulty'],
  },
];

ROWS.forEach(({ what, entry, hold, kind, tokens, flags = [], answered }, row) => {
  test(`end ${row + 1}: ${kind}: ${what}`, () => {
    const held = holdOf(hold);
    assert.deepEqual(endOf(entryOf(entry), held, dialect(held.dialect)), {
      kind,
      quantities: { ...NO_QUANTITIES, ...tokens },
      answeredModel: answered,
      flags,
    });
  });
});
