/** What rules and limits in `observe`, and a whole bundle that is only observed, would have done. From the ledger alone. */
import type { DatabaseSync } from 'node:sqlite';
import type { Verdict } from './difference.ts';
import { filterOf, rowsOf } from './report.ts';
import type { ReportQuery } from './report-query.ts';

/** Calls that were served and that a rule, plan or limit in `observe` would have refused. */
export interface ObservedRow {
  readonly account: string;
  /** The model that served; empty: none. */
  readonly model: string;
  /** Name of the rule, plan or limit. A call that two of them would have refused stands under both. */
  readonly by: string;
  readonly requests: bigint;
}

/** Calls that the observed bundle would have answered in another way. */
export interface DifferenceRow {
  readonly observedVersion: string;
  readonly account: string;
  readonly route: string;
  readonly requestedModel: string;
  readonly was: Verdict;
  readonly would: Verdict;
  readonly requests: bigint;
  /** A decision id of one of them. */
  readonly example: string;
}

export interface WouldRefuse {
  /** The most requests first, as all rows here. */
  readonly observed: readonly ObservedRow[];
  readonly differences: readonly DifferenceRow[];
  /** Calls that both bundles decided; of them `differing` in another way. */
  readonly compared: bigint;
  readonly differing: bigint;
}

/** Only `account`, `fromMs` and `toMs` of the query count. One snapshot, if the caller holds a transaction. */
export function wouldRefuseOf(db: DatabaseSync, query: ReportQuery): WouldRefuse {
  const { where, values } = filterOf(query);
  const observed = [...rowsOf(db, observedSql(where), values)].map((row) => ({ ...row }) as unknown as ObservedRow);
  // A ledger that an older version wrote last has no such table yet.
  const isThere = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'differences'").get() !== undefined;
  if (!isThere) return { observed, differences: [], compared: 0n, differing: 0n };
  let compared = 0n;
  for (const row of rowsOf(db, comparedSql(where), values)) compared = (row['compared'] as bigint | null) ?? 0n;
  const differences = [...rowsOf(db, differencesSql(where), values)].map(differenceOf);
  return { observed, differences, compared, differing: differences.reduce((sum, { requests }) => sum + requests, 0n) };
}

/** Observed names are the last place of a hold's facts, see row.ts. */
function observedSql(where: string): string {
  return `SELECT h.account AS account, ifnull(h.model, '') AS model, each.value AS by, count(*) AS requests
    FROM holds AS h, json_each(h.row, '$[0][21]') AS each WHERE ${where} GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3`;
}

const COMPARED = '(SELECT *, since_ms AS decided_at_ms FROM differences) AS h';

function comparedSql(where: string): string {
  return `SELECT sum(count) AS compared FROM ${COMPARED} WHERE ${where}`;
}

/** Only what a caller would have noticed: another outcome, reason or model, not which limit stood behind it. */
function differencesSql(where: string): string {
  return `SELECT observed_version, account, route, requested_model, was_outcome, was_reason, was_limit, was_model,
      would_outcome, would_reason, would_limit, would_model, sum(count) AS requests, max(example) AS example
    FROM ${COMPARED} WHERE ${where}
      AND (was_outcome != would_outcome OR was_reason != would_reason OR was_model != would_model)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 ORDER BY requests DESC, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12`;
}

function differenceOf(row: Record<string, unknown>): DifferenceRow {
  const text = (name: string): string => row[name] as string;
  const verdict = (when: 'was' | 'would'): Verdict => ({
    outcome: text(`${when}_outcome`) as Verdict['outcome'],
    reason: text(`${when}_reason`),
    limit: text(`${when}_limit`),
    model: text(`${when}_model`),
  });
  return {
    observedVersion: text('observed_version'),
    account: text('account'),
    route: text('route'),
    requestedModel: text('requested_model'),
    was: verdict('was'),
    would: verdict('would'),
    requests: row['requests'] as bigint,
    example: text('example'),
  };
}
