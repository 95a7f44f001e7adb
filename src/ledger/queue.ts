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
}

export class RowQueue {
  readonly #segments: Segment[] = [];
  #rows = 0;
  #opened = 0;
  #sealed: Segment | undefined;

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
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.rows.length >= SEGMENT_ROWS_MAX || this.#isSealed) segment = this.#open();
    if (end !== undefined) segment.ends.set(segment.rows.length, end);
    segment.kinds += kind;
    segment.rows.push(text);
    this.#rows += 1;
  }

  /** Counter states for the transaction of the row pushed last; of one counter the last state stands. */
  counters(rows: readonly CounterRow[]): void {
    if (rows.length === 0) return;
    const last = this.#segments.at(-1);
    const segment = last === undefined || this.#isSealed ? this.#open() : last;
    for (const row of rows) segment.counters.set(row.counter, row);
  }

  /** The oldest segment, sealed: rows pushed from now on go to later ones. The same one until it is dropped. */
  head(): { readonly segment: Segment; readonly batch: Batch } | undefined {
    const segment = this.#segments[0];
    if (segment === undefined) return undefined;
    this.#sealed = segment;
    const counters = [...segment.counters.values()].map((row) => [row.counter, row.state, row.dropAtMs]);
    return { segment, batch: { kinds: segment.kinds, rows: segment.rows, counters: JSON.stringify(counters) } };
  }

  /** The oldest segment is on disk. */
  drop(): void {
    const segment = this.#segments.shift();
    this.#rows -= segment?.rows.length ?? 0;
  }

  get #isSealed(): boolean {
    return this.#segments.length === 1 && this.#segments[0] === this.#sealed;
  }

  #open(): Segment {
    const segment: Segment = { kinds: '', rows: [], ends: new Map(), counters: new Map() };
    this.#segments.push(segment);
    this.#opened += 1;
    return segment;
  }
}
