import type { IncomingMessage } from 'node:http';
import type { Tokens } from './usage.ts';

/** One request as the provider saw it. */
export interface StubRecord {
  readonly index: number;
  readonly method: string;
  readonly path: string;
  /** Names as sent, every occurrence, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** `x-tollgate-decision`, if it came exactly once. */
  readonly decisionId: string | undefined;
  /** Answered status; 0 until it is answered. */
  status: number;
  /** `cut`: the connection went before the answer was complete. */
  state: 'open' | 'answered' | 'cut';
  /** What was, or would be, reported; undefined for errors. */
  tokens: Tokens | undefined;
}

/** The latest requests, oldest first, at most `max` of them. */
export class StubRecords {
  readonly #max: number;
  #records: StubRecord[] = [];
  #total = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(request: IncomingMessage, body: Buffer): StubRecord {
    const headers: [string, string][] = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      headers.push([request.rawHeaders[i]!, request.rawHeaders[i + 1]!]);
    }
    const decisions = headers.filter(([name]) => name.toLowerCase() === 'x-tollgate-decision');
    const record: StubRecord = {
      index: this.#total++,
      method: request.method ?? '',
      path: request.url ?? '',
      headers,
      body,
      decisionId: decisions.length === 1 ? decisions[0]![1] : undefined,
      status: 0,
      state: 'open',
      tokens: undefined,
    };
    this.#records.push(record);
    if (this.#records.length > this.#max) this.#records.shift();
    return record;
  }

  all(): readonly StubRecord[] {
    return this.#records;
  }

  /** All requests since the last `clear`, also those dropped since. */
  get total(): number {
    return this.#total;
  }

  clear(): void {
    this.#records = [];
    this.#total = 0;
  }
}

/** Values of a header of a recorded request, whatever its spelling. */
export function headerOf(record: StubRecord, name: string): string[] {
  const values: string[] = [];
  for (const [key, value] of record.headers) if (key.toLowerCase() === name) values.push(value);
  return values;
}
