/** Decisions of the book in the order of time, the newest first, page by page. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

export interface DecisionsQuery {
  /** This account and all below it; undefined: all. */
  readonly account: string | undefined;
  /** Decided at or after. */
  readonly sinceMs: number | undefined;
  /** Only what stands behind this one in the order of the list. */
  readonly after: { readonly decidedAtMs: number; readonly decisionId: string } | undefined;
  readonly limit: number;
}

/** What a list shows of a decision; the rest is for `explain`. */
export interface ListedDecision {
  readonly decisionId: string;
  readonly decidedAtMs: number;
  readonly outcome: 'allow' | 'deny';
  readonly account: string;
  readonly credential: string;
  readonly classes: readonly string[];
  readonly route: string;
  /** Served, or asked for where it was refused. */
  readonly model: string | undefined;
  readonly reason: string | undefined;
  readonly limit: string | undefined;
  /** Identical refusals of its minute, itself included; 1 for what was allowed. */
  readonly count: number;
}

const COLUMNS = 'decision_id, decided_at_ms, account, credential, classes, route, model';
/** By the index on time; a page of one account reads the others of its time, and is bounded by who waits for it. */
const PAGE = `($since IS NULL OR decided_at_ms >= $since)
  AND ($after_ms IS NULL OR decided_at_ms < $after_ms OR (decided_at_ms = $after_ms AND decision_id < $after_id))
  AND ($account IS NULL OR account = $account OR substr(account, 1, length($account) + 1) = $account || '/')
  ORDER BY decided_at_ms DESC, decision_id DESC LIMIT $max`;

export function decisionsOf(db: DatabaseSync, query: DecisionsQuery): readonly ListedDecision[] {
  const values: Record<string, SQLInputValue> = {
    since: query.sinceMs ?? null,
    after_ms: query.after?.decidedAtMs ?? null,
    after_id: query.after?.decisionId ?? null,
    account: query.account ?? null,
    max: query.limit,
  };
  const allowed = db.prepare(`SELECT ${COLUMNS} FROM holds WHERE ${PAGE}`).all(values);
  const denied = db.prepare(`SELECT ${COLUMNS}, reason, limit_name, count FROM refusals WHERE ${PAGE}`).all(values);
  return [...allowed.map((row) => listed(row, 'allow')), ...denied.map((row) => listed(row, 'deny'))]
    .toSorted(newestFirst)
    .slice(0, query.limit);
}

function newestFirst(a: ListedDecision, b: ListedDecision): number {
  return b.decidedAtMs - a.decidedAtMs || (a.decisionId < b.decisionId ? 1 : -1);
}

function listed(row: Record<string, unknown>, outcome: ListedDecision['outcome']): ListedDecision {
  const text = (name: string): string | undefined => (row[name] as string | null | undefined) ?? undefined;
  return {
    decisionId: text('decision_id')!,
    decidedAtMs: row['decided_at_ms'] as number,
    outcome,
    account: text('account')!,
    credential: text('credential')!,
    classes: text('classes')!.split(','),
    route: text('route')!,
    model: text('model'),
    reason: text('reason'),
    limit: text('limit_name'),
    count: outcome === 'allow' ? 1 : (row['count'] as number),
  };
}
