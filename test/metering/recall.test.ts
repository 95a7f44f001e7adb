/** Entries whose decision is not in memory: of before a restart, or lost with the last commit before a kill. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mintDecisionId } from '../../src/core/ids.ts';
import type { Found } from '../../src/ledger/ledger.ts';
import { RANK } from '../../src/limits/store.ts';
import { refOf } from '../../src/metering/settlement.ts';
import {
  type Desk,
  EXPIRED,
  endEntry,
  NOTHING,
  openDesk,
  RESERVED,
  SETTLE_WITHIN_MS,
  SETTLED,
  SPENDS,
} from './desk.ts';
import { holdOf } from './fixtures.ts';

async function restart(desk: Desk): Promise<void> {
  await desk.ledger.close();
  await desk.start();
}

/** A meter whose questions to the ledger are answered when the test says so. */
function asking(desk: Desk) {
  const asked: { readonly id: string; answer(): Promise<void>; fail(): void }[] = [];
  const meter = desk.newMeter({
    recall: (id) => {
      const { promise, resolve, reject } = Promise.withResolvers<Found>();
      asked.push({ id, answer: async () => resolve(await desk.recall(id)), fail: () => reject(new Error('late')) });
      return promise;
    },
  });
  return { meter, asked };
}

test('a restart loads none of what has ended', async (t) => {
  const desk = await openDesk(t);
  for (let at = 0; at < 20; at++) await desk.meter.take(endEntry(await desk.admit()));
  const open = await desk.admit();
  await restart(desk);
  const { open: held, closed } = desk.store.counts();
  assert.deepEqual([held, closed, desk.meter.counts().open], [1, 0, 1]);
  await desk.meter.take(endEntry(open));
  assert.deepEqual(await desk.ends(open), ['2 settled hold 380 190']);
});

test('an entry that comes again after a restart changes nothing: before the ledger was asked, while it is, and after', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  await desk.meter.take(endEntry(hold));
  await restart(desk);
  const { meter, asked } = asking(desk);
  const waits = [meter.take(endEntry(hold)), meter.takeAll([endEntry(hold), endEntry(hold)])];
  assert.deepEqual(await desk.used(), SETTLED);
  assert.deepEqual(await desk.ends(hold), ['2 settled hold 380 190']);
  waits.push(meter.take(endEntry(hold)));
  assert.deepEqual(
    asked.map(({ id }) => id),
    [hold.decisionId],
    'asked once',
  );
  await asked[0]!.answer();
  await Promise.all(waits);
  // Now it is in memory.
  assert.equal(meter.take(endEntry(hold)), undefined);
  assert.deepEqual(await desk.used(), SETTLED);
  assert.deepEqual(await desk.ends(hold), ['2 settled hold 380 190']);
  assert.deepEqual([meter.counts().repeated, desk.ledger.counts().repeated, asked.length], [5, 5, 1]);
});

test('other decisions do not wait for one that is asked', async (t) => {
  const desk = await openDesk(t);
  const ended = await desk.admit();
  await desk.meter.take(endEntry(ended));
  await restart(desk);
  const { meter, asked } = asking(desk);
  desk.meter = meter;
  const fresh = await desk.admit();
  const waits = meter.takeAll([endEntry(ended), endEntry(fresh)]);
  assert.deepEqual(await desk.ends(fresh), ['2 settled hold 380 190']);
  await asked[0]!.answer();
  await waits;
  assert.deepEqual(await desk.used(), { requests: 2, tokens: 220, charge: 760, cost: 380, 'in-flight': 0 });
});

test('an entry that comes after expiry and restart moves counters and book from the estimate', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  desk.nowMs = hold.expiresAtMs;
  await desk.meter.sweep(desk.nowMs);
  await restart(desk);
  assert.deepEqual(await desk.used(), EXPIRED);
  await desk.meter.take(endEntry(hold));
  assert.deepEqual(await desk.used(), SETTLED);
  assert.deepEqual(await desk.booked(hold), { tokens: 110, charge: 380, cost: 190 });
  assert.deepEqual(await desk.ends(hold), ['0 unreconciled hold 2202 1102', '2 settled hold 380 190']);
});

test('a correction after a restart moves counters by the difference, once', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  await desk.meter.take(endEntry(hold));
  await restart(desk);
  const { ended } = await desk.recall(hold.decisionId);
  assert.equal(ended?.rank, RANK.accessLog);
  const { decidedAtMs: mintedAt, customer } = hold;
  const settlements = SPENDS.map((spend) => ({ ref: refOf(spend), actual: spend.unit === 'charge' ? 300 : 1 }));
  const correct = () => desk.store.settle(hold.decisionId, { mintedAt, rank: 3, customer }, settlements).outcome;
  assert.deepEqual([correct(), correct()], ['changed', 'same']);
  await restart(desk);
  await desk.recall(hold.decisionId);
  assert.equal(correct(), 'same');
  assert.deepEqual(await desk.used(), { requests: 1, tokens: 1, charge: 300, cost: 1, 'in-flight': 0 });
});

test('a hold that was lost is settled by its copy, once', async (t) => {
  const desk = await openDesk(t);
  await restart(desk);
  // Neither ledger nor counters have it: both went with one commit.
  const lost = holdOf({
    decisionId: mintDecisionId(desk.ledger.id, desk.nowMs),
    decidedAtMs: desk.nowMs,
    spends: SPENDS,
  });
  await desk.meter.takeAll([endEntry(lost), endEntry(lost)]);
  assert.deepEqual(await desk.used(), SETTLED);
  assert.deepEqual(await desk.ends(lost), ['2 settled entry 380 190']);
  await restart(desk);
  await desk.meter.take(endEntry(lost));
  assert.deepEqual(await desk.used(), SETTLED);
  assert.deepEqual(await desk.ends(lost), ['2 settled entry 380 190']);
});

test('an open hold that is forgotten for want of room is settled by what the ledger has', async (t) => {
  const desk = await openDesk(t);
  desk.meter = desk.newMeter({ recall: desk.recall, settings: { settleWithinMs: SETTLE_WITHIN_MS, openMax: 1 } });
  const [first, second] = [await desk.admit(), await desk.admit()];
  await desk.meter.takeAll([endEntry(first), endEntry(second)]);
  for (const hold of [first, second]) assert.deepEqual(await desk.ends(hold), ['2 settled hold 380 190']);
  assert.deepEqual(desk.store.counts().open, 0);
});

test('ids of other ledgers are not asked', async (t) => {
  const desk = await openDesk(t);
  const { meter, asked } = asking(desk);
  assert.equal(meter.take(endEntry(holdOf({ decisionId: mintDecisionId('aaaaaaaa', desk.nowMs) }))), undefined);
  assert.equal(meter.take(endEntry(holdOf({ decisionId: 'no id' }))), undefined);
  assert.deepEqual([asked.length, meter.counts().orphans], [0, 2]);
});

// The ledger does not answer in time: what its book and the counters say then, and after the entry came once more.
const LATE = [
  { what: 'had ended', prepare: ended, late: SETTLED, ends: ['2 settled hold 380 190'] },
  {
    what: 'had expired',
    prepare: expired,
    late: EXPIRED,
    ends: ['0 unreconciled hold 2202 1102', '2 settled entry 380 190'],
  },
  { what: 'was lost', prepare: lost, late: NOTHING, ends: ['2 settled entry 380 190'] },
] as const;

LATE.forEach(({ what, prepare, late, ends }, row) => {
  test(`late ${row + 1}: where the ledger does not answer, a decision that ${what} is booked, and its counters stay`, async (t) => {
    const desk = await openDesk(t);
    const hold = await prepare(desk);
    await restart(desk);
    const { meter, asked } = asking(desk);
    const waits = [meter.take(endEntry(hold)), meter.take(endEntry(hold))];
    asked[0]!.fail();
    await Promise.all(waits);
    assert.deepEqual(await desk.used(), late);
    assert.deepEqual(await desk.ends(hold), ends);
    assert.equal(meter.counts().unsettled, 2);

    for (let again = 0; again < 2; again++) {
      const wait = meter.take(endEntry(hold));
      await asked[1]!.answer();
      await wait;
      assert.deepEqual(await desk.used(), SETTLED);
      assert.deepEqual(await desk.ends(hold), ends);
    }
    assert.deepEqual([asked.length, desk.ledger.counts().conflicts], [2, 0]);
    await restart(desk);
    await desk.meter.take(endEntry(hold));
    assert.deepEqual(await desk.used(), SETTLED);
  });
});

async function ended(desk: Desk) {
  const hold = await desk.admit();
  await desk.meter.take(endEntry(hold));
  return hold;
}

async function expired(desk: Desk) {
  const hold = await desk.admit();
  desk.nowMs = hold.expiresAtMs;
  await desk.meter.sweep(desk.nowMs);
  return hold;
}

async function lost(desk: Desk) {
  return holdOf({ decisionId: mintDecisionId(desk.ledger.id, desk.nowMs), decidedAtMs: desk.nowMs, spends: SPENDS });
}

test('an end that came too late to be settled leaves no slot behind, though it is followed by a kill', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  await desk.ledger.close();
  desk.nowMs += SETTLE_WITHIN_MS;
  await desk.start();
  assert.deepEqual(await desk.used(), RESERVED);
  // Before the first sweep, and there is none after it.
  await desk.meter.take(endEntry(hold));
  await restart(desk);
  assert.deepEqual(await desk.used(), EXPIRED);
  assert.deepEqual(await desk.ends(hold), ['2 settled hold 380 190']);
});
