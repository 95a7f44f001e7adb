/** What happens to a hold that no entry has ended: withdrawn, expired, kept open, restarted, forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Crossing } from '../../src/limits/store.ts';
import { EXPIRED, endEntry, NOTHING, openDesk, RESERVED, SETTLE_WITHIN_MS, SETTLED } from './desk.ts';
import { DECIDED_MS, spendOf } from './fixtures.ts';

test('a withdrawn hold gives everything back, and still settles if it was served', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  await desk.meter.withdraw(hold);
  assert.deepEqual(await desk.used(), NOTHING);
  assert.deepEqual(await desk.ends(hold), ['0 released hold 0 0']);
  await desk.meter.take(endEntry(hold));
  assert.deepEqual(await desk.used(), SETTLED);
  assert.deepEqual(await desk.ends(hold), ['0 released hold 0 0', '2 settled hold 380 190']);
});

test('a hold that the ledger never took is withdrawn without an end', async (t) => {
  const desk = await openDesk(t, { queueMax: 1, commitMs: 1000 });
  await desk.admit({ spends: [] });
  const turnedAway = await desk.reserve();
  assert.equal(desk.meter.admit(turnedAway), false);
  await desk.meter.withdraw(turnedAway);
  const never = await desk.reserve();
  await desk.meter.withdraw(never);
  assert.deepEqual(await desk.used(), NOTHING);
  assert.deepEqual(await desk.rows('SELECT * FROM ends'), []);
  assert.equal(desk.meter.counts().withdrawn, 2);
});

test('a hold that the ledger had no room for is booked with its end', async (t) => {
  const desk = await openDesk(t, { queueMax: 1, commitMs: 1000 });
  await desk.admit({ spends: [] });
  const hold = await desk.reserve();
  assert.equal(desk.meter.admit(hold), false);
  await desk.meter.take(endEntry(hold));
  assert.deepEqual(await desk.ends(hold), ['2 settled hold 380 190']);
});

test('an expired hold is unreconciled with its estimate until its entry comes', async (t) => {
  const desk = await openDesk(t);
  const billed = await desk.admit();
  await desk.meter.sweep(desk.nowMs);
  assert.deepEqual(await desk.ends(billed), []);
  desk.nowMs = billed.expiresAtMs;
  await desk.meter.sweep(desk.nowMs);
  assert.deepEqual(await desk.used(), EXPIRED);
  assert.deepEqual(await desk.ends(billed), ['0 unreconciled hold 2202 1102']);
  await desk.meter.sweep(desk.nowMs + 100_000);
  assert.deepEqual(await desk.booked(billed), { tokens: 300, charge: 2202, cost: 1102 });
  await desk.meter.take(endEntry(billed));
  assert.deepEqual(await desk.used(), SETTLED);
  assert.deepEqual(await desk.booked(billed), { tokens: 110, charge: 380, cost: 190 });
});

test('an expired hold of a plan that bills no estimates keeps its cost', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit({ billEstimated: false });
  desk.nowMs = hold.expiresAtMs;
  await desk.meter.sweep(desk.nowMs);
  assert.deepEqual(await desk.ends(hold), ['0 unreconciled hold 0 1102']);
});

test('a hold that nobody remembers is ended by the ledger, a minute after its expiry', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  desk.meter = desk.newMeter();
  desk.nowMs = hold.expiresAtMs;
  await desk.meter.sweep(desk.nowMs);
  assert.deepEqual(await desk.used(), EXPIRED);
  assert.deepEqual(await desk.ends(hold), []);
  desk.nowMs = hold.expiresAtMs + 59_999;
  await desk.meter.sweep(desk.nowMs);
  assert.deepEqual(await desk.ends(hold), []);
  desk.nowMs = hold.expiresAtMs + 70_000;
  await desk.meter.sweep(desk.nowMs);
  assert.deepEqual(await desk.ends(hold), ['0 unreconciled hold 2202 1102']);
  const [row] = await desk.rows('SELECT charged FROM ends');
  assert.match(String(row?.['charged']), /acme\|charge.*2202/);
});

test('heartbeats keep a long request open, up to the end of settlement', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  const beat = (): unknown => desk.meter.take(endEntry(hold, { kind: 'periodic', usage: new Map() }));
  desk.nowMs = DECIDED_MS + 100_000;
  await beat();
  desk.nowMs = DECIDED_MS + 219_999;
  await desk.meter.sweep(desk.nowMs);
  assert.deepEqual(await desk.ends(hold), []);
  assert.equal(desk.meter.counts().heartbeats, 1);
  for (; desk.nowMs < DECIDED_MS + SETTLE_WITHIN_MS; desk.nowMs += 60_000) await beat();
  await desk.meter.sweep(desk.nowMs);
  assert.deepEqual(await desk.ends(hold), ['0 unreconciled hold 2202 1102']);
});

test('an open hold survives a restart', async (t) => {
  const desk = await openDesk(t);
  const open = await desk.admit({ tags: { cost_center: '4711' } });
  const ended = await desk.admit();
  await desk.meter.take(endEntry(ended));
  await desk.ledger.close();
  await desk.start();
  assert.equal(desk.meter.counts().open, 1);
  await desk.meter.take(endEntry(open));
  await desk.meter.take(endEntry(ended));
  assert.deepEqual(await desk.ends(open), ['2 settled hold 380 190']);
  assert.deepEqual(await desk.ends(ended), ['2 settled hold 380 190']);
  assert.deepEqual(await desk.used(), { requests: 2, tokens: 220, charge: 760, cost: 380, 'in-flight': 0 });
  assert.deepEqual([desk.ledger.counts().conflicts, desk.meter.counts().differing], [0, 0]);
});

test('an open hold gives its slot back after a restart, however long Tollgate was away', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  await desk.ledger.close();
  desk.nowMs += 2 * SETTLE_WITHIN_MS;
  await desk.start();
  assert.deepEqual(await desk.used(), RESERVED);
  await desk.meter.sweep(desk.nowMs);
  assert.deepEqual(await desk.used(), EXPIRED);
  assert.deepEqual(await desk.ends(hold), ['0 unreconciled hold 2202 1102']);
});

test('at its bound the oldest open hold is forgotten, and settled by its copy', async (t) => {
  const desk = await openDesk(t);
  desk.meter = desk.newMeter({ settings: { settleWithinMs: SETTLE_WITHIN_MS, openMax: 1 } });
  const first = await desk.admit();
  const second = await desk.admit();
  assert.equal(desk.meter.counts().evicted, 1);
  await desk.meter.take(endEntry(first));
  await desk.meter.take(endEntry(second));
  assert.deepEqual(await desk.ends(first), ['2 settled entry 380 190']);
  assert.deepEqual(await desk.ends(second), ['2 settled hold 380 190']);
  assert.deepEqual(await desk.rows('SELECT written_by FROM holds'), [{ written_by: 'hold' }, { written_by: 'hold' }]);
});

test('a threshold that is crossed is told once, and not again after a restart', async (t) => {
  const desk = await openDesk(t);
  const told: Crossing[] = [];
  const crossed = (crossing: Crossing) => void told.push(crossing);
  const warned = { ...spendOf({ unit: 'tokens', reserved: 300 }), warn: [100, 200] };
  desk.meter = desk.newMeter({ crossed });
  const first = await desk.admit({ spends: [warned] });
  const second = await desk.admit({ spends: [warned] });
  assert.deepEqual(told, [], 'what is held does not warn');
  await desk.meter.take(endEntry(first));
  await desk.meter.take(endEntry(first));
  const crossing = { counter: warned.counter, limit: warned.limit, threshold: 100, spent: 110 };
  assert.deepEqual(told, [crossing]);

  await desk.ledger.close();
  await desk.start();
  desk.meter = desk.newMeter({ crossed });
  await desk.meter.take(endEntry(second));
  assert.deepEqual(told, [crossing, { ...crossing, threshold: 200, spent: 220 }]);
});
