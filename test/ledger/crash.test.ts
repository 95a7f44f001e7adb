import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite-ledger.ts';
import { spawnNode } from '../support/process.ts';
import { tempDir } from '../support/temp.ts';
import { NOON_MS } from './rows.ts';

const CHILD = join(import.meta.dirname, 'crash-child.ts');

/** Milliseconds that each round writes before it is killed. */
const ROUNDS = [20, 90, 35, 150];

test('kill -9 at any moment: what was acknowledged is there, in order, once', async (t) => {
  const file = join(await tempDir(t), 'ledger.db');
  let before = 0;
  let ledgerId: string | undefined;
  for (const [index, writeMs] of ROUNDS.entries()) {
    await t.test(`round ${index + 1}: ${writeMs} ms`, async (round) => {
      const child = spawnNode(round, [CHILD, file]);
      await child.line(/^acked [1-9]/m);
      await sleep(writeMs);
      await child.kill('SIGKILL');
      const acked = Math.max(...[...child.stdout().matchAll(/^acked (\d+)$/gm)].map((match) => Number(match[1])));

      const ledger = await openSqliteLedger({ file });
      round.after(() => ledger.close());
      ledgerId ??= ledger.id;
      assert.equal(ledger.id, ledgerId);
      const { holds: open, counters } = await ledger.recover(0);
      const holds = rowsOf(file);
      const found = holds.slice(before);
      before = holds.length;
      assert.equal(found.length >= acked, true, `${acked} acknowledged, ${found.length} found`);
      // The first ones without a gap: what is lost is the end, whole commits of it.
      assert.deepEqual(
        found.map(({ credential }) => Number(credential)),
        found.map((_, at) => at + 1),
      );
      const ended = found.filter((hold) => hold.ended === 1).length;
      assert.equal(ended >= Math.floor(acked / 2), true);
      assert.equal(new Set(holds.map(({ id }) => id)).size, holds.length);
      assert.deepEqual(
        open.map(({ decisionId }) => decisionId).sort(),
        holds.flatMap((hold) => (hold.ended === 0 ? [hold.id] : [])).sort(),
      );
      const counted = counters.find(({ counter }) => counter === 'written');
      assert.equal(Number(counted?.state), found.length);
      await ledger.close();

      const reader = openLedgerReader(file);
      round.after(() => reader.close());
      const census = reader.census({ nowMs: NOON_MS });
      assert.equal(census.closes, true);
      assert.deepEqual(
        [census.holds, census.open, census.conflicts, census.endsWithoutHold, census.orphans],
        [holds.length, holds.length - census.ended.settled, 0, 0, 0],
      );
    });
  }
});

/** All holds, in the order they were written. */
function rowsOf(file: string): readonly { readonly id: string; readonly credential: string; readonly ended: 0 | 1 }[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const sql = `SELECT decision_id AS id, credential, EXISTS (SELECT 1 FROM ends AS e WHERE e.decision_id = h.decision_id) AS ended
      FROM holds AS h ORDER BY seq`;
    return db.prepare(sql).all() as unknown as ReturnType<typeof rowsOf>;
  } finally {
    db.close();
  }
}

test('kill -9 gives the lock back; a running one keeps it', async (t) => {
  const file = join(await tempDir(t), 'ledger.db');
  const child = spawnNode(t, [CHILD, file]);
  await child.line(/^ready$/m);
  await assert.rejects(openSqliteLedger({ file }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'ledger_locked');
    assert.match(error.message, /is in use by another `tollgate serve`; stop that one, or give this one a ledger file/);
    return true;
  });
  const second = spawnNode(t, [CHILD, file]);
  assert.equal((await second.ended).code, 1);
  assert.match(second.stderr(), /ledger_locked/);
  await child.kill('SIGKILL');
  const ledger = await openSqliteLedger({ file });
  await ledger.close();
});
