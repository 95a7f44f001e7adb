import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { endOf, holdOf, NOON_MS } from './rows.ts';
import { sqliteBench } from './sqlite-bench.ts';

const EXPIRY_MS = NOON_MS + 60_000;

async function book(t: Parameters<typeof sqliteBench>[0]) {
  const { file, open } = await sqliteBench(t);
  const ledger = await open();
  const [a, b, c, d] = [1, 2, 3, 4].map(() => holdOf(ledger.id));
  for (const hold of [a!, b!, c!]) ledger.hold(hold);
  ledger.end(endOf(a!, { rank: 0, kind: 'unreconciled' }));
  ledger.end(endOf(a!));
  ledger.end(endOf(a!, { lines: [] }));
  ledger.end(endOf(b!, { kind: 'released', lines: [] }));
  ledger.end(endOf(d!, { source: 'entry', kind: 'estimated' }));
  ledger.orphan({ decisionId: 'x', atMs: NOON_MS, why: 'other', entry: '{}' });
  await ledger.close();
  const census = (nowMs: number, graceMs?: number) => {
    const reader = openLedgerReader(file);
    const taken = reader.census({ nowMs, ...(graceMs === undefined ? undefined : { graceMs }) });
    reader.close();
    return taken;
  };
  return { file, census, settled: a! };
}

test('one state for every hold', async (t) => {
  const { census } = await book(t);
  assert.deepEqual(census(EXPIRY_MS - 1), {
    holds: 4,
    ended: { released: 1, settled: 1, estimated: 1, failed: 0, unreconciled: 0, corrected: 0 },
    open: 1,
    openPastExpiry: 0,
    openOverdue: 0,
    endsWithoutHold: 1,
    conflicts: 1,
    orphans: 1,
    unbalanced: 0,
    strays: 0,
    closes: true,
  });
});

test('an open hold past its expiry closes for the grace only', async (t) => {
  const { census } = await book(t);
  const rows: readonly [nowMs: number, past: number, overdue: number, closes: boolean][] = [
    [EXPIRY_MS - 1, 0, 0, true],
    [EXPIRY_MS, 1, 0, true],
    [EXPIRY_MS + 74_999, 1, 0, true],
    [EXPIRY_MS + 75_000, 1, 1, false],
  ];
  for (const [nowMs, past, overdue, closes] of rows) {
    const taken = census(nowMs);
    assert.deepEqual([taken.openPastExpiry, taken.openOverdue, taken.closes], [past, overdue, closes]);
  }
  assert.equal(census(EXPIRY_MS, 0).closes, false);
});

/** What somebody did to the file, and what the census says of it. */
const DAMAGE: readonly [sql: string, field: 'unbalanced' | 'strays' | undefined][] = [
  ['UPDATE lines SET charge = charge + 1 WHERE rowid = (SELECT min(rowid) FROM lines)', 'unbalanced'],
  ['DELETE FROM lines WHERE rowid = (SELECT min(rowid) FROM lines)', 'unbalanced'],
  ['UPDATE ends SET cost = 0 WHERE rank = 2', 'unbalanced'],
  ["INSERT INTO lines SELECT seq + 100, 'nobody', rank, line, meter, model, 0, 0, 0 FROM lines LIMIT 1", 'strays'],
  ["DELETE FROM holds WHERE written_by = 'end'", 'strays'],
  ['DELETE FROM open', undefined],
  ["DELETE FROM ends WHERE kind = 'released'", undefined],
];

for (const [index, [sql, field]] of DAMAGE.entries()) {
  test(`damage ${index + 1}: ${sql.slice(0, 50)}`, async (t) => {
    const { file, census } = await book(t);
    const db = new DatabaseSync(file);
    db.exec(sql);
    db.close();
    const taken = census(NOON_MS);
    assert.equal(taken.closes, false);
    if (field !== undefined) assert.equal(taken[field] > 0, true);
  });
}
