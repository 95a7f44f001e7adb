/** Reads a ledger file while `serve` may be writing it. Writes nothing, holds nobody up. */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { TollgateError } from '../core/errors.ts';
import type { BookLine } from './booking.ts';
import { type Census, takeCensus } from './census.ts';
import { type DecisionsQuery, decisionsOf, type ListedDecision } from './decision-list.ts';
import type { Hold, Refusal } from './hold.ts';
import type { Charged, CounterRow, End, EndKind } from './ledger.ts';
import { type RefusalRow, type Report, refusalsOf, reportOf } from './report.ts';
import type { ReportQuery } from './report-query.ts';
import { decodeHold, decodeRefusal } from './row.ts';
import { bookLineOf, checkVersion, ledgerIdOf } from './schema.ts';
import { type WouldRefuse, wouldRefuseOf } from './would-refuse.ts';

/** One end as it was booked; its lines and its hold stand beside it. */
export type BookedEnd = Omit<End, 'decisionId' | 'hold' | 'lines'>;

/** One line as it was booked: a difference to the lines of lower ranks. */
export interface BookedLine extends BookLine {
  readonly rank: number;
}

/** All that the book holds of one decision id. */
export type BookedDecision =
  | {
      readonly outcome: 'allow';
      readonly hold: Hold;
      readonly writtenBy: 'hold' | 'end';
      /** By rank, the lowest first; the last one stands. */
      readonly ends: readonly BookedEnd[];
      readonly lines: readonly BookedLine[];
      readonly conflicts: number;
    }
  /** `count`: identical refusals of its minute, itself included. */
  | { readonly outcome: 'deny'; readonly refusal: Refusal; readonly count: number };

/** Opens a ledger for reading. Throws `ledger_unavailable` for a file that is not there, not readable, or not a ledger. */
export function openLedgerReader(file: string): LedgerReader {
  if (!existsSync(file)) {
    throw new TollgateError('ledger_unavailable', `there is no ledger at \`${file}\`; \`tollgate serve\` creates it`);
  }
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    if (checkVersion(db, file) === 0) throw new TollgateError('ledger_unavailable', `ledger \`${file}\` is empty`);
    return new LedgerReader(db);
  } catch (cause) {
    db?.close();
    if (cause instanceof TollgateError) throw cause;
    throw new TollgateError('ledger_unavailable', `ledger \`${file}\` cannot be read`, { cause });
  }
}

/** Made by `openLedgerReader`. Every answer is one snapshot. Synchronous: large ones belong into a process of their own. */
export class LedgerReader {
  readonly ledgerId: string;
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.ledgerId = ledgerIdOf(db);
  }

  decision(id: string): BookedDecision | undefined {
    return this.#snapshot(() => this.#allowed(id) ?? this.#denied(id));
  }

  decisions(query: DecisionsQuery): readonly ListedDecision[] {
    return this.#snapshot(() => decisionsOf(this.#db, query));
  }

  report(query: ReportQuery): Report {
    return this.#snapshot(() => reportOf(this.#db, query));
  }

  refusals(query: ReportQuery): readonly RefusalRow[] {
    return this.#snapshot(() => refusalsOf(this.#db, query));
  }

  wouldRefuse(query: ReportQuery): WouldRefuse {
    return this.#snapshot(() => wouldRefuseOf(this.#db, query));
  }

  /** `graceMs`: see OPEN_GRACE_MS. */
  census(options: { readonly nowMs: number; readonly graceMs?: number }): Census {
    return this.#snapshot(() => takeCensus(this.#db, options));
  }

  /** Counter states as last written, by name; of one counter if `counter` is given. */
  counters(counter?: string): readonly CounterRow[] {
    const sql =
      'SELECT counter, state, drop_at_ms AS dropAtMs FROM counters WHERE ? IS NULL OR counter = ? ORDER BY counter';
    const name = counter ?? null;
    return this.#db.prepare(sql).all(name, name) as unknown as readonly CounterRow[];
  }

  /** The same but for states of decisions that have ended, of which there may be millions. `decisionStates`: see SqliteLedgerOptions. */
  countersUnderWay(decisionStates: string): readonly CounterRow[] {
    const columns = 'counter, state, drop_at_ms AS dropAtMs';
    const sql = `SELECT ${columns} FROM counters WHERE counter < ?1 UNION ALL SELECT ${columns} FROM counters WHERE counter > ?2
      UNION ALL SELECT ${columns} FROM open AS o JOIN counters ON counter = ?1 || o.decision_id`;
    return this.#db.prepare(sql).all(decisionStates, `${decisionStates}\u{10ffff}`) as unknown as readonly CounterRow[];
  }

  /** Holds without an end, the first to expire first. */
  openHolds(max: number): readonly Hold[] {
    const sql = `SELECT h.row FROM open AS o JOIN holds AS h ON h.decision_id = o.decision_id ORDER BY o.expires_at_ms LIMIT ?`;
    return this.#db
      .prepare(sql)
      .all(max)
      .map((row) => decodeHold(row['row'] as string));
  }

  prices(version: string): unknown {
    const kept = this.#db.prepare('SELECT tables FROM prices WHERE version = ?').get(version);
    return kept === undefined ? undefined : JSON.parse(kept['tables'] as string);
  }

  close(): void {
    this.#db.close();
  }

  #allowed(id: string): BookedDecision | undefined {
    const found = this.#db.prepare('SELECT row, written_by FROM holds WHERE decision_id = ?').get(id);
    if (found === undefined) return undefined;
    const lines = this.#db.prepare('SELECT * FROM lines WHERE decision_id = ? ORDER BY rank, line');
    lines.setReadBigInts(true);
    const ends = this.#db.prepare('SELECT * FROM ends WHERE decision_id = ? ORDER BY rank').all(id);
    const conflicts = this.#db.prepare('SELECT count(*) AS n FROM conflicts WHERE decision_id = ?').get(id)?.['n'];
    return {
      outcome: 'allow',
      hold: decodeHold(found['row'] as string),
      writtenBy: found['written_by'] as 'hold' | 'end',
      ends: ends.map(endOf),
      lines: lines.all(id).map((row) => ({ rank: Number(row['rank']), ...bookLineOf(row) })),
      conflicts: Number(conflicts),
    };
  }

  #denied(id: string): BookedDecision | undefined {
    const found = this.#db.prepare('SELECT row, count FROM refusals WHERE decision_id = ?').get(id);
    if (found === undefined) return undefined;
    return { outcome: 'deny', refusal: decodeRefusal(found['row'] as string), count: Number(found['count']) };
  }

  #snapshot<T>(read: () => T): T {
    this.#db.exec('BEGIN');
    try {
      return read();
    } finally {
      this.#db.exec('ROLLBACK');
    }
  }
}

function endOf(row: Record<string, unknown>): BookedEnd {
  return {
    rank: row['rank'] as number,
    kind: row['kind'] as EndKind,
    source: row['source'] as End['source'],
    atMs: row['at_ms'] as number,
    answeredModel: (row['answered_model'] as string | null) ?? undefined,
    pricedModel: (row['priced_model'] as string | null) ?? undefined,
    flags: JSON.parse(row['flags'] as string) as string[],
    status: (row['status'] as number | null) ?? undefined,
    attempts: row['attempts'] as number,
    durationMs: (row['duration_ms'] as number | null) ?? undefined,
    charged: JSON.parse(row['charged'] as string) as Charged,
  };
}
