/** The book in SQLite: prepared statements and one transaction per batch. Lives in the writer's thread. */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import { amountsText, type BookLine, book } from './booking.ts';
import type { Difference } from './difference.ts';
import type { Hold } from './hold.ts';
import type { CounterRow, Orphan } from './ledger.ts';
import { decodeEnd, decodeHold, decodeOrphan, decodeRefusal, ENTRY_CHARS_MAX, type EndRow, encodeHold } from './row.ts';
import { bookLineOf, migrate } from './schema.ts';
import { type Statements, statements } from './sqlite-statements.ts';
import type { Batch, CountersPage, FoundRow, OpenRow, Outcomes, RowKind, WriterSettings } from './sqlite-wire.ts';

/** Readable by the operator's group, so that finance can run reports; by nobody else. */
const FILE_MODE = 0o640;
/** How often dead counters are looked for, ms of the rows' own time. */
const PRUNE_EVERY_MS = 60_000;
/** How long a dead counter stays, ms: a wall clock that jumped ahead by less costs nothing. */
const PRUNE_AFTER_MS = 3_600_000;
/** SQLite's primary result codes that speak of the file or the machine, not of a row: PERM to NOMEM, READONLY to CANTOPEN, NOTADB. */
const STORAGE_CODES: ReadonlySet<number> = new Set([3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26]);

/**
 * Opens the ledger file for writing, creating it if it is not there. WAL, so that reports read while we write;
 * `synchronous = FULL`, so that a commit that was acknowledged survives a power cut and not only a kill. The sync is paid
 * once per group of rows, off the main thread.
 */
function openFile({ file, busyMs }: WriterSettings): { db: DatabaseSync; ledgerId: string } {
  closeSync(openSync(file, 'a', FILE_MODE));
  const db = new DatabaseSync(file, { timeout: busyMs });
  try {
    const { ledgerId } = migrate(db, file);
    // 8000 pages are 32 MiB of log between checkpoints: at high rates fewer of them block a commit.
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000;
      PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384`);
    return { db, ledgerId };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Whether an error speaks of the storage: the same batch may pass later. Else some row can never be booked. */
function isStorageError(error: unknown): boolean {
  return (
    error instanceof Error &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    STORAGE_CODES.has(error.errcode & 0xff)
  );
}

export class SqliteBook {
  readonly ledgerId: string;
  readonly #db: DatabaseSync;
  readonly #sql: Statements;
  readonly #decisionStates: string | undefined;
  /** Latest instant that any row named: the book has no clock. */
  #latestMs = 0;
  #prunedMs = 0;

  constructor(settings: WriterSettings) {
    const { db, ledgerId } = openFile(settings);
    this.#db = db;
    this.ledgerId = ledgerId;
    this.#sql = statements(db);
    this.#decisionStates = settings.decisionStates;
  }

  /**
   * Commits a batch in one transaction. A row that cannot be booked (never seen; a defect of ours) is listed as an orphan
   * and the others are committed. Throws where the storage fails; nothing of the batch is written then.
   */
  commit(batch: Batch): Outcomes {
    try {
      return this.#transact(batch, false);
    } catch (error) {
      if (isStorageError(error)) throw error;
      return this.#transact(batch, true);
    }
  }

  /** Keeps a price table. True if it stands as given; false if the version is kept with other prices. */
  keepPrices(version: string, tables: string): boolean {
    this.#sql.keepPrices.run(version, tables);
    const kept = this.prices(version);
    return kept !== undefined && isDeepStrictEqual(JSON.parse(kept), JSON.parse(tables));
  }

  prices(version: string): string | undefined {
    return this.#sql.prices.get(version)?.['tables'] as string | undefined;
  }

  overdue(beforeMs: number, max: number): readonly string[] {
    return this.#sql.overdue.all(beforeMs, max).map((found) => found['row'] as string);
  }

  counters({ sinceMs, after, before, max }: CountersPage): readonly CounterRow[] {
    return this.#sql.counters.all(after, before, sinceMs, max) as unknown as readonly CounterRow[];
  }

  /** Holds without an end, in the order of their ids, which is that of their time: at most `max` behind `after`. */
  openHolds({ after, max }: { after: string; max: number }): readonly OpenRow[] {
    return this.#sql.openHolds.all(this.#decisionStates ?? null, after, max) as unknown as readonly OpenRow[];
  }

  find(decisionId: string): FoundRow {
    const states =
      this.#decisionStates === undefined ? [] : this.#sql.counterNamed.all(this.#decisionStates + decisionId);
    return {
      hold: this.#sql.holdOf.get(decisionId) as FoundRow['hold'],
      ended: this.#sql.lastEndOf.get(decisionId) as FoundRow['ended'],
      states: states as unknown as readonly CounterRow[],
    };
  }

  /** Moves the log into the file and closes it. */
  close(): void {
    this.#db.close();
  }

  #transact(batch: Batch, apart: boolean): Outcomes {
    const outcomes: Outcomes = { repeated: 0, conflicts: 0, superseded: 0, rejected: 0, missing: [] };
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (let at = 0; at < batch.rows.length; at += 1) {
        const kind = batch.kinds[at] as RowKind;
        if (apart) this.#rowApart(kind, at, batch.rows[at]!, outcomes);
        else this.#row(kind, at, batch.rows[at]!, outcomes);
      }
      const counters = JSON.parse(batch.counters) as [string, string, number][];
      for (const [counter, state, dropAtMs] of counters) this.#sql.counter.run(counter, state, dropAtMs);
      if (this.#latestMs - this.#prunedMs >= PRUNE_EVERY_MS) {
        this.#sql.dropCounters.run(this.#latestMs - PRUNE_AFTER_MS);
        this.#prunedMs = this.#latestMs;
      }
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
    return outcomes;
  }

  /** One row between savepoints: what cannot be booked is listed, and harms no other row. */
  #rowApart(kind: RowKind, at: number, text: string, outcomes: Outcomes): void {
    this.#db.exec('SAVEPOINT one_row');
    try {
      this.#row(kind, at, text, outcomes);
    } catch (error) {
      if (isStorageError(error)) throw error;
      this.#db.exec('ROLLBACK TO one_row');
      outcomes.rejected += 1;
      const entry = text.slice(0, ENTRY_CHARS_MAX);
      this.#orphan({ decisionId: `row ${kind}`, why: `row_rejected ${text.slice(0, 80)}`, atMs: 0, entry });
    }
    this.#db.exec('RELEASE one_row');
  }

  #row(kind: RowKind, at: number, text: string, outcomes: Outcomes): void {
    switch (kind) {
      case 'h':
        this.#hold(decodeHold(text), text, 'hold');
        break;
      case 'e':
        this.#end(at, text, outcomes);
        break;
      case 'r':
        this.#refusal(text);
        break;
      case 'f': {
        const [decisionId, count] = JSON.parse(text) as [string, number];
        this.#sql.fold.run(count, decisionId);
        break;
      }
      case 'o':
        this.#orphan(decodeOrphan(text));
        break;
      case 'd':
        this.#difference(JSON.parse(text) as Difference);
    }
  }

  #hold(hold: Hold, text: string, writtenBy: 'hold' | 'end'): void {
    if (hold.decidedAtMs > this.#latestMs) this.#latestMs = hold.decidedAtMs;
    const added = this.#sql.hold.run(
      hold.decisionId,
      hold.decidedAtMs,
      hold.expiresAtMs,
      hold.account,
      hold.customer,
      hold.credential,
      hold.classes.join(','),
      hold.route,
      hold.model ?? null,
      hold.plan ?? null,
      JSON.stringify(hold.tags),
      hold.policyVersion,
      hold.priceVersion,
      writtenBy,
      text,
    );
    if (added.changes === 1) this.#sql.open.run(hold.decisionId, hold.expiresAtMs);
  }

  #end(at: number, text: string, outcomes: Outcomes): void {
    const end = decodeEnd(text);
    if (end.atMs > this.#latestMs) this.#latestMs = end.atMs;
    if (this.#sql.held.get(end.decisionId) === undefined) {
      if (end.hold === undefined) {
        outcomes.missing.push(at);
        return;
      }
      this.#hold(end.hold, encodeHold(end.hold), 'end');
    }
    const lines = end.lines.map((line) => ({ ...line, model: end.model }));
    const ends = new Map(
      this.#sql.endsOf.all(end.decisionId).map((found) => [found['rank'] as number, found['amounts'] as string]),
    );
    const sums = ends.size === 0 ? [] : this.#sql.sumsOf.all(end.decisionId).map(bookLineOf);
    const booking = book({ ends, sums }, { rank: end.rank, lines });
    if (booking.outcome === 'booked') this.#book(end, { target: lines, lines: booking.lines });
    else if (booking.outcome === 'repeated') outcomes.repeated += 1;
    else if (booking.outcome === 'superseded') outcomes.superseded += 1;
    else {
      outcomes.conflicts += 1;
      this.#sql.conflict.run(end.decisionId, end.rank, end.atMs, booking.booked, amountsText(lines), text);
    }
  }

  #book(end: EndRow, { target, lines }: { target: readonly BookLine[]; lines: readonly BookLine[] }): void {
    this.#sql.end.run(
      end.decisionId,
      end.rank,
      end.kind,
      end.source,
      end.atMs,
      end.answeredModel ?? null,
      end.pricedModel ?? null,
      JSON.stringify(end.flags),
      end.status ?? null,
      end.attempts,
      end.durationMs ?? null,
      target.reduce((sum, line) => sum + line.charge, 0n),
      target.reduce((sum, line) => sum + line.cost, 0n),
      amountsText(target),
      JSON.stringify(end.charged),
    );
    this.#sql.close.run(end.decisionId);
    lines.forEach((line, place) => {
      const { meter, model, quantity, charge, cost } = line;
      this.#sql.line.run(end.decisionId, end.rank, place, meter, model, quantity, charge, cost);
    });
  }

  #refusal(text: string): void {
    const refusal = decodeRefusal(text);
    this.#sql.refusal.run(
      refusal.decisionId,
      refusal.decidedAtMs,
      refusal.account,
      refusal.customer,
      refusal.credential,
      refusal.classes.join(','),
      refusal.route,
      refusal.requestedModel ?? null,
      refusal.plan ?? null,
      JSON.stringify(refusal.tags),
      refusal.reason,
      refusal.limit ?? null,
      text,
    );
  }

  #difference({ was, would, ...of }: Difference): void {
    const { sinceMs, policyVersion, observedVersion, account, route, requestedModel, count, example } = of;
    const versions = [policyVersion, observedVersion];
    const verdicts = [was, would].flatMap(({ outcome, reason, limit, model }) => [outcome, reason, limit, model]);
    this.#sql.difference.run(sinceMs, ...versions, account, route, requestedModel, ...verdicts, count, example);
  }

  #orphan(orphan: Orphan): void {
    this.#sql.orphan.run(orphan.decisionId, orphan.why, orphan.atMs, orphan.entry);
  }
}
