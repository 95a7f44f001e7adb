import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CounterRow } from '../../src/ledger/ledger.ts';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite-ledger.ts';
import { tempDir } from '../support/temp.ts';
import { endOf, holdOf, NOON_MS, refusalOf } from './rows.ts';
import { sqliteBench } from './sqlite-bench.ts';

test('commits that fail: rows wait, the queue fills, holds are turned away, then all is written', async (t) => {
  const { file, open, sums } = await sqliteBench(t);
  const failures: string[] = [];
  const ledger = await open({ queueMax: 50, busyMs: 10, onFailure: (message) => failures.push(message) });
  // Somebody else's write lock makes every commit fail, as a full disk does; each failure takes a new writer.
  const other = new DatabaseSync(file);
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const holds = Array.from({ length: 50 }, () => holdOf(ledger.id));
  for (const hold of holds) assert.equal(ledger.hold(hold), true);
  const turnedAway = holdOf(ledger.id);
  assert.equal(ledger.hold(turnedAway), false);
  assert.equal(ledger.refuse(refusalOf(ledger.id)).startsWith(ledger.id), true);
  for (const hold of holds) ledger.end(endOf(hold));
  while (failures.length < 3) await sleep(5);
  assert.equal(ledger.hold(turnedAway), false);
  assert.match(failures[0]!, /database is locked/);
  const { queued, committed, turnedAway: away, failures: inARow } = ledger.counts();
  assert.deepEqual([queued, committed, away], [100, 0, 3]);
  assert.equal(inARow >= 3, true);

  const prices = ledger.prices('none');
  other.exec('ROLLBACK');
  await ledger.flush();
  assert.equal(await prices, undefined);
  assert.deepEqual([ledger.counts().queued, ledger.counts().committed, ledger.counts().failures], [0, 100, 0]);
  assert.deepEqual(await sums(holds[49]!.decisionId), [
    'input gpt-5 100 125000 100000',
    'output gpt-5 50 500000 400000',
  ]);
  assert.equal(ledger.hold(turnedAway), true);
});

test('a disk that stays away: flush and close say so in time, and the lock is given back', async (t) => {
  const { file, open } = await sqliteBench(t);
  const ledger = await open({ busyMs: 10, waitMs: 200 });
  const other = new DatabaseSync(file);
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  ledger.hold(holdOf(ledger.id));
  await assert.rejects(ledger.flush(), { code: 'ledger_unavailable', message: /`1` ledger rows could not be written/ });
  await assert.rejects(ledger.close(), { code: 'ledger_unavailable' });
  other.exec('ROLLBACK');
  await (await open()).close();
});

test('ends have a bound too', async (t) => {
  const { open } = await sqliteBench(t);
  const ledger = await open({ queueMax: 2 });
  const hold = holdOf(ledger.id);
  ledger.hold(hold);
  for (let times = 0; times < 20; times += 1) ledger.end(endOf(hold));
  assert.deepEqual([ledger.counts().queued, ledger.counts().lost], [8, 13]);
});

test('a backlog is written in order, over several commits', async (t) => {
  const { file, open } = await sqliteBench(t);
  const ledger = await open();
  const holds = Array.from({ length: 4_500 }, (_, at) => holdOf(ledger.id, { credential: String(at) }));
  for (const hold of holds) ledger.hold(hold);
  await ledger.flush();
  assert.deepEqual([ledger.counts().committed, ledger.counts().commits], [4_500, 3]);
  await ledger.close();
  const db = new DatabaseSync(file, { readOnly: true });
  const found = db.prepare('SELECT credential FROM holds ORDER BY seq').all();
  db.close();
  assert.deepEqual(
    found.map((row) => row['credential']),
    holds.map((hold) => hold.credential),
  );
});

test('a row that cannot be booked is listed, and harms no other', async (t) => {
  const { open, listed } = await sqliteBench(t);
  const ledger = await open();
  const good = [holdOf(ledger.id), holdOf(ledger.id)] as const;
  ledger.hold(good[0]);
  ledger.hold(holdOf(ledger.id, { decidedAtMs: 0.5, expiresAtMs: 1 }));
  ledger.hold(good[1]);
  ledger.end(endOf(good[1], { lines: [{ meter: 'input', quantity: 1, charge: 2n ** 70n, cost: 0n }] }));
  ledger.end(endOf(good[0]));
  await ledger.flush();
  assert.equal((await ledger.find(good[0].decisionId)).ended?.rank, 2);
  const { holds } = await ledger.recover(0);
  assert.deepEqual(
    holds.map(({ decisionId }) => decisionId),
    [good[1].decisionId],
  );
  assert.equal(ledger.counts().rejected, 2);
  assert.deepEqual(await listed(), { conflicts: 0, orphans: 2 });
});

test('what is not a ledger is left alone', async (t) => {
  const dir = await tempDir(t);
  const text = join(dir, 'text.db');
  writeFileSync(text, 'not a database, but more than sixteen bytes of text '.repeat(20));
  const foreign = join(dir, 'foreign.db');
  const db = new DatabaseSync(foreign);
  db.exec('CREATE TABLE t (a)');
  db.close();
  const newer = join(dir, 'newer.db');
  await (await openSqliteLedger({ file: newer })).close();
  const raised = new DatabaseSync(newer);
  raised.exec('PRAGMA user_version = 99');
  raised.close();
  const folder = join(dir, 'folder.db');
  mkdirSync(folder);
  const BAD: readonly [file: string, words: RegExp][] = [
    [text, /cannot be (opened|read)/],
    [foreign, /is a database, but not a tollgate ledger$/],
    [newer, /has version `99`, this tollgate knows up to `3`/],
    [folder, /cannot be (opened|read)/],
    [join(text, 'below.db'), /cannot be used|there is no ledger/],
  ];
  for (const [file, words] of BAD) {
    await assert.rejects(openSqliteLedger({ file }), { code: 'ledger_unavailable', message: words });
    assert.throws(() => openLedgerReader(file), { code: 'ledger_unavailable' });
  }
  assert.throws(() => openLedgerReader(join(dir, 'none.db')), { message: /there is no ledger at/ });
});

test('the file is made with its directory, closed to others, and one behind all links', async (t) => {
  const dir = await tempDir(t);
  const file = join(dir, 'a', 'b', 'ledger.db');
  const ledger = await openSqliteLedger({ file });
  t.after(() => ledger.close());
  assert.equal(statSync(file).mode & 0o007, 0);
  const link = join(dir, 'link.db');
  symlinkSync(file, link);
  await assert.rejects(openSqliteLedger({ file: link }), { code: 'ledger_locked' });
  chmodSync(file, 0o600);
});

test('reads while it is written, and after it was closed', async (t) => {
  const { file, open } = await sqliteBench(t);
  const ledger = await open({ changedCounters: () => [{ counter: 'c', state: '{}', dropAtMs: NOON_MS * 2 }] });
  const [hold, open1] = [holdOf(ledger.id), holdOf(ledger.id)];
  ledger.hold(hold);
  ledger.hold(open1);
  ledger.end(endOf(hold, { rank: 0, kind: 'unreconciled' }));
  ledger.end(endOf(hold, { flags: ['hold_differs'] }));
  ledger.end(endOf(hold, { lines: [] }));
  const refusal = refusalOf(ledger.id);
  ledger.refuse(refusal);
  ledger.refuse(refusalOf(ledger.id));
  await ledger.keepPrices('v1', { currency: 'USD' });
  await ledger.flush();
  const look = (): void => {
    const reader = openLedgerReader(file);
    assert.equal(reader.ledgerId, ledger.id);
    const found = reader.decision(hold.decisionId);
    assert.equal(found?.outcome, 'allow');
    if (found?.outcome !== 'allow') return;
    assert.deepEqual(found.hold, hold);
    assert.deepEqual(
      found.ends.map((end) => [end.rank, end.kind, end.flags, end.status]),
      [
        [0, 'unreconciled', [], 200],
        [2, 'settled', ['hold_differs'], 200],
      ],
    );
    assert.deepEqual(
      found.lines.map((line) => [line.rank, line.meter, line.quantity, line.charge]),
      [
        [0, 'input', 100, 125_000n],
        [0, 'output', 50, 500_000n],
      ],
    );
    assert.equal(found.conflicts, 1);
    assert.deepEqual(reader.decision(refusal.decisionId), { outcome: 'deny', refusal, count: 2 });
    assert.equal(reader.decision('unknown'), undefined);
    assert.deepEqual(reader.openHolds(10), [open1]);
    assert.deepEqual(
      reader.counters('c').map(({ state }) => state),
      ['{}'],
    );
    assert.deepEqual(reader.counters('d'), []);
    assert.deepEqual([reader.prices('v1'), reader.prices('v2')], [{ currency: 'USD' }, undefined]);
    reader.close();
  };
  look();
  await ledger.close();
  look();
});

test('a reader leaves out states of decisions that have ended', async (t) => {
  const { file, open } = await sqliteBench(t);
  const states: CounterRow[] = ['a', '~c', '~e'].map((counter) => ({ counter, state: '1', dropAtMs: NOON_MS }));
  const ledger = await open({ decisionStates: '~d|', changedCounters: () => states.splice(0) });
  const [underWay, ended] = [holdOf(ledger.id), holdOf(ledger.id)];
  for (const { decisionId } of [underWay, ended])
    states.push({ counter: `~d|${decisionId}`, state: '1', dropAtMs: NOON_MS });
  ledger.hold(underWay);
  ledger.hold(ended);
  ledger.end(endOf(ended));
  await ledger.flush();
  const reader = openLedgerReader(file);
  t.after(() => reader.close());
  assert.deepEqual(
    reader.countersUnderWay('~d|').map(({ counter }) => counter),
    ['a', '~c', '~e', `~d|${underWay.decisionId}`],
  );
});
