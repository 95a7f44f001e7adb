/**
 * Who used what, what they pay and what it cost us, from the ledger alone. All views add up to the same totals, to the unit:
 * they group the same lines, and nothing is rounded.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { METERS, type Meter } from '../core/units.ts';
import type { Dimension, ReportQuery } from './report-query.ts';

/** Money that may be added up: one currency in one unit. Unknown where the prices of a version were never kept. */
export interface Currency {
  readonly code: string;
  readonly decimals: number;
}

export interface ReportAmounts {
  /**
   * Admitted requests. By meter: those that used it; a request that used several stands in several rows, one that used
   * none (refused by the provider, not ended yet) under the empty meter, and the total counts each once.
   */
  readonly requests: bigint;
  readonly quantities: Readonly<Record<Meter, bigint>>;
  /** Money in smallest units of the currency. */
  readonly charge: bigint;
  readonly cost: bigint;
}

export interface ReportRow extends ReportAmounts {
  /** Values of the dimensions, in the order of the query. */
  readonly key: readonly string[];
  readonly currency: Currency;
}

export interface Report {
  readonly query: ReportQuery;
  /** Sorted by key. */
  readonly rows: readonly ReportRow[];
  /** One per currency; one of nothing for an empty report. */
  readonly totals: readonly (ReportAmounts & { readonly currency: Currency })[];
  /** Requests without an end yet: counted above, with no amounts. */
  readonly open: bigint;
}

export interface RefusalRow {
  readonly account: string;
  readonly model: string;
  readonly reason: string;
  readonly limit: string;
  readonly count: bigint;
}

const NO_CURRENCY: Currency = { code: '', decimals: 9 };

/** Sums are taken in two halves of an amount, so that no sum of 64-bit amounts can overflow. */
const HALF = 1_000_000_000n;

/** Zones differ from UTC by whole quarters of an hour, so a day in any zone is a set of these. */
const SLOT_MS = 900_000;

interface Sums {
  requests: bigint;
  readonly quantities: Record<Meter, bigint>;
  charge: bigint;
  cost: bigint;
}

interface Group extends Sums {
  readonly key: readonly string[];
  readonly currency: Currency;
}

/** Groups the book. One snapshot, if the caller holds a transaction. */
export function reportOf(db: DatabaseSync, query: ReportQuery): Report {
  const { where, values } = filterOf(query);
  const look = { currencies: currenciesOf(db), days: new Map<string, string>(), query };
  const groups = new Map<string, Group>();
  const totals = new Map<string, Group>();
  const byMeter = query.by.includes('meter');
  let open = 0n;
  for (const row of rowsOf(db, requestsSql(query, where), values)) {
    const requests = row['requests'] as bigint;
    groupAt(totals, [], currencyOf(row, look)).requests += requests;
    open += row['open'] as bigint;
    const key = keyOf({ ...row, meter: '' }, look);
    groupAt(groups, key, currencyOf(row, look)).requests += byMeter ? (row['unused'] as bigint) : requests;
  }
  for (const row of rowsOf(db, amountsSql(query, where), values)) {
    const group = groupAt(groups, keyOf(row, look), currencyOf(row, look));
    if (byMeter) group.requests += row['requests'] as bigint;
    add(group, row);
    add(groupAt(totals, [], currencyOf(row, look)), row);
  }
  if (totals.size === 0) groupAt(totals, [], NO_CURRENCY);
  return {
    query,
    rows: [...groups.values()].filter(isSomething).sort(byKey(query)),
    totals: [...totals.values()],
    open,
  };
}

/** Refused requests by account, requested model, reason and limit; only `account`, `fromMs` and `toMs` of the query count. */
export function refusalsOf(db: DatabaseSync, query: ReportQuery): readonly RefusalRow[] {
  const { where, values } = filterOf(query);
  const sql = `SELECT account, ifnull(model, '') AS model, reason, ifnull(limit_name, '') AS "limit", sum(count) AS count
    FROM refusals AS h WHERE ${where} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`;
  return [...rowsOf(db, sql, values)] as unknown as readonly RefusalRow[];
}

/** What a group of the database is told by: the view's own dimensions, the others empty, so that few groups come back. */
function factsSql({ by }: ReportQuery): string {
  const tags = by.some((dimension) => dimension.startsWith('tag:'));
  const wanted = (dimension: Dimension, sql: string): string => (by.includes(dimension) ? sql : "''");
  return [
    `h.price_version AS price_version`,
    `${wanted('account', 'h.account')} AS account`,
    `${wanted('credential', 'h.credential')} AS credential`,
    `${wanted('class', 'h.classes')} AS class`,
    `${wanted('plan', "ifnull(h.plan, '')")} AS plan`,
    `${tags ? 'h.tags' : "'{}'"} AS tags`,
    `${by.includes('day') ? `h.decided_at_ms / ${SLOT_MS}` : '0'} AS slot`,
  ].join(', ');
}

/** What one decision used: its lines add up to its last end, whose model they stand under. */
function usedSql(where: string): string {
  return `SELECT h.seq AS seq, l.model AS model, l.meter AS meter, sum(l.quantity) AS quantity, sum(l.charge) AS charge,
      sum(l.cost) AS cost
    FROM holds AS h JOIN lines AS l ON l.decision_id = h.decision_id WHERE ${where} GROUP BY h.seq, l.model, l.meter
    HAVING sum(l.quantity) != 0 OR sum(l.charge) != 0 OR sum(l.cost) != 0`;
}

function amountsSql(query: ReportQuery, where: string): string {
  return `WITH used AS (${usedSql(where)})
    SELECT ${factsSql(query)}, used.model AS model, used.meter AS meter, count(*) AS requests, sum(used.quantity) AS quantity,
      sum(used.charge / ${HALF}) AS charge_high, sum(used.charge % ${HALF}) AS charge_low,
      sum(used.cost / ${HALF}) AS cost_high, sum(used.cost % ${HALF}) AS cost_low
    FROM used JOIN holds AS h ON h.seq = used.seq GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9`;
}

function requestsSql(query: ReportQuery, where: string): string {
  return `SELECT ${factsSql(query)}, coalesce(e.priced_model, h.model, '') AS model, count(*) AS requests,
      sum(e.seq IS NULL) AS open, sum(ifnull(e.amounts, '[]') = '[]') AS unused
    FROM holds AS h LEFT JOIN ends AS e ON e.decision_id = h.decision_id
      AND e.rank = (SELECT max(rank) FROM ends WHERE decision_id = h.decision_id)
    WHERE ${where} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8`;
}

/** The condition on `h`, a table with `decided_at_ms` and `account`, and its values: of the query's days and account. */
export function filterOf(query: ReportQuery): { where: string; values: readonly SQLInputValue[] } {
  const parts = ['1'];
  const values: SQLInputValue[] = [];
  if (query.fromMs !== undefined) {
    parts.push('h.decided_at_ms >= ?');
    values.push(query.fromMs);
  }
  if (query.toMs !== undefined) {
    parts.push('h.decided_at_ms < ?');
    values.push(query.toMs);
  }
  if (query.account !== undefined) {
    parts.push('(h.account = ? OR substr(h.account, 1, length(?)) = ?)');
    values.push(query.account, `${query.account}/`, `${query.account}/`);
  }
  return { where: parts.join(' AND '), values };
}

/** Rows as they are read, integers as BigInts. */
export function rowsOf(
  db: DatabaseSync,
  sql: string,
  values: readonly SQLInputValue[],
): Iterable<Record<string, unknown>> {
  const statement = db.prepare(sql);
  statement.setReadBigInts(true);
  return statement.iterate(...values);
}

interface Look {
  readonly currencies: ReadonlyMap<string, Currency>;
  readonly days: Map<string, string>;
  readonly query: ReportQuery;
}

function currenciesOf(db: DatabaseSync): ReadonlyMap<string, Currency> {
  const kept = db.prepare(
    "SELECT version, json_extract(tables, '$.currency') AS code, json_extract(tables, '$.decimals') AS decimals FROM prices",
  );
  return new Map(
    kept
      .all()
      .map((row) => [
        String(row['version']),
        { code: String(row['code'] ?? ''), decimals: Number(row['decimals'] ?? 9) },
      ]),
  );
}

function currencyOf(row: Record<string, unknown>, { currencies }: Look): Currency {
  return currencies.get(row['price_version'] as string) ?? NO_CURRENCY;
}

function keyOf(row: Record<string, unknown>, look: Look): readonly string[] {
  return look.query.by.map((dimension) => partOf(dimension, row, look));
}

function partOf(dimension: Dimension, row: Record<string, unknown>, look: Look): string {
  if (dimension === 'day') return dayOf(row['slot'] as bigint, look);
  if (!dimension.startsWith('tag:')) return row[dimension] as string;
  const tags = JSON.parse(row['tags'] as string) as Record<string, string>;
  const tag = dimension.slice('tag:'.length);
  return Object.hasOwn(tags, tag) ? (tags[tag] ?? '') : '';
}

function dayOf(slot: bigint, { days, query }: Look): string {
  const name = slot.toString();
  let day = days.get(name);
  if (day === undefined) {
    const at = new Date(Number(slot) * SLOT_MS);
    // Sweden writes dates as ISO 8601 does.
    day = new Intl.DateTimeFormat('sv-SE', { timeZone: query.zone, dateStyle: 'short' }).format(at);
    days.set(name, day);
  }
  return day;
}

function groupAt(groups: Map<string, Group>, key: readonly string[], currency: Currency): Group {
  const name = JSON.stringify([key, currency.code, currency.decimals]);
  let group = groups.get(name);
  if (group === undefined) {
    const quantities = Object.fromEntries(METERS.map((meter) => [meter, 0n])) as Record<Meter, bigint>;
    group = { key, currency, requests: 0n, quantities, charge: 0n, cost: 0n };
    groups.set(name, group);
  }
  return group;
}

function add(group: Group, row: Record<string, unknown>): void {
  const half = (name: string): bigint => row[name] as bigint;
  group.quantities[row['meter'] as Meter] += row['quantity'] as bigint;
  group.charge += half('charge_high') * HALF + half('charge_low');
  group.cost += half('cost_high') * HALF + half('cost_low');
}

function isSomething(group: Group): boolean {
  return (
    group.requests !== 0n || group.charge !== 0n || group.cost !== 0n || METERS.some((m) => group.quantities[m] !== 0n)
  );
}

/** Meters in the order a request meets them, all else by code unit. */
function byKey({ by }: ReportQuery): (a: Group, b: Group) => number {
  return (a, b) => {
    for (const [at, value] of a.key.entries()) {
      const other = b.key[at]!;
      if (value === other) continue;
      if (by[at] === 'meter') return METER_ORDER.indexOf(value) - METER_ORDER.indexOf(other);
      return value < other ? -1 : 1;
    }
    return a.currency.code < b.currency.code ? -1 : 1;
  };
}

/** The empty meter, of requests that used none, comes first. */
const METER_ORDER: readonly string[] = ['', ...METERS];
