/**
 * Rows that wait for the disk, cut into segments of one transaction each. A segment stays until it was acknowledged, so that
 * a writer that died is given it again.
 */
import type { CounterRow, End } from './ledger.ts';
import type { Batch, RowKind } from './sqlite-wire.ts';

/** Rows of one transaction at most: bounds how long one commit takes, and how long the main thread hands over. */
const SEGMENT_ROWS_MAX = 2_000;

export interface Segment {
  kinds: string;
  readonly rows: string[];
  /** Ends sent without their hold, by place. */
  readonly ends: Map<number, End>;
  readonly counters: Map<string, CounterRow>;
  /** Full or handed over: rows pushed from now on go to a later one. */
  isSealed: boolean;
}

export class RowQueue {
  readonly #changedCounters: () => readonly CounterRow[];
  readonly #segments: Segment[] = [];
  #rows = 0;
  #opened = 0;

  /** `changedCounters`: states that changed since it was called last, by what the rows pushed since then stand for. */
  constructor(changedCounters: () => readonly CounterRow[]) {
    this.#changedCounters = changedCounters;
  }

  /** Rows that are not on disk yet, in flight or not. */
  get rows(): number {
    return this.#rows;
  }

  /** Segments that are not on disk yet. */
  get segments(): number {
    return this.#segments.length;
  }

  /** Segments ever opened: the number of the last one. */
  get opened(): number {
    return this.#opened;
  }

  /** Segments on disk: the number of the last one. */
  get dropped(): number {
    return this.#opened - this.#segments.length;
  }

  push(kind: RowKind, text: string, end?: End): void {
    const segment = this.#tail();
    if (end !== undefined) segment.ends.set(segment.rows.length, end);
    segment.kinds += kind;
    segment.rows.push(text);
    this.#rows += 1;
    if (segment.rows.length < SEGMENT_ROWS_MAX) return;
    // Now, not when it is handed over: of a kill between two commits, no counter may be older than the rows it follows.
    this.takeCounters();
    segment.isSealed = true;
  }

  /** Puts the counter states that changed beside the row pushed last; of one counter the last state stands. */
  takeCounters(): void {
    const changed = this.#changedCounters();
    if (changed.length === 0) return;
    const { counters } = this.#tail();
    for (const row of changed) counters.set(row.counter, row);
  }

  /** The oldest segment, sealed. The same one until it is dropped. */
  head(): { readonly segment: Segment; readonly batch: Batch } | undefined {
    if (this.#segments[0]?.isSealed !== true) this.takeCounters();
    const segment = this.#segments[0];
    if (segment === undefined) return undefined;
    segment.isSealed = true;
    const counters = [...segment.counters.values()].map((row) => [row.counter, row.state, row.dropAtMs]);
    return { segment, batch: { kinds: segment.kinds, rows: segment.rows, counters: JSON.stringify(counters) } };
  }

  /** The oldest segment is on disk. */
  drop(): void {
    const segment = this.#segments.shift();
    this.#rows -= segment?.rows.length ?? 0;
  }

  /** Where the next row goes. */
  #tail(): Segment {
    const last = this.#segments.at(-1);
    if (last !== undefined && !last.isSealed) return last;
    const segment: Segment = { kinds: '', rows: [], ends: new Map(), counters: new Map(), isSealed: false };
    this.#segments.push(segment);
    this.#opened += 1;
    return segment;
  }
}
