import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dialect } from '../../src/dialects/dialects.ts';
import type { Hold } from '../../src/ledger/hold.ts';
import type { Found } from '../../src/ledger/ledger.ts';
import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import { billOfEntry } from '../../src/metering/bill.ts';
import type { LogEntry } from '../../src/metering/entry.ts';
import { readmittedOf, restoredOf } from '../../src/metering/restore.ts';
import type { Scope } from '../support/scope.ts';
import { type Desk, endEntry, openDesk, SETTLE_WITHIN_MS, SPENDS } from './desk.ts';
import { DECIDED_MS, MODELS, TABLES, usageOf } from './fixtures.ts';

/** Every way a request ends. */
const ENDINGS: readonly Partial<LogEntry>[] = [
  {},
  { usage: usageOf(50, 150, 'gpt-5-mini') },
  { usage: usageOf(5000, 400) },
  { usage: new Map(), responseBytes: 66 },
  { usage: new Map(), status: 503 },
  { usage: new Map(), status: 504, firstByte: false },
  { attempts: 0, firstByte: false, usage: new Map() },
  { usage: usageOf(1, 100_000) },
];

type Step =
  | { readonly what: 'entry'; readonly decision: number; readonly byCopy: boolean }
  | { readonly what: 'withdraw'; readonly decision: number }
  | { readonly what: 'sweep' }
  | { readonly what: 'restart' };

/** Steps in any order: each entry three times, by the hold or by its copy, some withdrawn, all once past their expiry; a restart. */
const histories = fc
  .array(fc.record({ ending: fc.nat(ENDINGS.length - 1), billed: fc.boolean(), withdrawn: fc.boolean() }), {
    minLength: 1,
    maxLength: 5,
  })
  .chain((decisions) => {
    const steps: Step[] = [{ what: 'sweep' }, { what: 'restart' }];
    decisions.forEach(({ withdrawn }, decision) => {
      for (const byCopy of [false, true, false]) steps.push({ what: 'entry', decision, byCopy });
      if (withdrawn) steps.push({ what: 'withdraw', decision });
    });
    return fc.record({
      decisions: fc.constant(decisions),
      steps: fc.shuffledSubarray(steps, { minLength: steps.length, maxLength: steps.length }),
    });
  });

/** What counters and ledger must say in the end: that of each entry alone, judged once. */
function expected(holds: readonly Hold[], entries: readonly LogEntry[]) {
  const bills = holds.map((hold, index) =>
    billOfEntry(entries[index]!, hold, {
      dialect: dialect(hold.dialect),
      source: 'hold',
      atMs: DECIDED_MS,
      tables: TABLES,
      models: MODELS,
    }),
  );
  const used = SPENDS.map(({ limit }, at) => [
    limit,
    bills.reduce((sum, { settlements }) => sum + Number(settlements[at]?.actual), 0),
  ]);
  const booked = bills.map(({ end }) => ({
    tokens: end.lines.reduce((sum, line) => sum + line.quantity, 0),
    charge: end.lines.reduce((sum, line) => sum + Number(line.charge), 0),
    cost: end.lines.reduce((sum, line) => sum + Number(line.cost), 0),
  }));
  return { used: Object.fromEntries(used), booked };
}

async function run(desk: Desk, steps: readonly Step[], holds: readonly Hold[], entries: readonly LogEntry[]) {
  let hasRestarted = false;
  for (const step of steps) {
    if (step.what === 'restart') {
      await desk.ledger.close();
      await desk.start();
      hasRestarted = true;
    } else if (step.what === 'sweep') {
      desk.nowMs = Math.max(...holds.map((hold) => hold.expiresAtMs));
      await desk.meter.sweep(desk.nowMs);
    } else if (step.what === 'withdraw') {
      // Only the process that decided gives back.
      if (!hasRestarted) await desk.meter.withdraw(holds[step.decision]!);
    } else {
      const meter = step.byCopy ? desk.newMeter(hasRestarted ? { recall: desk.recall } : {}) : desk.meter;
      await meter.take(entries[step.decision]!);
    }
  }
}

test('any order and repetition of what happens to a decision books and settles the same', async (t) => {
  const undos: (() => void | Promise<void>)[] = [];
  const scope: Scope = { after: (undo) => void undos.push(undo) };
  t.after(async () => {
    for (const undo of undos) await undo();
  });
  await fc.assert(
    fc.asyncProperty(histories, async ({ decisions, steps }) => {
      const desk = await openDesk(scope, { commitMs: 1 });
      const holds: Hold[] = [];
      for (const { billed } of decisions) holds.push(await desk.admit({ billEstimated: billed }));
      const entries = decisions.map(({ ending }, index) => endEntry(holds[index]!, ENDINGS[ending]));
      await run(desk, steps, holds, entries);
      const { used, booked } = expected(holds, entries);
      assert.deepEqual(await desk.used(), used);
      for (const [index, hold] of holds.entries()) {
        assert.deepEqual(await desk.booked(hold), booked[index]);
        assert.equal((await desk.ends(hold)).filter((end) => end.startsWith('2 ')).length, 1);
      }
      const { conflicts, rejected } = desk.ledger.counts();
      assert.deepEqual({ conflicts, rejected }, { conflicts: 0, rejected: 0 });
      await undos.pop()?.();
    }),
    { numRuns: 30 },
  );
});

test('a store whose rows are lost settles what was open, and nothing twice', async (t) => {
  const desk = await openDesk(t);
  const [open, ended, expired, late] = [await desk.admit(), await desk.admit(), await desk.admit(), await desk.admit()];
  await desk.meter.take(endEntry(ended));
  await desk.meter.withdraw(expired);
  await desk.ledger.flush();

  // The counters' rows are lost; the holds and ends say what they were.
  const recovered = { ...(await desk.ledger.recover(0)), counters: [] };
  const store = new MemoryLimitStore(desk.clock, { settleWithinMs: SETTLE_WITHIN_MS });
  store.restore(restoredOf(recovered));
  assert.deepEqual(store.counts().open, 2);
  const meter = desk.newMeter({ store, recall: (id) => recallInto(store, desk, id) });
  meter.resume(recovered);
  for (const hold of [open, ended, late, open, ended]) await meter.take(endEntry(hold));
  assert.equal(meter.counts().repeated, 3);
  assert.equal(store.counts().open, 0);
  for (const hold of [open, ended, late]) assert.deepEqual(await desk.ends(hold), ['2 settled hold 380 190']);
  assert.deepEqual(await desk.ends(expired), ['0 released hold 0 0']);
});

/** As the app does it, of a decision whose row is lost. */
async function recallInto(store: MemoryLimitStore, desk: Desk, decisionId: string): Promise<Found> {
  const found = await desk.ledger.find(decisionId);
  store.readmit(decisionId, readmittedOf({ ...found, states: [] }));
  return found;
}
