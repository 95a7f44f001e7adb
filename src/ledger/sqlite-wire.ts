/** What the main thread and the writer's thread say to each other. Plain data, cloned by postMessage. */
import type { ErrorCode } from '../core/errors.ts';
import type { CounterRow } from './ledger.ts';

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
  | ({ readonly what: 'counters' } & CountersPage)
  /** See SqliteBook.openHolds. */
  | { readonly what: 'open_holds'; readonly after: string; readonly max: number }
  /** See SqliteBook.find. */
  | { readonly what: 'find'; readonly decisionId: string };

/** Counters that live past `sinceMs`, in the order of their names: at most `max` between two names. */
export interface CountersPage {
  readonly sinceMs: number;
  readonly after: string;
  readonly before: string;
  readonly max: number;
}

/** A hold without an end: the text of row.ts, and the store's state of it. */
export interface OpenRow {
  readonly decisionId: string;
  readonly row: string;
  readonly counter: string | null;
  readonly state: string | null;
  readonly dropAtMs: number | null;
}

/** Texts of row.ts and of the `charged` column. */
export interface FoundRow {
  readonly hold: { readonly row: string; readonly writtenBy: 'hold' | 'end' } | undefined;
  readonly ended: { readonly rank: number; readonly charged: string } | undefined;
  readonly states: readonly CounterRow[];
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
  /** What the names of states of decisions begin with; before the decision id. Undefined: there are none. */
  readonly decisionStates: string | undefined;
  /** How long a commit waits for another process's lock on the file, ms. */
  readonly busyMs: number;
}
