import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METERS, type Meter } from '../../src/core/units.ts';
import { renderReport } from '../../src/ledger/render.ts';
import type { Report, ReportRow } from '../../src/ledger/report.ts';
import type { Dimension } from '../../src/ledger/report-query.ts';

const quantities = (used: Partial<Record<Meter, bigint>>): Record<Meter, bigint> =>
  Object.fromEntries(METERS.map((meter) => [meter, used[meter] ?? 0n])) as Record<Meter, bigint>;

function reportOf(by: readonly Dimension[], rows: readonly Pick<ReportRow, 'key' | 'charge' | 'cost'>[]): Report {
  const currency = { code: 'USD', decimals: 9 };
  const filled = rows.map((row) => ({ ...row, currency, requests: 1n, quantities: quantities({ input: 1_000n }) }));
  const total = {
    currency,
    requests: BigInt(rows.length),
    quantities: quantities({ input: 1_000n * BigInt(rows.length) }),
    charge: rows.reduce((sum, row) => sum + row.charge, 0n),
    cost: rows.reduce((sum, row) => sum + row.cost, 0n),
  };
  const query = { by, fromMs: undefined, toMs: 1_768_478_400_000, zone: 'UTC', account: undefined };
  return { query, rows: filled, totals: [total], open: 2n };
}

test('the table: aligned, exact, zeros that no row needs left out', () => {
  const report = reportOf(
    ['account', 'meter'],
    [
      { key: ['acme/search', 'input'], charge: 1_250_000_000n, cost: 1_000_000_000n },
      { key: ['acme', ''], charge: 125_000n, cost: 200_000n },
    ],
  );
  assert.equal(
    renderReport(report, { format: 'table' }),
    `account      meter  requests  quantity    charge      cost     margin  currency
-----------  -----  --------  --------  --------  --------  ---------  --------
acme/search  input         1      1000  1.250000  1.000000   0.250000  USD
acme         -             1      1000  0.000125  0.000200  -0.000075  USD
-----------  -----  --------  --------  --------  --------  ---------  --------
total                      2            1.250125  1.000200   0.249925  USD

2 of the requests have not ended yet and have no amounts
`,
  );
  assert.match(renderReport(reportOf(['day'], []), { format: 'table' }), /^total +0 +0 .* 0\.00 +0\.00 +0\.00/m);
});

test('an empty table says so, and which conditions it may be owed to', () => {
  const empty = reportOf(['account'], []);
  const days = { ...empty.query, account: 'acmee' };
  const ever = { ...days, toMs: undefined };
  for (const [query, text] of [
    [empty.query, 'the ledger has no admitted request in these days'],
    [days, 'the ledger has no admitted request of account `acmee` or one below it in these days'],
    [ever, 'the ledger has no admitted request of account `acmee` or one below it'],
  ] as const) {
    const lines = renderReport({ ...empty, query, open: 0n }, { format: 'table' }).split('\n');
    assert.deepEqual(lines.slice(-3), ['', text, '']);
  }
  assert.doesNotMatch(renderReport(empty, { format: 'csv' }), /no admitted/);
});

test('refusals stand below the table', () => {
  const refusal = { account: 'acme', model: '', reason: 'rate_limited', limit: 'key-burst', count: 12n };
  const text = renderReport(reportOf(['account'], []), { format: 'table', refusals: [refusal] });
  assert.match(text, /^acme +- +rate_limited +key-burst +12$/m);
  assert.match(renderReport(reportOf(['account'], []), { format: 'table', refusals: [] }), /no refused requests\n$/);
});

test('a terminal sees no control characters', () => {
  const key = ['a\u001b[31mb\nc\u202ed\u2028'];
  const text = renderReport(reportOf(['account'], [{ key, charge: 0n, cost: 0n }]), { format: 'table' });
  assert.match(text, /^a\\u001b\[31mb\\u000ac\\u202ed\\u2028 /m);
});

/** A cell of text, and how it stands in CSV. */
const CELLS: readonly [cell: string, csv: string][] = [
  ['acme/search', 'acme/search'],
  ['=1+1', "'=1+1"],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\tx', '"\'\tx"'],
  ['\rx', '"\'\rx"'],
  ['\n=1', '"\'\n=1"'],
  ['＝1', "'＝1"],
  ['a,b', '"a,b"'],
  ['a"b', '"a""b"'],
  ['a\r\nb', '"a\r\nb"'],
  ['a;=1', '"a;=1"'],
  ['a\t=1', '"a\t=1"'],
  ['=cmd|\' /C calc\'!A0,"x"', '"\'=cmd|\' /C calc\'!A0,""x"""'],
  ["'=1", "'=1"],
  ['', ''],
  ['日本', '日本'],
];

for (const [index, [cell, csv]] of CELLS.entries()) {
  test(`csv cell ${index + 1}: ${JSON.stringify(cell)}`, () => {
    const report = reportOf(['account'], [{ key: [cell], charge: 0n, cost: 5n }]);
    assert.equal(
      renderReport(report, { format: 'csv' }),
      `account,requests,input,cache_read,cache_write_5m,cache_write_1h,output,reasoning,charge,cost,margin,currency\r\n${csv},1,1000,0,0,0,0,0,0.000000000,0.000000005,-0.000000005,USD\r\n`,
    );
  });
}

test('csv headers are cells too, and refusals a table of their own', () => {
  const text = renderReport(reportOf(['tag:=x;y' as Dimension], []), { format: 'csv' });
  assert.equal(text.startsWith('"tag:=x;y",requests,'), true);
  const refusal = { account: '=x', model: 'gpt-5', reason: 'rate_limited', limit: '', count: 3n };
  assert.equal(
    renderReport(reportOf(['account'], []), { format: 'csv', refusals: [refusal] }),
    "account,model,reason,limit,refused\r\n'=x,gpt-5,rate_limited,,3\r\n",
  );
});

test('json: money as exact text, the question beside the answer', () => {
  const report = reportOf(['account', 'meter'], [{ key: ['acme', 'input'], charge: 2n ** 70n, cost: -1n }]);
  const refusals = [{ account: 'acme', model: '', reason: 'rate_limited', limit: '', count: 3n }];
  const answer = JSON.parse(renderReport(report, { format: 'json', refusals })) as Record<string, unknown>;
  const amounts = {
    requests: 1,
    quantities: { input: 1000, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output: 0, reasoning: 0 },
    charge: '1180591620717.411303424',
    cost: '-0.000000001',
    margin: '1180591620717.411303425',
    currency: 'USD',
  };
  assert.deepEqual(answer, {
    by: ['account', 'meter'],
    zone: 'UTC',
    from: null,
    to: '2026-01-15T12:00:00.000Z',
    account: null,
    rows: [{ account: 'acme', meter: 'input', ...amounts }],
    totals: [amounts],
    open: 2,
    refusals: [{ account: 'acme', model: '', reason: 'rate_limited', limit: '', count: 3 }],
  });
});
