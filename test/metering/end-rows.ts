import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_QUANTITIES, type Quantities } from '../../src/core/units.ts';
import { dialect } from '../../src/dialects/dialects.ts';
import type { Hold } from '../../src/ledger/hold.ts';
import { type Ending, endOf } from '../../src/metering/end.ts';
import type { LogEntry } from '../../src/metering/entry.ts';
import { entryOf, holdOf } from './fixtures.ts';

/** One entry, and how its request ended. The hold: 100 in, 200 out at most. 330 bytes of JSON are 100 tokens, of a stream 2. */
export interface EndRow {
  readonly what: string;
  readonly entry: Partial<LogEntry>;
  readonly hold?: Partial<Hold>;
  readonly kind: Ending['kind'];
  readonly tokens: Partial<Quantities>;
  readonly flags?: readonly string[];
  readonly answered?: string;
}

export const OPENAI = 'gpt-5-2026-08-07';
export const UNANSWERED = { attempts: 1, firstByte: false, responseBytes: 0 };
export const SSE = { responseContentType: 'text/event-stream; charset=utf-8' };
export const UNMETERED = { model: undefined, dialect: undefined };
export const ANTHROPIC = { dialect: 'anthropic-messages' };
export const MESSAGE_START = [
  'sse_message_usage',
  '{"input_tokens":70,"cache_read_input_tokens":5,"output_tokens":1}',
] as const;

/** One test a row. */
export function testEnds(rows: readonly EndRow[]): void {
  rows.forEach(({ what, entry, hold, kind, tokens, flags = [], answered }, row) => {
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
}
