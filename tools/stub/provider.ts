import type { IncomingHttpHeaders } from 'node:http';
import type { StubBehaviour } from './behaviour.ts';
import type { STUB_KEYS } from './keys.ts';
import type { Tokens } from './usage.ts';

/** A request body as far as the stub reads it. */
export type StubRequest = { readonly [key: string]: unknown };

/** Everything that an answer is made of. */
export interface StubAnswer {
  readonly id: string;
  readonly model: string;
  readonly text: string;
  readonly tokens: Tokens;
  readonly behaviour: StubBehaviour;
}

/** One event of a stream; the cut of `cutAfter` counts those with `content`. */
export interface StubEvent {
  readonly name?: string;
  readonly data: unknown;
  readonly content?: true;
}

/** A provider API as the stub speaks it. */
export interface StubProvider {
  readonly name: keyof typeof STUB_KEYS;
  /** The key of the request, if it stands where this API wants it. */
  keyOf(headers: IncomingHttpHeaders): string | undefined;
  error(status: number, message: string): unknown;
  /** What is missing, or undefined. */
  fault(request: StubRequest): string | undefined;
  capOf(request: StubRequest): number | undefined;
  json(answer: StubAnswer): unknown;
  events(answer: StubAnswer, request: StubRequest): StubEvent[];
  /** How a stream is written; undefined: as server-sent events. */
  readonly framing?: { readonly type: string; frame(event: StubEvent): Buffer };
}

/** The text of an answer in `chunks` pieces, the last with the padding. */
export function pieces(answer: StubAnswer): string[] {
  const { chunks, padBytes } = answer.behaviour;
  const size = Math.ceil(answer.text.length / chunks);
  const parts = Array.from({ length: chunks }, (_, i) => answer.text.slice(i * size, (i + 1) * size));
  parts[chunks - 1] += 'x'.repeat(padBytes);
  return parts;
}

export function bearerOf(headers: IncomingHttpHeaders): string | undefined {
  return /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
}

export function numberAt(request: StubRequest, key: string): number | undefined {
  const value = request[key];
  return typeof value === 'number' ? value : undefined;
}
