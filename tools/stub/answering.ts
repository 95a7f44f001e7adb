/** Writes the answer of a provider: JSON, or a stream that can be slow, held or cut. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StubBehaviour } from './behaviour.ts';
import { numberAt, type StubAnswer, type StubEvent, type StubProvider, type StubRequest } from './provider.ts';
import type { StubRecord } from './records.ts';
import { tokensOf } from './usage.ts';

export interface Answering {
  readonly provider: StubProvider;
  readonly asked: StubRequest;
  readonly record: StubRecord;
  readonly response: ServerResponse;
  readonly behaviour: StubBehaviour;
  /** Waits for `release` or the end of the connection. */
  held(): Promise<void>;
}

/** The answer to `asked`, as `behaviour` has it. Notes in `record` what it reported. */
export async function sendAnswer(answering: Answering): Promise<void> {
  const { provider, asked, record, response, behaviour } = answering;
  const tokens = tokensOf(
    { bodyBytes: record.body.length, cap: provider.capOf(asked), choices: numberAt(asked, 'n') ?? 1 },
    behaviour.usage,
  );
  record.tokens = tokens;
  const model = behaviour.model ?? String(asked['model']);
  const answer: StubAnswer = {
    id: `stub-${record.index}`,
    model,
    text: 'word'.repeat(tokens.output),
    tokens,
    behaviour,
  };
  if (asked['stream'] !== true) {
    if (behaviour.delayMs > 0) await sleep(behaviour.delayMs);
    return sendJson(response, 200, provider.json(answer), behaviour.jsonType);
  }
  await sendStream(answering, answer);
}

async function sendStream(
  { provider, asked, response, behaviour, held }: Answering,
  answer: StubAnswer,
): Promise<void> {
  const { framing } = provider;
  const type = framing?.type ?? 'text/event-stream; charset=utf-8';
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-cache' });
  response.flushHeaders();
  let contents = 0;
  for (const event of provider.events(answer, asked)) {
    if (behaviour.delayMs > 0) await sleep(behaviour.delayMs);
    if (event.content === true && contents === behaviour.holdAfter) await held();
    if (response.destroyed) return;
    if (event.content === true && contents++ === behaviour.cutAfter) {
      response.destroy();
      return;
    }
    const flowing = response.write(framing === undefined ? sseOf(event) : framing.frame(event));
    if (!flowing) await Promise.race([once(response, 'drain'), once(response, 'close')]);
  }
  response.end();
}

function sseOf({ name, data }: StubEvent): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${text}\n\n`;
}

export function sendJson(response: ServerResponse, status: number, value: unknown, type = 'application/json'): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': type, 'content-length': body.length });
  response.end(body);
}
