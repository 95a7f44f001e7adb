import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { METERS } from '../../src/core/units.ts';
import type { Hold } from '../../src/ledger/hold.ts';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import type { Report, ReportAmounts } from '../../src/ledger/report.ts';
import { DIMENSIONS, type Dimension, type ReportQuery } from '../../src/ledger/report-query.ts';
import type { SqliteLedger } from '../../src/ledger/sqlite-ledger.ts';
import type { Scope } from '../support/scope.ts';
import { anyLines, endOf, holdOf, lineOf, NOON_MS, refusalOf } from './rows.ts';
import { sqliteBench } from './sqlite-bench.ts';

const USD = { currency: 'USD', decimals: 9 };
const HOUR_MS = 3_600_000;

const query = (parts: Partial<ReportQuery> = {}): ReportQuery => ({
  by: ['account'],
  fromMs: undefined,
  toMs: undefined,
  zone: 'UTC',
  account: undefined,
  ...parts,
});

/** Fills a ledger, answers a reader of it. */
async function filled(scope: Scope, fill: (ledger: SqliteLedger) => void) {
  const { file, open } = await sqliteBench(scope);
  const ledger = await open();
  await ledger.keepPrices('fedcba9876543210', USD);
  fill(ledger);
  await ledger.close();
  const reader = openLedgerReader(file);
  scope.after(() => reader.close());
  return reader;
}

/** One line per row: key, requests, what was used of each meter, charge. */
const textOf = ({ rows }: Report): readonly string[] =>
  rows.map((row) => `${row.key.join(' ')}: ${row.requests} [${METERS.map((m) => row.quantities[m])}] ${row.charge}`);

function settle(ledger: SqliteLedger, parts: Partial<Hold>, ...ends: Parameters<typeof endOf>[1][]): void {
  const hold = holdOf(ledger.id, parts);
  ledger.hold(hold);
  for (const end of ends) ledger.end(endOf(hold, end));
}

test('by account, model and meter; what used nothing stands under no meter', async (t) => {
  const reader = await filled(t, (ledger) => {
    settle(ledger, {}, {});
    settle(ledger, {}, {});
    settle(ledger, { account: 'acme/ads' }, { lines: [lineOf('cache_read', 9, 90n)], pricedModel: 'gpt-5-mini' });
    settle(ledger, {}, { kind: 'failed', lines: [], pricedModel: undefined });
    settle(ledger, {});
  });
  const report = reader.report(query({ by: ['account', 'model', 'meter'] }));
  assert.deepEqual(textOf(report), [
    'acme/ads gpt-5-mini cache_read: 1 [0,9,0,0,0,0] 90',
    'acme/search gpt-5 : 2 [0,0,0,0,0,0] 0',
    'acme/search gpt-5 input: 2 [200,0,0,0,0,0] 250000',
    'acme/search gpt-5 output: 2 [0,0,0,0,100,0] 1000000',
  ]);
  assert.equal(report.open, 1n);
  assert.deepEqual(report.totals, [
    {
      key: [],
      currency: { code: 'USD', decimals: 9 },
      requests: 5n,
      quantities: { input: 200n, cache_read: 9n, cache_write_5m: 0n, cache_write_1h: 0n, output: 100n, reasoning: 0n },
      charge: 1_250_090n,
      cost: 1_000_072n,
    },
  ]);
});

test('accounts that are called like meters are sorted like any other', async (t) => {
  const names = ['output', 'cache_read', 'input', 'zoo'];
  const reader = await filled(t, (ledger) => {
    for (const account of names) settle(ledger, { account, customer: account }, {});
  });
  const { rows } = reader.report(query());
  assert.deepEqual(
    rows.map((row) => row.key[0]),
    names.toSorted(),
  );
});

test('what an expiry booked and the access log took back is nothing', async (t) => {
  const reader = await filled(t, (ledger) => {
    settle(ledger, {}, { rank: 0, kind: 'unreconciled' }, { kind: 'failed', lines: [] });
    settle(ledger, {}, { rank: 0, kind: 'unreconciled' }, { lines: [lineOf('input', 3, 5n)] });
  });
  assert.deepEqual(textOf(reader.report(query({ by: ['meter'] }))), [
    ': 1 [0,0,0,0,0,0] 0',
    'input: 1 [3,0,0,0,0,0] 5',
  ]);
  assert.deepEqual(textOf(reader.report(query())), ['acme/search: 2 [3,0,0,0,0,0] 5']);
});

test('days are those of the zone, by the time of the decision', async (t) => {
  const reader = await filled(t, (ledger) => {
    // 23:30 UTC is the next day in Berlin and in Kathmandu (+5:45), and the same one in New York.
    settle(ledger, { decidedAtMs: NOON_MS + 11.5 * HOUR_MS }, { lines: [lineOf('input', 1, 1n)], atMs: NOON_MS * 2 });
    // 18:14 UTC and 18:15 UTC are 23:59 and 00:00 in Kathmandu.
    settle(ledger, { decidedAtMs: NOON_MS + 6 * HOUR_MS + 14 * 60_000 }, { lines: [lineOf('input', 10, 1n)] });
    settle(ledger, { decidedAtMs: NOON_MS + 6 * HOUR_MS + 15 * 60_000 }, { lines: [lineOf('input', 100, 1n)] });
  });
  const days = (zone: string): readonly string[] =>
    reader.report(query({ by: ['day'], zone })).rows.map((row) => `${row.key[0]} ${row.quantities.input}`);
  assert.deepEqual(days('UTC'), ['2026-01-15 111']);
  assert.deepEqual(days('America/New_York'), ['2026-01-15 111']);
  assert.deepEqual(days('Europe/Berlin'), ['2026-01-15 110', '2026-01-16 1']);
  assert.deepEqual(days('Asia/Kathmandu'), ['2026-01-15 10', '2026-01-16 101']);
});

test('from and to are by the decision; an account brings all below it and no namesake', async (t) => {
  const reader = await filled(t, (ledger) => {
    for (const account of ['acme', 'acme/search', 'acme/search/x', 'acme-two', 'acmes/search', 'acme/se%rch']) {
      settle(ledger, { account, customer: 'acme' }, {});
    }
    settle(ledger, { decidedAtMs: NOON_MS + 1 }, {});
  });
  const accounts = (parts: Partial<ReportQuery>): readonly string[] =>
    reader.report(query(parts)).rows.map((row) => `${row.key[0]} ${row.requests}`);
  assert.deepEqual(accounts({ account: 'acme/search' }), ['acme/search 2', 'acme/search/x 1']);
  assert.deepEqual(accounts({ account: 'acme' }), ['acme 1', 'acme/se%rch 1', 'acme/search 2', 'acme/search/x 1']);
  assert.deepEqual(accounts({ account: 'acme/se%' }), []);
  assert.deepEqual(accounts({ fromMs: NOON_MS + 1 }), ['acme/search 1']);
  assert.equal(accounts({ toMs: NOON_MS + 1 }).length, 6);
  assert.deepEqual(accounts({ fromMs: NOON_MS + 2 }), []);
});

test('tags, plans, credentials and classes; what an account lacks is empty', async (t) => {
  const reader = await filled(t, (ledger) => {
    settle(ledger, { tags: { team: 'a' }, plan: undefined, classes: ['interactive', 'batch'] }, {});
    settle(ledger, { tags: JSON.parse('{"__proto__":"b"}') as Record<string, string> }, {});
  });
  const keys = (...by: Dimension[]): readonly string[] =>
    reader.report(query({ by })).rows.map((row) => row.key.join('|'));
  assert.deepEqual(keys('tag:team'), ['', 'a']);
  assert.deepEqual(keys('tag:__proto__'), ['', 'b']);
  assert.deepEqual(keys('tag:toString'), ['']);
  assert.deepEqual(keys('plan', 'class'), ['|interactive,batch', 'growth|interactive']);
  assert.deepEqual(keys('credential'), ['k7f3q2']);
});

test('sums pass 2^63 without losing a unit', async (t) => {
  const huge = 2n ** 62n + 3n;
  const reader = await filled(t, (ledger) => {
    for (let times = 0; times < 5; times += 1) {
      settle(ledger, {}, { lines: [{ meter: 'output', quantity: 1, charge: huge, cost: -huge }] });
    }
  });
  const [total] = reader.report(query()).totals;
  assert.deepEqual([total?.charge, total?.cost], [5n * huge, -5n * huge]);
});

test('two currencies are never added up', async (t) => {
  const { file, open } = await sqliteBench(t);
  const ledger = await open();
  await ledger.keepPrices('usd', USD);
  await ledger.keepPrices('usd2', { ...USD, charge: {} });
  await ledger.keepPrices('jpy', { currency: 'JPY', decimals: 6 });
  for (const priceVersion of ['usd', 'usd2', 'jpy']) settle(ledger, { priceVersion }, {});
  await ledger.close();
  const reader = openLedgerReader(file);
  t.after(() => reader.close());
  const { rows, totals } = reader.report(query());
  assert.deepEqual(
    rows.map(({ currency, requests }) => [currency.code, currency.decimals, requests]),
    [
      ['JPY', 6, 1n],
      ['USD', 9, 2n],
    ],
  );
  assert.deepEqual(totals.map(({ currency, requests }) => [currency.code, requests]).sort(), [
    ['JPY', 1n],
    ['USD', 2n],
  ]);
});

test('an empty ledger has a total of nothing', async (t) => {
  const reader = await filled(t, () => {});
  const report = reader.report(query());
  assert.deepEqual([report.rows, report.totals.length, report.totals[0]?.requests, report.open], [[], 1, 0n, 0n]);
});

test('refusals are counted with those folded into them', async (t) => {
  const reader = await filled(t, (ledger) => {
    for (let times = 0; times < 3; times += 1) ledger.refuse(refusalOf(ledger.id));
    ledger.refuse(refusalOf(ledger.id, { credential: 'other' }));
    ledger.refuse(refusalOf(ledger.id, { reason: 'model_not_entitled', limit: undefined, requestedModel: undefined }));
  });
  assert.deepEqual(
    reader.refusals(query()).map((row) => Object.values(row).join('|')),
    ['acme/search||model_not_entitled||1', 'acme/search|gpt-5|rate_limited|key-burst|4'],
  );
  assert.deepEqual(reader.refusals(query({ account: 'other' })), []);
});

test('every view of any book adds up to the same totals', async (t) => {
  const decision = fc.record({
    parts: fc.record({
      account: fc.constantFrom('acme', 'acme/search', 'acme/ads'),
      credential: fc.constantFrom('k1', 'k2'),
      classes: fc.constantFrom(['interactive'], ['interactive', 'batch']),
      model: fc.constantFrom('gpt-5', undefined),
      plan: fc.constantFrom('growth', undefined),
      tags: fc.constantFrom({}, { cost_center: '1' }, { cost_center: '2', team: 'x' }),
      decidedAtMs: fc.integer({ min: NOON_MS, max: NOON_MS + 40 * HOUR_MS }),
    }),
    ends: fc.array(
      fc.record({
        rank: fc.constantFrom(0, 2, 3),
        lines: anyLines,
        pricedModel: fc.constantFrom('gpt-5', 'gpt-5-mini', undefined),
      }),
      { maxLength: 3 },
    ),
  });
  const views: readonly (readonly Dimension[])[] = [
    ...DIMENSIONS.map((dimension): readonly Dimension[] => [dimension]),
    ['tag:cost_center'],
    ['account', 'model', 'meter'],
    ['day', 'class', 'plan', 'credential', 'tag:team'],
    [...DIMENSIONS],
  ];
  const sumOf = (rows: readonly ReportAmounts[]) => ({
    quantities: METERS.map((meter) => rows.reduce((sum, row) => sum + row.quantities[meter], 0n)),
    charge: rows.reduce((sum, row) => sum + row.charge, 0n),
    cost: rows.reduce((sum, row) => sum + row.cost, 0n),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(decision, { minLength: 1, maxLength: 25 }), async (decisions) => {
      const reader = await filled(t, (ledger) => {
        for (const { parts, ends } of decisions) settle(ledger, parts, ...ends);
      });
      for (const by of views) {
        const { rows, totals } = reader.report(query({ by, zone: 'Europe/Berlin' }));
        const [total] = totals;
        assert.equal(total?.requests, BigInt(decisions.length));
        assert.deepEqual(sumOf(rows), sumOf(totals), by.join());
        assert.deepEqual(sumOf(totals), sumOf(reader.report(query()).totals), by.join());
        if (by.includes('meter')) continue;
        assert.equal(
          rows.reduce((sum, row) => sum + row.requests, 0n),
          total?.requests,
        );
      }
      const census = reader.census({ nowMs: NOON_MS });
      assert.deepEqual([census.closes, census.holds], [true, decisions.length]);
    }),
    { seed: 13, numRuns: 12 },
  );
});
