/** Tables of the SQLite ledger, and how an older file becomes a current one. */
import type { DatabaseSync } from 'node:sqlite';
import { TollgateError } from '../core/errors.ts';
import { newLedgerId } from '../core/ids.ts';
import type { Meter } from '../core/units.ts';
import type { BookLine } from './booking.ts';

/** `TOLL` in ASCII: marks the file as ours in SQLite's header. */
const APPLICATION_ID = 0x544f4c4c;

/**
 * One script per version, never changed once released; the file's `user_version` says how many have run.
 *
 * `holds`, `ends`, `lines`, `refusals`, `conflicts`, `orphans`, `differences` and `prices` are the book: append-only, but for the counts of
 * folded or repeated rows. `open` and `counters` are projections that a restart needs. Money is in smallest units. `row`
 * columns are texts of row.ts; what people ask by stands in columns of its own. `written_by`: `hold`, or `end` where the
 * hold was lost and came with an end.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE holds (
    seq INTEGER PRIMARY KEY,
    decision_id TEXT NOT NULL UNIQUE,
    decided_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    account TEXT NOT NULL,
    customer TEXT NOT NULL,
    credential TEXT NOT NULL,
    classes TEXT NOT NULL,
    route TEXT NOT NULL,
    model TEXT,
    plan TEXT,
    tags TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    price_version TEXT NOT NULL,
    written_by TEXT NOT NULL,
    row TEXT NOT NULL
  ) STRICT;
  CREATE INDEX holds_by_time ON holds (decided_at_ms);
  CREATE TABLE open (decision_id TEXT PRIMARY KEY, expires_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX open_by_expiry ON open (expires_at_ms);
  CREATE TABLE ends (
    seq INTEGER PRIMARY KEY,
    decision_id TEXT NOT NULL,
    rank INTEGER NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    answered_model TEXT,
    priced_model TEXT,
    flags TEXT NOT NULL,
    status INTEGER,
    attempts INTEGER NOT NULL,
    duration_ms INTEGER,
    charge INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    amounts TEXT NOT NULL,
    charged TEXT NOT NULL,
    UNIQUE (decision_id, rank)
  ) STRICT;
  CREATE TABLE lines (
    seq INTEGER PRIMARY KEY,
    decision_id TEXT NOT NULL,
    rank INTEGER NOT NULL,
    line INTEGER NOT NULL,
    meter TEXT NOT NULL,
    model TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    charge INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    UNIQUE (decision_id, rank, line)
  ) STRICT;
  CREATE TABLE refusals (
    seq INTEGER PRIMARY KEY,
    decision_id TEXT NOT NULL UNIQUE,
    decided_at_ms INTEGER NOT NULL,
    account TEXT NOT NULL,
    customer TEXT NOT NULL,
    credential TEXT NOT NULL,
    classes TEXT NOT NULL,
    route TEXT NOT NULL,
    model TEXT,
    plan TEXT,
    tags TEXT NOT NULL,
    reason TEXT NOT NULL,
    limit_name TEXT,
    count INTEGER NOT NULL,
    row TEXT NOT NULL
  ) STRICT;
  CREATE INDEX refusals_by_time ON refusals (decided_at_ms);
  CREATE TABLE conflicts (
    seq INTEGER PRIMARY KEY,
    decision_id TEXT NOT NULL,
    rank INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    booked TEXT NOT NULL,
    amounts TEXT NOT NULL,
    row TEXT NOT NULL,
    times INTEGER NOT NULL,
    UNIQUE (decision_id, rank, amounts)
  ) STRICT;
  CREATE TABLE orphans (
    seq INTEGER PRIMARY KEY,
    decision_id TEXT NOT NULL,
    why TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    entry TEXT NOT NULL,
    times INTEGER NOT NULL,
    imported_at_ms INTEGER,
    UNIQUE (decision_id, why)
  ) STRICT;
  CREATE TABLE prices (version TEXT PRIMARY KEY, tables TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE counters (counter TEXT PRIMARY KEY, state TEXT NOT NULL, drop_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE differences (
    seq INTEGER PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    policy_version TEXT NOT NULL,
    observed_version TEXT NOT NULL,
    account TEXT NOT NULL,
    route TEXT NOT NULL,
    requested_model TEXT NOT NULL,
    was_outcome TEXT NOT NULL,
    was_reason TEXT NOT NULL,
    was_limit TEXT NOT NULL,
    was_model TEXT NOT NULL,
    would_outcome TEXT NOT NULL,
    would_reason TEXT NOT NULL,
    would_limit TEXT NOT NULL,
    would_model TEXT NOT NULL,
    count INTEGER NOT NULL,
    example TEXT NOT NULL,
    UNIQUE (since_ms, policy_version, observed_version, account, route, requested_model, was_outcome, was_reason, was_limit,
      was_model, would_outcome, would_reason, would_limit, would_model)
  ) STRICT;
  `,
  // At 500 calls a second two million states are kept: a look for the dead ones, each minute, would read them all.
  `
  CREATE INDEX counters_by_drop ON counters (drop_at_ms);
  `,
];

/**
 * Brings a file to the current version, creating the tables and the ledger id in a new one. Throws `ledger_unavailable` for
 * a file that is not a ledger, or one of a newer version; such a file is left as it is.
 */
export function migrate(db: DatabaseSync, file: string): { readonly ledgerId: string } {
  db.exec('BEGIN IMMEDIATE');
  try {
    const version = checkVersion(db, file);
    for (const script of MIGRATIONS.slice(version)) db.exec(script);
    if (version < MIGRATIONS.length) {
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}`);
    }
    db.prepare("INSERT OR IGNORE INTO meta (key, value) VALUES ('ledger_id', ?)").run(newLedgerId());
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
  return { ledgerId: ledgerIdOf(db) };
}

/** The file's version, checked: 0 for an empty file. Throws `ledger_unavailable` as `migrate` does. */
export function checkVersion(db: DatabaseSync, file: string): number {
  const version = pragma(db, 'user_version');
  const tables = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
  if (tables === 0 && version === 0) return 0;
  if (pragma(db, 'application_id') !== APPLICATION_ID) {
    throw new TollgateError('ledger_unavailable', `\`${file}\` is a database, but not a tollgate ledger`);
  }
  if (version > MIGRATIONS.length) {
    throw new TollgateError(
      'ledger_unavailable',
      `ledger \`${file}\` has version \`${version}\`, this tollgate knows up to \`${MIGRATIONS.length}\`; use the newer tollgate that wrote it`,
    );
  }
  return version;
}

export function ledgerIdOf(db: DatabaseSync): string {
  const id = db.prepare("SELECT value FROM meta WHERE key = 'ledger_id'").get()?.['value'];
  if (typeof id !== 'string') throw new TollgateError('ledger_unavailable', 'the ledger has no id');
  return id;
}

function pragma(db: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

/** A row of `lines`, or a sum of such rows, read with BigInts. */
export function bookLineOf(row: Record<string, unknown>): BookLine {
  return {
    meter: row['meter'] as Meter,
    model: row['model'] as string,
    quantity: Number(row['quantity']),
    charge: row['charge'] as bigint,
    cost: row['cost'] as bigint,
  };
}
