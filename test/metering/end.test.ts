import { ANTHROPIC, MESSAGE_START, OPENAI, SSE, testEnds, UNANSWERED, UNMETERED } from './end-rows.ts';
import { usageOf } from './fixtures.ts';

const UNSENT = { attempts: 0, firstByte: false, responseBytes: 90 };
const REPORTED = { usage: usageOf(90, 20) };
const NO_ESTIMATE = { inputTokens: 0, outputTokens: 0, charge: 0, cost: 0, outputMax: 0 };
const USED = { input: 90, output: 20 };
const MESSAGE_DELTA = ['sse_usage', '{"output_tokens":33}'] as const;

testEnds([
  // Nothing was sent upstream.
  { what: 'a local answer', entry: { ...UNSENT, status: 503, details: 'lua_response' }, kind: 'released', tokens: {} },
  { what: 'no status at all', entry: { ...UNSENT, status: 0, details: '' }, kind: 'released', tokens: {} },
  { what: 'a 200 that is not the provider’s', entry: UNSENT, kind: 'released', tokens: {} },
  {
    what: 'a client that left at once',
    entry: { ...UNSENT, status: 0, details: 'downstream_remote_disconnect' },
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
    what: 'a provider that refuses three connections',
    entry: {
      ...UNANSWERED,
      attempts: 3,
      upstreamBytes: 0,
      status: 503,
      details: 'upstream_reset_before_response_started{remote_connection_failure}',
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
    what: 'a gateway without a key for the provider',
    entry: {
      ...UNANSWERED,
      upstreamBytes: 0,
      status: 401,
      details: 'failed_to_inject_credential',
      responseBytes: 28,
      responseContentType: 'text/plain',
    },
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
    entry: { ...REPORTED, details: 'downstream_remote_disconnect' },
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
  {
    what: 'usage on an unmetered route',
    hold: { ...UNMETERED, dialect: 'openai-chat' },
    entry: { usage: new Map([['prompt_tokens', 5]]) },
    kind: 'settled',
    tokens: {},
  },
  {
    what: 'more usage on one than its hold could bound',
    hold: { ...UNMETERED, dialect: 'openai-chat', estimate: NO_ESTIMATE },
    entry: REPORTED,
    kind: 'settled',
    tokens: {},
  },

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
    entry: { status: 500, details: 'downstream_remote_disconnect' },
    kind: 'failed',
    tokens: {},
  },
]);
