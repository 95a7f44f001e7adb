/**
 * The audit in SQLite: a file of its own, because the ledger has one writer and commands append too. It only grows: some
 * 500 bytes a record, a record for each change that a person or a bundle makes. Archive it with the ledger.
 */
import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { AuditEvent } from '../core/audit.ts';
import { TollgateError } from '../core/errors.ts';
import { type AuditRecord, CHAIN_START, chainHash, eventOf, recordText } from './audit-record.ts';
import { realFile } from './lock.ts';

/** As the ledger's. */
const FILE_MODE = 0o640;
/** `TAUD` in ASCII. */
const APPLICATION_ID = 0x54415544;
const VERSION = 1;
/** A reader waits for nobody but one who makes the file. */
const READ_BUSY_MS = 5_000;

/** AUTOINCREMENT remembers the highest place, so that records taken off the end leave a trace. */
const TABLES = `
  CREATE TABLE records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    verb TEXT NOT NULL,
    text TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE INDEX records_by_time ON records (at_ms);
  CREATE TRIGGER records_stay BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'audit records stay'); END;
  CREATE TRIGGER records_hold BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'audit records are not changed'); END;
`;

/** As far as numbers and dates go: what lies beyond was put there by somebody, and must still be shown as broken. */
const COLUMNS = `min(seq, ${Number.MAX_SAFE_INTEGER}) AS seq, min(max(at_ms, 0), 8640000000000000) AS at_ms, who, verb, text, hash`;

export interface AuditQuery {
  readonly sinceMs?: number;
  readonly who?: string;
  readonly verb?: string;
  /** Only records before this place: where the page before ended. */
  readonly beforeSeq?: number;
  /** Records at most. */
  readonly limit: number;
}

/** How the chain stands. `head`: the last place and its hash, to be noted elsewhere: only that shows a file that was made anew. */
export type AuditVerdict =
  | { readonly outcome: 'whole'; readonly records: number; readonly head: string }
  | { readonly outcome: 'broken'; readonly seq: number; readonly why: string };

/** Opens the audit for appending, creating it if it is not there. Throws `audit_unavailable`. */
export function openAudit(file: string, { busyMs }: { readonly busyMs: number }): AuditBook {
  return open(file, () => {
    const real = realFile(file);
    closeSync(openSync(real, 'a', FILE_MODE));
    const db = new DatabaseSync(real, { timeout: busyMs });
    try {
      prepare(db, file);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** Opens it for reading alone; undefined: there is no record yet. Throws `audit_unavailable`. */
export function openAuditReader(file: string): AuditBook | undefined {
  if (!existsSync(file)) return undefined;
  return open(file, () => {
    const db = new DatabaseSync(file, { readOnly: true, timeout: READ_BUSY_MS });
    try {
      if (versionOf(db, file) > 0) return db;
    } catch (error) {
      db.close();
      throw error;
    }
    db.close();
    return undefined;
  });
}

type BookOf<Found> = Found extends undefined ? undefined : AuditBook;

function open<Found extends DatabaseSync | undefined>(file: string, make: () => Found): BookOf<Found> {
  try {
    const db = make();
    return (db === undefined ? undefined : new AuditBook(db)) as BookOf<Found>;
  } catch (cause) {
    if (cause instanceof TollgateError && cause.code === 'audit_unavailable') throw cause;
    throw new TollgateError('audit_unavailable', `audit \`${file}\` cannot be used`, { cause });
  }
}

/** WAL, so that readers hold up nobody; `synchronous = FULL`, so that an answered append survives a power cut. */
function prepare(db: DatabaseSync, file: string): void {
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
  try {
    if (versionOf(db, file) === 0) {
      db.exec(`${TABLES} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${VERSION}`);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** 0 for an empty file; throws for a file that is something else. */
function versionOf(db: DatabaseSync, file: string): number {
  const pragma = (name: string): number => Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
  if (db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'] === 0) return 0;
  if (pragma('application_id') !== APPLICATION_ID || pragma('user_version') !== VERSION) {
    throw new TollgateError('audit_unavailable', `\`${file}\` is no audit that this tollgate knows`);
  }
  return VERSION;
}

/** Made by `openAudit` and `openAuditReader`. Synchronous: for commands, and for threads of their own. */
export class AuditBook {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Appends a record behind the last one, whoever wrote that; on disk when it returns. Throws `audit_unavailable`. */
  append(event: AuditEvent, atMs: number): { readonly seq: number; readonly hash: string } {
    const text = recordText(event);
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      const last = this.#last();
      const seq = last.seq + 1;
      const hash = chainHash({ previous: last.hash, seq, atMs, text });
      this.#db
        .prepare('INSERT INTO records (seq, at_ms, who, verb, text, hash) VALUES (?, ?, ?, ?, ?, ?)')
        .run(seq, atMs, (JSON.parse(text) as AuditEvent).who, event.verb, text, hash);
      this.#db.exec('COMMIT');
      return { seq, hash };
    } catch (cause) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw new TollgateError('audit_unavailable', 'the audit cannot be written', { cause });
    }
  }

  /** The newest first. Throws `audit_unavailable` where a record is none of ours. */
  list({ sinceMs, who, verb, beforeSeq, limit }: AuditQuery): readonly AuditRecord[] {
    const values: Record<string, SQLInputValue> = {
      since: sinceMs ?? null,
      who: who ?? null,
      verb: verb ?? null,
      before: beforeSeq ?? null,
      max: limit,
    };
    const sql = `SELECT ${COLUMNS} FROM records
      WHERE ($since IS NULL OR at_ms >= $since) AND ($who IS NULL OR who = $who) AND ($verb IS NULL OR verb = $verb)
        AND ($before IS NULL OR seq < $before) ORDER BY records.seq DESC LIMIT $max`;
    return this.#db.prepare(sql).all(values).map(recordOf);
  }

  /** Recomputes the chain from the first record on. */
  verify(): AuditVerdict {
    let last = { seq: 0, hash: CHAIN_START };
    for (const row of this.#db.prepare(`SELECT ${COLUMNS} FROM records ORDER BY records.seq`).iterate()) {
      const seq = row['seq'] as number;
      const text = row['text'] as string;
      if (seq !== last.seq + 1) return { outcome: 'broken', seq: last.seq + 1, why: 'records are missing' };
      const hash = chainHash({ previous: last.hash, seq, atMs: row['at_ms'] as number, text });
      if (hash !== row['hash'] || !isConsistent(row, text)) return { outcome: 'broken', seq, why: 'was changed' };
      last = { seq, hash };
    }
    if (this.#highest() !== last.seq) {
      return { outcome: 'broken', seq: last.seq + 1, why: 'records at the end are missing' };
    }
    return { outcome: 'whole', records: last.seq, head: `${last.seq}:${last.hash}` };
  }

  /** The hash of a record; undefined: there is none. */
  hashAt(seq: number): string | undefined {
    return this.#db.prepare('SELECT hash FROM records WHERE seq = ?').get(seq)?.['hash'] as string | undefined;
  }

  close(): void {
    this.#db.close();
  }

  /** What the next record follows. Where records at the end were taken off, the gap that they leave stays. */
  #last(): { readonly seq: number; readonly hash: string } {
    const row = this.#db.prepare('SELECT hash FROM records ORDER BY seq DESC LIMIT 1').get();
    return { seq: this.#highest(), hash: (row?.['hash'] as string | undefined) ?? CHAIN_START };
  }

  /** The highest place that was ever taken. */
  #highest(): number {
    const row = this.#db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'records'").get();
    return Number(row?.['seq'] ?? 0);
  }
}

function recordOf(row: Record<string, unknown>): AuditRecord {
  const seq = row['seq'] as number;
  const event = eventOf(row['text'] as string);
  if (event === undefined) {
    throw new TollgateError(
      'audit_unavailable',
      `record ${seq} of the audit is none of ours; see \`tollgate audit --verify\``,
    );
  }
  return { seq, atMs: row['at_ms'] as number, ...event, hash: row['hash'] as string };
}

/** The text is a record, and the columns to search by say what it says. */
function isConsistent(row: Record<string, unknown>, text: string): boolean {
  const event = eventOf(text);
  return event !== undefined && row['who'] === event.who && row['verb'] === event.verb;
}
