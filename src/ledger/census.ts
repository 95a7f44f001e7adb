/** The census: every admitted hold has exactly one terminal state, and its charge is the sum of its lines. */
import type { DatabaseSync } from 'node:sqlite';
import { END_KINDS, type EndKind } from './ledger.ts';

/**
 * How long past its expiry a hold may stand open, ms: 60 s until the ledger's own sweep takes it (docs/money.md), and the
 * time between two sweeps.
 */
export const OPEN_GRACE_MS = 75_000;

export interface Census {
  /** Admitted decisions, their holds written by themselves or by an end. */
  readonly holds: number;
  /** Holds by how they ended: the kind of the highest booked rank. */
  readonly ended: Readonly<Record<EndKind, number>>;
  readonly open: number;
  /** Open ones past their expiry, and those past it by more than the grace: nobody ends them, which is a fault. */
  readonly openPastExpiry: number;
  readonly openOverdue: number;
  /** Holds that were lost and came back as the copy in an access-log entry. */
  readonly endsWithoutHold: number;
  /** Ends of a booked rank that came again with other amounts; listed, never summed. */
  readonly conflicts: number;
  readonly orphans: number;
  /** Decisions whose lines do not add up to their end; ends or lines that belong to no hold. Always 0, or we have a defect. */
  readonly unbalanced: number;
  readonly strays: number;
  /** Every hold has one end or is open within its time, and every sum is right. */
  readonly closes: boolean;
}

/** Counts a ledger. Reads all of it: about a second per 100k decisions. One snapshot, if the caller holds a transaction. */
export function takeCensus(
  db: DatabaseSync,
  { nowMs, graceMs = OPEN_GRACE_MS }: { nowMs: number; graceMs?: number },
): Census {
  const count = (sql: string, ...values: number[]): number => Number(db.prepare(sql).get(...values)?.['n']);
  const ended = new Map(
    db
      .prepare(`SELECT kind, count(*) AS n FROM (${TERMINAL}) GROUP BY kind`)
      .all()
      .map((row) => [row['kind'] as EndKind, Number(row['n'])]),
  );
  const holds = count('SELECT count(*) AS n FROM holds');
  const open = count('SELECT count(*) AS n FROM open');
  const openOverdue = count('SELECT count(*) AS n FROM open WHERE expires_at_ms <= ?', nowMs - graceMs);
  const unbalanced = count(UNBALANCED);
  const strays = count(STRAYS);
  const endedAll = [...ended.values()].reduce((sum, n) => sum + n, 0);
  return {
    holds,
    ended: Object.fromEntries(END_KINDS.map((kind) => [kind, ended.get(kind) ?? 0])) as Record<EndKind, number>,
    open,
    openPastExpiry: count('SELECT count(*) AS n FROM open WHERE expires_at_ms <= ?', nowMs),
    openOverdue,
    endsWithoutHold: count("SELECT count(*) AS n FROM holds WHERE written_by = 'end'"),
    conflicts: count('SELECT count(*) AS n FROM conflicts'),
    orphans: count('SELECT count(*) AS n FROM orphans'),
    unbalanced,
    strays,
    closes: holds === endedAll + open && openOverdue === 0 && unbalanced === 0 && strays === 0,
  };
}

/** The end that stands for each decision: SQLite takes the other columns from the row of the maximum. */
const TERMINAL = 'SELECT decision_id, kind, charge, cost, max(rank) AS rank FROM ends GROUP BY decision_id';

const UNBALANCED = `
  SELECT count(*) AS n FROM (${TERMINAL}) AS e
  LEFT JOIN (SELECT decision_id, sum(charge) AS charge, sum(cost) AS cost FROM lines GROUP BY decision_id) AS l
    ON l.decision_id = e.decision_id
  WHERE e.charge != ifnull(l.charge, 0) OR e.cost != ifnull(l.cost, 0)`;

const STRAYS = `
  SELECT (SELECT count(*) FROM ends AS e WHERE NOT EXISTS (SELECT 1 FROM holds WHERE decision_id = e.decision_id))
    + (SELECT count(*) FROM lines AS l WHERE NOT EXISTS
        (SELECT 1 FROM ends WHERE decision_id = l.decision_id AND rank = l.rank))
    + (SELECT count(*) FROM open AS o WHERE EXISTS (SELECT 1 FROM ends WHERE decision_id = o.decision_id)) AS n`;
