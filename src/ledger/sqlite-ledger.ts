/** The ledger on node:sqlite: the embedded default, one process, one file. */
import { TollgateError } from '../core/errors.ts';
import type { Difference } from './difference.ts';
import { Folding } from './folding.ts';
import type { Hold, Refusal } from './hold.ts';
import type { CounterRow, End, Found, Ledger, LedgerCounts, Orphan, Recovered } from './ledger.ts';
import { lockLedger, realFile } from './lock.ts';
import { RowQueue } from './queue.ts';
import { foundOf, recoverFrom } from './recovery.ts';
import { decodeHold, encodeEnd, encodeHold, encodeOrphan, encodeRefusal } from './row.ts';
import type { FoundRow, Outcomes } from './sqlite-wire.ts';
import { WriterLink } from './writer-link.ts';

export interface SqliteLedgerOptions {
  /** Path of the ledger file; created with its directory if it is not there. Beside it: `-wal`, `-shm`, `.lock`. */
  readonly file: string;
  /** Longest time a row waits before it is handed to the writer, ms, 1–1000. Default 5. */
  readonly commitMs?: number;
  /** Rows that may wait for the disk. Default 100000. At it `hold` answers false; ends may take four times as many. */
  readonly queueMax?: number;
  /** How long `flush`, `close` and every question wait, ms. Default 10000; then `ledger_unavailable`. */
  readonly waitMs?: number;
  /** How long a commit waits for another process's lock on the file, ms. Default 1000; then it is tried again with backoff. */
  readonly busyMs?: number;
  /**
   * Counter states that changed since the last call, to be written in the commit of the rows that stand for the changes.
   * Called right behind the row that fills a commit, and before one is handed over: in the turn of a change its row has to
   * follow. The cheap way to keep counters durable: one state per counter and commit. Default: none change.
   */
  readonly changedCounters?: () => readonly CounterRow[];
  /**
   * What names of counters begin with that are states of one decision; its id follows. They are recovered with its hold, or
   * found with it. Default: there are none.
   */
  readonly decisionStates?: string;
  /** Told of every failed commit, with words for the log. Rows are kept and tried again. */
  readonly onFailure?: (message: string) => void;
}

export interface SqliteLedgerCounts extends LedgerCounts {
  /** Holds and refusals that were not taken because the queue was full. */
  readonly turnedAway: number;
  /** Ends, orphans and differences lost because the queue was full four times over: their holds expire with their estimates. */
  readonly lost: number;
  /** Rows that could not be booked, listed as orphans. 0, or we have a defect. */
  readonly rejected: number;
  /** Commits that failed in a row, up to now: above 0 the disk is in trouble. */
  readonly failures: number;
}

/** Ends beyond this many full queues are lost: they are bounded by the open holds, and this holds where that does not. */
const END_QUEUE_FACTOR = 4;

/**
 * Opens a ledger for writing and takes its lock. Throws `ledger_locked` where another process has it, `ledger_unavailable`
 * where the file cannot be opened, is not a ledger, or is of a newer version.
 */
export async function openSqliteLedger(options: SqliteLedgerOptions): Promise<SqliteLedger> {
  const file = realFile(options.file);
  const lock = lockLedger(file);
  const link = new WriterLink({
    file,
    busyMs: options.busyMs ?? 1_000,
    decisionStates: options.decisionStates,
    answerMs: options.waitMs ?? 10_000,
    onFailure: options.onFailure ?? (() => {}),
  });
  try {
    return new SqliteLedger(await link.open(), { link, lock, options });
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Made by `openSqliteLedger`. */
export class SqliteLedger implements Ledger {
  readonly id: string;
  readonly #link: WriterLink;
  readonly #lock: { release(): void };
  readonly #commitMs: number;
  readonly #queueMax: number;
  readonly #waitMs: number;
  readonly #decisionStates: string | undefined;
  readonly #queue: RowQueue;
  readonly #folding = new Folding();
  readonly #waiting = new Set<{ upTo: number; done: () => void }>();
  readonly #tally = {
    committed: 0,
    commits: 0,
    repeated: 0,
    conflicts: 0,
    superseded: 0,
    folded: 0,
    turnedAway: 0,
    lost: 0,
    rejected: 0,
  };
  #timer: NodeJS.Timeout | undefined;
  #inFlight = false;
  /** The timer rang while a batch was in flight. */
  #due = false;
  #closed = false;

  constructor(
    id: string,
    { link, lock, options }: { link: WriterLink; lock: { release(): void }; options: SqliteLedgerOptions },
  ) {
    this.id = id;
    this.#link = link;
    this.#lock = lock;
    this.#commitMs = options.commitMs ?? 5;
    this.#queueMax = options.queueMax ?? 100_000;
    this.#waitMs = options.waitMs ?? 10_000;
    this.#decisionStates = options.decisionStates;
    this.#queue = new RowQueue(options.changedCounters ?? (() => []));
  }

  hold(hold: Hold): boolean {
    if (!this.#hasRoom()) return false;
    this.#queue.push('h', encodeHold(hold));
    this.#arm();
    return true;
  }

  end(end: End): void {
    if (this.#closed || this.#queue.rows >= this.#queueMax * END_QUEUE_FACTOR) {
      this.#tally.lost += 1;
      return;
    }
    const withHold = end.source === 'entry';
    this.#queue.push('e', encodeEnd(end, { withHold }), withHold ? undefined : end);
    this.#arm();
  }

  refuse(refusal: Refusal): string {
    const { outcome, decisionId } = this.#folding.find(refusal);
    if (outcome === 'folded') {
      this.#tally.folded += 1;
      this.#arm();
    } else if (this.#hasRoom()) {
      this.#queue.push('r', encodeRefusal(refusal));
      this.#folding.opened(refusal);
      this.#arm();
    }
    return decisionId;
  }

  orphan(orphan: Orphan): void {
    this.#append('o', () => encodeOrphan(orphan));
  }

  differ(difference: Difference): void {
    this.#append('d', () => JSON.stringify(difference));
  }

  async keepPrices(version: string, tables: unknown): Promise<void> {
    await this.#link.ask({ what: 'keep_prices', version, tables: JSON.stringify(tables) });
  }

  async prices(version: string): Promise<unknown> {
    const text = (await this.#link.ask({ what: 'prices', version })) as string | undefined;
    return text === undefined ? undefined : JSON.parse(text);
  }

  recover(sinceMs: number): Promise<Recovered> {
    return recoverFrom(this.#link, { sinceMs, decisionStates: this.#decisionStates });
  }

  async find(decisionId: string): Promise<Found> {
    // What waits for the disk may be about it: an answer without that would be of before.
    await this.flush();
    return foundOf((await this.#link.ask({ what: 'find', decisionId })) as FoundRow);
  }

  async overdue(beforeMs: number, max: number): Promise<readonly Hold[]> {
    const rows = (await this.#link.ask({ what: 'overdue', beforeMs, max })) as readonly string[];
    return rows.map(decodeHold);
  }

  counts(): SqliteLedgerCounts {
    return { queued: this.#queue.rows, failures: this.#link.failures, ...this.#tally };
  }

  async flush(): Promise<void> {
    this.#takeFolds();
    this.#queue.takeCounters();
    if (this.#queue.segments === 0) return;
    await new Promise<void>((resolve, reject) => {
      const waiter = {
        upTo: this.#queue.opened,
        done: () => {
          clearTimeout(deadline);
          resolve();
        },
      };
      const deadline = setTimeout(() => {
        this.#waiting.delete(waiter);
        const rows = this.#queue.rows;
        reject(new TollgateError('ledger_unavailable', `\`${rows}\` ledger rows could not be written in time`));
      }, this.#waitMs);
      this.#waiting.add(waiter);
      this.#ring();
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.flush();
    } finally {
      clearTimeout(this.#timer);
      await this.#link.close(this.#waitMs);
      this.#lock.release();
    }
  }

  #hasRoom(): boolean {
    if (!this.#closed && this.#queue.rows < this.#queueMax) return true;
    this.#tally.turnedAway += 1;
    return false;
  }

  /** A row that no decision waits for: lost, and counted, where the queue is full. */
  #append(kind: 'o' | 'd', text: () => string): void {
    if (this.#closed || this.#queue.rows >= this.#queueMax) {
      this.#tally.lost += 1;
      return;
    }
    this.#queue.push(kind, text());
    this.#arm();
  }

  #takeFolds(): void {
    for (const { decisionId, count } of this.#folding.drain()) {
      this.#queue.push('f', JSON.stringify([decisionId, count]));
    }
  }

  #arm(): void {
    if (this.#timer === undefined && !this.#due) this.#timer = setTimeout(() => this.#ring(), this.#commitMs);
  }

  #ring(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#inFlight) this.#due = true;
    else this.#handOver();
  }

  #handOver(): void {
    this.#due = false;
    if (this.#queue.segments <= 1) this.#takeFolds();
    const head = this.#queue.head();
    if (head === undefined) return;
    this.#inFlight = true;
    const { segment, batch } = head;
    this.#link.commit(batch, (outcomes) => {
      this.#inFlight = false;
      this.#queue.drop();
      this.#count(segment.rows.length, outcomes);
      for (const place of outcomes.missing) this.#again(segment.ends.get(place));
      this.#wake(outcomes.missing.length > 0);
      if (this.#due || this.#queue.segments > 1 || this.#waiting.size > 0) this.#handOver();
    });
  }

  /** An end whose hold never reached the book: once more, with it. */
  #again(end: End | undefined): void {
    if (end === undefined) return;
    this.#queue.push('e', encodeEnd(end, { withHold: true }));
    this.#arm();
  }

  #count(rows: number, outcomes: Outcomes): void {
    this.#tally.committed += rows - outcomes.missing.length;
    this.#tally.commits += 1;
    this.#tally.repeated += outcomes.repeated;
    this.#tally.conflicts += outcomes.conflicts;
    this.#tally.superseded += outcomes.superseded;
    this.#tally.rejected += outcomes.rejected;
  }

  /** Ends the waits for rows that are on disk; rows sent `again` are waited for as well. */
  #wake(again: boolean): void {
    for (const waiter of this.#waiting) {
      if (again) waiter.upTo = this.#queue.opened;
      if (waiter.upTo > this.#queue.dropped) continue;
      this.#waiting.delete(waiter);
      waiter.done();
    }
  }
}
