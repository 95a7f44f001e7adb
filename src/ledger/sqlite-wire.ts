/** What the main thread and the writer's thread say to each other. Plain data, cloned by postMessage. */
import type { ErrorCode } from '../core/errors.ts';

/**
 * What a row is: hold, end, refusal, count of a folded refusal, orphan, difference. Texts of row.ts; a count is
 * `[decision id, count]`, a difference is the JSON of difference.ts.
 */
export type RowKind = 'h' | 'e' | 'r' | 'f' | 'o' | 'd';

/** One transaction: rows in order, one letter of `kinds` each, then counter states as JSON `[counter, state, dropAtMs][]`. */
export interface Batch {
  readonly kinds: string;
  readonly rows: readonly string[];
  readonly counters: string;
}

export type Question =
  | { readonly what: 'keep_prices'; readonly version: string; readonly tables: string }
  | { readonly what: 'prices'; readonly version: string }
  | { readonly what: 'overdue'; readonly beforeMs: number; readonly max: number }
  /** See SqliteBook.counters. */
  | { readonly what: 'counters'; readonly sinceMs: number; readonly after: string; readonly max: number }
  /** See SqliteBook.holds. */
  | { readonly what: 'holds'; readonly sinceMs: number; readonly afterSeq: number | undefined; readonly max: number };

/** A hold and how it stands: texts of row.ts and of the `charged` column. */
export interface RecoveredRow {
  readonly seq: number;
  readonly row: string;
  readonly rank: number | null;
  readonly charged: string | null;
}

export interface Outcomes {
  repeated: number;
  conflicts: number;
  superseded: number;
  /** Rows that could not be booked and were listed as orphans instead. */
  rejected: number;
  /** Places in the batch of ends whose hold is not in the book: to be sent again with it. */
  missing: number[];
}

export type ToWriter =
  | { readonly type: 'commit'; readonly batch: Batch }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  | { readonly type: 'close' };

export type FromWriter =
  | { readonly type: 'ready'; readonly ledgerId: string }
  | { readonly type: 'committed'; readonly outcomes: Outcomes }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'refused'; readonly id: number; readonly code: ErrorCode; readonly message: string }
  /** The writer gives up: its thread ends, another one takes over after a while. `code`: it could not even open the file. */
  | { readonly type: 'failed'; readonly code: ErrorCode | undefined; readonly message: string }
  | { readonly type: 'closed' };

export interface WriterSettings {
  readonly file: string;
  /** How long a commit waits for another process's lock on the file, ms. */
  readonly busyMs: number;
}
