import { ANTHROPIC, MESSAGE_START, OPENAI, SSE, testEnds, UNANSWERED, UNMETERED } from './end-rows.ts';
import { usageOf } from './fixtures.ts';

testEnds([
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
    hold: { dialect: 'vertex' },
    entry: {},
    kind: 'estimated',
    tokens: { input: 100, output: 200 },
  },
  { what: 'one without tokens, on an unmetered route', hold: UNMETERED, entry: {}, kind: 'settled', tokens: {} },

  // Cut after the first byte.
  {
    what: 'a stream that the client left',
    entry: { ...SSE, responseBytes: 400, details: 'downstream_remote_disconnect' },
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
    entry: { status: 0, responseBytes: 0 },
    kind: 'estimated',
    tokens: { input: 100 },
  },
  {
    what: 'Bedrock’s binary frames, as a stream',
    hold: { dialect: 'bedrock-converse', stream: true },
    entry: { responseContentType: 'application/vnd.amazon.eventstream', responseBytes: 600 },
    kind: 'estimated',
    tokens: { input: 100, output: 10 },
  },
  {
    what: 'messages cut after their start',
    hold: ANTHROPIC,
    entry: { ...SSE, usage: new Map([MESSAGE_START]), responseBytes: 0 },
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
    entry: { ...UNANSWERED, status: 0, details: 'downstream_remote_disconnect' },
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
    what: 'a third attempt that finds no connection, after one that sent the request',
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
]);
