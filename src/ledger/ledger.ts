/** The port of the ledger: the append-only book that finance reads. Semantics: docs/money.md. */
import type { Meter } from '../core/units.ts';
import type { Difference } from './difference.ts';
import type { Hold, Refusal } from './hold.ts';

/**
 * How a request ended. `released`: no attempt upstream. `settled`: usage was reported. `estimated`: 2xx without usage, or
 * cut. `failed`: upstream ≥ 400 without usage. `unreconciled`: expired with its estimate. `corrected`: by an operator.
 */
export const END_KINDS = ['released', 'settled', 'estimated', 'failed', 'unreconciled', 'corrected'] as const;
export type EndKind = (typeof END_KINDS)[number];

/** One token class of an end: what this decision used of it in all (absolute, not a difference). */
export interface Line {
  readonly meter: Meter;
  readonly quantity: number;
  /** Money in smallest units, half-even once per line. `charge` is 0 where estimated usage is not billed. */
  readonly charge: bigint;
  readonly cost: bigint;
}

/** What the counters of a decision are charged with, each in its limit's unit. */
export type Charged = readonly { readonly counter: string; readonly amount: number }[];

export interface End {
  readonly decisionId: string;
  /** Rank of the settlement, see limits/store.ts: 0 expired, 2 access log, 3 and up corrections. */
  readonly rank: number;
  readonly kind: EndKind;
  /** Where the facts come from: the hold, or the copy in the access-log entry where the hold was lost. */
  readonly source: 'hold' | 'entry';
  /** The hold that was settled; where it was lost, the copy, which the ledger then writes as the hold. */
  readonly hold: Hold;
  readonly atMs: number;
  readonly answeredModel: string | undefined;
  /** Model whose price was used. */
  readonly pricedModel: string | undefined;
  /** Things finance must see: `unpriced_model`, `unknown_model`, `hold_differs`, `usage_faulty`, `model_mismatch` … */
  readonly flags: readonly string[];
  readonly status: number | undefined;
  readonly attempts: number;
  readonly durationMs: number | undefined;
  readonly lines: readonly Line[];
  /** What the counters are charged with after it; empty: the store could not say. */
  readonly charged: Charged;
}

/** A counter's state as the memory store wants it back after a restart; opaque to the ledger. */
export interface CounterRow {
  readonly counter: string;
  /** Compact JSON, written and read by the memory store. */
  readonly state: string;
  /** When the row may be forgotten, epoch ms. */
  readonly dropAtMs: number;
}

/** An access-log entry that is not ours to book: no hold row, and not an id of this ledger. Kept, listed, importable once. */
export interface Orphan {
  readonly decisionId: string;
  readonly atMs: number;
  readonly why: string;
  readonly entry: string;
}

export interface LedgerCounts {
  readonly queued: number;
  readonly committed: number;
  readonly commits: number;
  /** Ends that came again with the same content, with another (listed, not summed), or too low a rank. */
  readonly repeated: number;
  readonly conflicts: number;
  readonly superseded: number;
  readonly folded: number;
}

/** What is needed to go on after a restart: as much as is under way, however many calls there were before. */
export interface Recovered {
  /** States of decisions (see `Found`) only of the holds below. */
  readonly counters: readonly CounterRow[];
  /** All that have no end, whatever their age, without their traces; oldest first. */
  readonly holds: readonly Hold[];
}

/** One decision as the ledger has it. */
export interface Found {
  /** Without its trace; undefined: there is none. */
  readonly hold: Hold | undefined;
  /** Whether the hold is the copy that came with an end: what was reserved was lost with the hold. */
  readonly isCopy: boolean;
  /** Its end of the highest rank; undefined: there is none. */
  readonly ended: Pick<End, 'rank' | 'charged'> | undefined;
  /** What the store keeps of it under a name of its own. */
  readonly states: readonly CounterRow[];
}

/**
 * One writer. Rows are queued and committed in groups at most `commitMs` later, off the main thread; nothing here waits
 * for a disk but `flush` and `close`.
 */
export interface Ledger {
  /** 8 characters of [a-z2-7], made with the ledger. */
  readonly id: string;
  /** False, and nothing queued, when the queue is full. */
  hold(hold: Hold): boolean;
  /**
   * Books an end. The ledger writes the differences to what is booked for the decision; a rank already booked with the
   * same amounts is `repeated`, with others a listed conflict, a lower one `superseded`. Never refused for a full queue.
   */
  end(end: End): void;
  /** Appends or folds a refusal; answers the decision id of the row that stands for it. */
  refuse(refusal: Refusal): string;
  orphan(orphan: Orphan): void;
  /** Appends what an observed bundle would have decided. The same interval and answers once more change nothing. */
  differ(difference: Difference): void;
  /** Keeps a price table under its version, forever. Resolves when committed. */
  keepPrices(version: string, tables: unknown): Promise<void>;
  prices(version: string): Promise<unknown>;
  /** What a restart needs; without counters that could be forgotten before `sinceMs`. Before anything is queued. */
  recover(sinceMs: number): Promise<Recovered>;
  /** What it has of a decision once all that is queued now is on disk. */
  find(decisionId: string): Promise<Found>;
  /** Holds without an end whose expiry is at or before `beforeMs`, oldest first. */
  overdue(beforeMs: number, max: number): Promise<readonly Hold[]>;
  counts(): LedgerCounts;
  /** Resolves when all that was queued is on disk. */
  flush(): Promise<void>;
  /** Flushes, closes, gives the lock back. */
  close(): Promise<void>;
}
