import { crc32 } from 'node:zlib';
import {
  bearerOf,
  numberAt,
  pieces,
  type StubAnswer,
  type StubEvent,
  type StubProvider,
  type StubRequest,
} from './provider.ts';

/** Bedrock's Converse, as far as usage, streams and errors go. */
export const bedrock: StubProvider = {
  name: 'bedrock',
  keyOf: bearerOf,
  error: (status, message) => ({
    __type: status === 401 ? 'UnrecognizedClientException' : 'ValidationException',
    message,
  }),
  fault: (request) => (Array.isArray(request['messages']) ? undefined : 'messages is required'),
  capOf: (request) => numberAt((request['inferenceConfig'] ?? {}) as StubRequest, 'maxTokens'),
  json(answer) {
    const text = answer.text + 'x'.repeat(answer.behaviour.padBytes);
    return {
      output: { message: { role: 'assistant', content: [{ text }] } },
      stopReason: 'end_turn',
      ...usage(answer),
      metrics: { latencyMs: 1 },
    };
  },
  events: (answer) => [
    { name: 'messageStart', data: { role: 'assistant' } },
    ...pieces(answer).map(
      (text): StubEvent => ({
        name: 'contentBlockDelta',
        data: { contentBlockIndex: 0, delta: { text } },
        content: true,
      }),
    ),
    { name: 'messageStop', data: { stopReason: 'end_turn' } },
    { name: 'metadata', data: { ...usage(answer), metrics: { latencyMs: 1 } } },
  ],
  framing: { type: 'application/vnd.amazon.eventstream', frame },
};

/** `inputTokens` excludes caches, as with Anthropic. */
function usage({ tokens, behaviour }: StubAnswer): Record<string, unknown> {
  if (behaviour.omitUsage) return {};
  const written = tokens.cacheWrite5m + tokens.cacheWrite1h;
  return {
    usage: {
      inputTokens: tokens.input,
      outputTokens: tokens.output,
      totalTokens: tokens.input + tokens.cacheRead + written + tokens.output,
      cacheReadInputTokens: tokens.cacheRead,
      cacheWriteInputTokens: written,
    },
  };
}

/** One message of application/vnd.amazon.eventstream: lengths and their CRC, headers, payload, CRC of it all. */
function frame({ name = '', data }: StubEvent): Buffer {
  const headers = Buffer.concat([
    header(':event-type', name),
    header(':content-type', 'application/json'),
    header(':message-type', 'event'),
  ]);
  const payload = Buffer.from(JSON.stringify(data));
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(16 + headers.length + payload.length, 0);
  prelude.writeUInt32BE(headers.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const message = Buffer.concat([prelude, headers, payload, Buffer.alloc(4)]);
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4);
  return message;
}

/** A header whose value is a string (type 7). */
function header(name: string, value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(value.length);
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7]), length, Buffer.from(value)]);
}
