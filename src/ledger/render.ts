/** A report as a table for people, CSV for spreadsheets, JSON for programs. No amount is rounded in any of them. */
import { stringify } from 'csv-stringify/sync';
import { formatMoney } from '../core/money.ts';
import { alignedTable, type Cells, type Column } from '../core/table.ts';
import { METERS } from '../core/units.ts';
import type { Currency, RefusalRow, Report, ReportAmounts } from './report.ts';

export const FORMATS = ['table', 'csv', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/** Ends with a line break. `refusals`: printed too; in CSV, which is one table a file, instead of the report. */
export function renderReport(
  report: Report,
  { format, refusals }: { format: Format; refusals?: readonly RefusalRow[] | undefined },
): string {
  if (format === 'json') return jsonOf(report, refusals);
  if (format === 'csv') return refusals === undefined ? reportCsv(report) : refusalsCsv(refusals);
  return tableOf(report) + (refusals === undefined ? '' : `\n${refusalsTable(refusals)}`);
}

function columnsOf({ query }: Report): readonly Column[] {
  const measures = query.by.includes('meter') ? ['quantity'] : METERS;
  return [
    ...query.by.map((name): Column => ({ name, kind: 'text' })),
    { name: 'requests', kind: 'number' },
    ...measures.map((name): Column => ({ name, kind: 'number' })),
    ...['charge', 'cost', 'margin'].map((name): Column => ({ name, kind: 'money' })),
    { name: 'currency', kind: 'text' },
  ];
}

function cellsOf(
  row: ReportAmounts & { currency: Currency },
  { key, byMeter }: { key: Cells; byMeter: boolean },
): Cells {
  const money = (amount: bigint): string => formatMoney(amount, { decimals: row.currency.decimals });
  const counts = METERS.map((meter) => row.quantities[meter]);
  const quantities = byMeter ? [counts.reduce((sum, n) => sum + n, 0n)] : counts;
  return [
    ...key,
    row.requests.toString(),
    ...quantities.map(String),
    money(row.charge),
    money(row.cost),
    money(row.charge - row.cost),
    row.currency.code,
  ];
}

function rowsOf(report: Report): readonly Cells[] {
  const byMeter = report.query.by.includes('meter');
  return report.rows.map((row) => cellsOf(row, { key: row.key, byMeter }));
}

function tableOf(report: Report): string {
  const byMeter = report.query.by.includes('meter');
  const totals = report.totals.map((total) => {
    const key = report.query.by.map((_, at) => (at === 0 ? 'total' : ''));
    const cells = cellsOf(total, { key, byMeter });
    // Tokens of different classes do not add up to anything that is sold.
    return byMeter ? cells.map((cell, at) => (at === report.query.by.length + 1 ? '' : cell)) : cells;
  });
  const verb = report.open === 1n ? 'has' : 'have';
  const open =
    report.open === 0n ? '' : `\n${report.open} of the requests ${verb} not ended yet and ${verb} no amounts\n`;
  const none = report.rows.length === 0 ? `\n${emptyText(report)}\n` : '';
  const [rows, sums] = withoutZeros(columnsOf(report), rowsOf(report), totals);
  return alignedTable(columnsOf(report), rows, sums) + open + none;
}

/** An empty bill is believed: which of the conditions it may be owed to. */
function emptyText({ query: { account, fromMs, toMs } }: Report): string {
  const whose = account === undefined ? '' : ` of account \`${account}\` or one below it`;
  const when = fromMs === undefined && toMs === undefined ? '' : ' in these days';
  return `the ledger has no admitted request${whose}${when}`;
}

/** Leaves out the last places of money that are 0 in every row, but for two: exact, and easier to read. */
function withoutZeros(
  columns: readonly Column[],
  rows: readonly Cells[],
  totals: readonly Cells[],
): readonly [readonly Cells[], readonly Cells[]] {
  const isMoney = (at: number): boolean => columns[at]?.kind === 'money';
  const amounts = [...rows, ...totals].flatMap((cells) => cells.filter((_, at) => isMoney(at)));
  const spare = amounts.map((text) => {
    const places = text.includes('.') ? text.length - text.indexOf('.') - 1 : 0;
    return Math.min(Math.max(places - 2, 0), /0*$/.exec(text)![0].length);
  });
  const cut = spare.reduce((least, each) => Math.min(least, each), Number.POSITIVE_INFINITY);
  const shorten = (cells: Cells): Cells =>
    cells.map((cell, at) => (isMoney(at) && cut > 0 ? cell.slice(0, -cut) : cell));
  return [rows.map(shorten), totals.map(shorten)];
}

const REFUSAL_COLUMNS: readonly Column[] = [
  ...['account', 'model', 'reason', 'limit'].map((name): Column => ({ name, kind: 'text' })),
  { name: 'refused', kind: 'number' },
];

function refusalCells(rows: readonly RefusalRow[]): readonly Cells[] {
  return rows.map((row) => [row.account, row.model, row.reason, row.limit, row.count.toString()]);
}

function refusalsTable(rows: readonly RefusalRow[]): string {
  if (rows.length === 0) return 'no refused requests\n';
  const sum = rows.reduce((total, row) => total + row.count, 0n);
  return alignedTable(REFUSAL_COLUMNS, refusalCells(rows), [['total', '', '', '', sum.toString()]]);
}

function reportCsv(report: Report): string {
  return csvOf(columnsOf(report), rowsOf(report));
}

function refusalsCsv(rows: readonly RefusalRow[]): string {
  return csvOf(REFUSAL_COLUMNS, refusalCells(rows));
}

/** What a spreadsheet would take for a formula, or a program for one in its own locale (OWASP, CSV injection). */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/** RFC 4180: commas, quotes doubled, CRLF, a fixed header. A text that starts like a formula gets a leading apostrophe. */
function csvOf(columns: readonly Column[], rows: readonly Cells[]): string {
  const safe = (cell: string, at: number): string =>
    columns[at]?.kind === 'text' && FORMULA.test(cell) ? `'${cell}` : cell;
  return stringify(
    rows.map((cells) => cells.map(safe)),
    {
      header: true,
      columns: columns.map(({ name }) => name).map((name, at) => ({ key: String(at), header: safe(name, at) })),
      record_delimiter: 'windows',
      // Semicolons and tabs part cells in other locales; the library quotes only the two-character line break.
      quoted_match: /[;\t\r\n]/,
    },
  );
}

function jsonOf(report: Report, refusals: readonly RefusalRow[] | undefined): string {
  const { by, zone, fromMs, toMs, account } = report.query;
  const iso = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());
  const answer = {
    by,
    zone,
    from: iso(fromMs),
    to: iso(toMs),
    account: account ?? null,
    rows: report.rows.map((row) => ({
      ...Object.fromEntries(by.map((name, at) => [name, row.key[at]])),
      ...amountsJson(row),
    })),
    totals: report.totals.map(amountsJson),
    open: Number(report.open),
    ...(refusals === undefined
      ? undefined
      : { refusals: refusals.map((row) => ({ ...row, count: Number(row.count) })) }),
  };
  return `${JSON.stringify(answer, undefined, 2)}\n`;
}

/** Money as decimal text, exact; counts as numbers, far below 2^53. */
function amountsJson(row: ReportAmounts & { readonly currency: Currency }) {
  const money = (amount: bigint): string => formatMoney(amount, { decimals: row.currency.decimals });
  return {
    requests: Number(row.requests),
    quantities: Object.fromEntries(METERS.map((meter) => [meter, Number(row.quantities[meter])])),
    charge: money(row.charge),
    cost: money(row.cost),
    margin: money(row.charge - row.cost),
    currency: row.currency.code,
  };
}
