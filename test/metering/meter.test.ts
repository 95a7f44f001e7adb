import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdToFields } from '../../src/ledger/fields.ts';
import type { Hold } from '../../src/ledger/hold.ts';
import type { LimitStore } from '../../src/limits/store.ts';
import type { LogEntry } from '../../src/metering/entry.ts';
import { type Desk, endEntry, NOTHING, openDesk, RESERVED, SETTLED } from './desk.ts';
import { DECIDED_MS, entryOf, holdOf, usageOf } from './fixtures.ts';

interface Row {
  readonly what: string;
  readonly entry: Partial<LogEntry>;
  readonly hold?: Partial<Hold>;
  readonly used: Record<string, number>;
  readonly end: string;
}

// What one entry leaves in counters and ledger: `rank kind source charge cost`.
const ROWS: readonly Row[] = [
  { what: 'usage', entry: {}, used: SETTLED, end: '2 settled hold 380 190' },
  { what: 'usage after three attempts', entry: { attempts: 3 }, used: SETTLED, end: '2 settled hold 380 190' },
  { what: 'no attempt', entry: { attempts: 0, firstByte: false }, used: NOTHING, end: '2 released hold 0 0' },
  {
    what: 'a refusal of the provider',
    entry: { usage: new Map(), status: 429 },
    used: { ...NOTHING, requests: 1 },
    end: '2 failed hold 0 0',
  },
  {
    what: 'an answer without usage',
    entry: { usage: new Map(), responseBytes: 66 },
    used: { ...NOTHING, requests: 1, tokens: 120, charge: 400, cost: 200 },
    end: '2 estimated hold 400 200',
  },
  {
    what: 'the same where estimates are not billed',
    hold: { billEstimated: false },
    entry: { usage: new Map(), responseBytes: 66 },
    used: { ...NOTHING, requests: 1, tokens: 120, cost: 200 },
    end: '2 estimated hold 0 200',
  },
  {
    what: 'a cut before the first byte',
    entry: { usage: new Map(), status: 0, firstByte: false },
    used: { ...NOTHING, requests: 1, tokens: 100, charge: 200, cost: 100 },
    end: '2 estimated hold 200 100',
  },
];

ROWS.forEach(({ what, entry, hold: some = {}, used, end }, row) => {
  test(`take ${row + 1}: ${what}`, async (t) => {
    const desk = await openDesk(t);
    const hold = await desk.admit(some);
    assert.deepEqual(await desk.used(), RESERVED);
    await desk.meter.take(endEntry(hold, entry));
    assert.deepEqual(await desk.used(), used);
    assert.deepEqual(await desk.ends(hold), [end]);
    // However often it comes again.
    await desk.meter.take(endEntry(hold, entry));
    await desk.newMeter().take(endEntry(hold, entry));
    assert.deepEqual(await desk.used(), used);
    assert.deepEqual(await desk.ends(hold), [end]);
    assert.equal(desk.ledger.counts().conflicts, 0);
    assert.equal(desk.ledger.counts().repeated, 2);
    assert.equal(desk.meter.counts().repeated, 1);
    assert.equal(desk.meter.counts().open, 0);
  });
});

test('counters and rows are queued in one turn', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  const before = desk.ledger.counts().queued;
  assert.equal(desk.meter.take(endEntry(hold)), undefined);
  assert.equal(desk.ledger.counts().queued, before + 1);
});

test('an answered model is priced, and flagged where it is not the decided one', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  await desk.meter.take(endEntry(hold, { usage: usageOf(90, 20, 'gpt-5-mini') }));
  assert.deepEqual(await desk.ends(hold), ['2 settled hold 150 75']);
  assert.match(await desk.flags(hold), /model_mismatch/);
});

test('L10 impossible usage is estimated and counted', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  await desk.meter.take(endEntry(hold, { usage: new Map([['prompt_tokens', 'many']]), responseBytes: 33 }));
  assert.deepEqual(await desk.ends(hold), ['2 estimated hold 300 150']);
  assert.match(await desk.flags(hold), /usage_faulty/);
  assert.equal(desk.meter.counts().faulty, 1);
});

test('a lost hold is settled by the copy in its entry', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.reserve();
  await desk.meter.take(endEntry(hold));
  assert.deepEqual(await desk.used(), SETTLED);
  assert.deepEqual(await desk.ends(hold), ['2 settled entry 380 190']);
  assert.deepEqual(await desk.rows('SELECT written_by FROM holds'), [{ written_by: 'end' }]);
  assert.equal(desk.meter.counts().fromEntry, 1);
});

test('a copy that is too large to name its counters books, and lets them expire', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.reserve();
  const fields = new Map<string, string>(holdToFields(hold)).set('spends', '').set('spends_omitted', 'true');
  await desk.meter.take(endEntry(hold, { decision: fields }));
  assert.deepEqual(await desk.used(), RESERVED);
  assert.deepEqual(await desk.ends(hold), ['2 settled entry 380 190']);
  assert.equal(desk.meter.counts().unsettled, 1);
});

test('where hold and copy differ the hold wins and the end is flagged', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  const copies = [
    ['estimate', '[1,1,1,1,1]'],
    ['estimate', '[100,200,2202,1102,201]'],
    ['policy_version', 'another'],
    ['model', 'gpt-5-mini'],
    ['account', 'acme/other'],
    ['spends', '[]'],
    ['mode', 'nonsense'],
  ] as const;
  for (const [name, value] of copies) {
    const fields = new Map<string, string>(holdToFields(hold)).set(name, value);
    await desk.meter.take(endEntry(hold, { decision: fields }));
  }
  assert.deepEqual(await desk.used(), SETTLED);
  assert.deepEqual(await desk.ends(hold), ['2 settled hold 380 190']);
  assert.match(await desk.flags(hold), /hold_differs/);
  assert.equal(desk.meter.counts().differing, copies.length);
});

test('L12 what is not ours becomes an orphan and moves nothing', async (t) => {
  const desk = await openDesk(t);
  const ours = await desk.reserve();
  desk.nowMs += 2 * 86_400_000;
  const future = await desk.reserve({ spends: [] });
  desk.nowMs = DECIDED_MS;
  const before = await desk.used();
  const entries = [
    endEntry(holdOf({ decisionId: 'zzzzzzzz-0191e2a0-0000-7000-8000-000000000000' })),
    endEntry(ours, {
      decision: new Map([
        ['decision_id', 'x'.repeat(5000)],
        ['outcome', 'allow'],
      ]),
    }),
    endEntry(ours, {
      decision: new Map([
        ['decision_id', ours.decisionId],
        ['outcome', 'allow'],
      ]),
    }),
    endEntry(future),
    endEntry(ours, {
      decision: new Map<string, string>(holdToFields(ours)).set('decided_at_ms', '9007199254740991'),
    }),
  ];
  for (const entry of entries) await desk.meter.take(entry);
  assert.deepEqual(await desk.used(), before);
  assert.equal(desk.meter.counts().orphans, entries.length);
  const rows = await desk.rows('SELECT why, length(decision_id) AS size FROM orphans ORDER BY seq');
  assert.deepEqual(rows, [
    { why: 'not an id of this ledger', size: 45 },
    { why: 'not an id of this ledger', size: 128 },
    { why: 'no hold, and its copy cannot be read', size: 45 },
    { why: 'minted in the future', size: 45 },
  ]);
  assert.deepEqual(await desk.rows('SELECT * FROM ends'), []);
  assert.notDeepEqual(await desk.rows('SELECT * FROM counters'), []);
});

test('only the end of an allowed request is billed', async (t) => {
  const desk = await openDesk(t);
  const hold = await desk.admit();
  const denied = new Map<string, string>(holdToFields(hold)).set('outcome', 'deny');
  const entries: LogEntry[] = [
    endEntry(hold, { kind: 'other' }),
    endEntry(hold, { decision: new Map([['decision_id', hold.decisionId]]) }),
    endEntry(hold, { decision: denied }),
    entryOf(),
    entryOf({ decision: new Map() }),
  ];
  for (const entry of entries) await desk.meter.take(entry);
  assert.equal(desk.meter.counts().ignored, entries.length);
  assert.deepEqual(await desk.used(), RESERVED);
  assert.deepEqual(await desk.ends(hold), []);
});

/** The memory store as one that answers later, or fails. */
function later(desk: Desk, answer: <T>(value: T) => T | Promise<T>): LimitStore {
  const { store } = desk;
  return {
    reserve: (...args) => store.reserve(...args),
    settle: (...args) => answer(store.settle(...args)),
    extend: (id, expiresAt) => answer(store.extend(id, expiresAt)),
    expire: (...args) => answer(store.expire(...args)),
    adjust: (...args) => store.adjust(...args),
  };
}

test('a store that answers with promises settles and books the same', async (t) => {
  const desk = await openDesk(t);
  desk.meter = desk.newMeter({ store: later(desk, async (value) => value) });
  const served = await desk.admit();
  const withdrawn = await desk.admit();
  const taken = desk.meter.take(endEntry(served));
  assert.ok(taken instanceof Promise);
  await taken;
  await desk.meter.withdraw(withdrawn);
  assert.deepEqual(await desk.used(), SETTLED);
  const lost = await desk.admit();
  desk.nowMs = lost.expiresAtMs;
  await desk.meter.sweep(desk.nowMs);
  assert.deepEqual(await desk.ends(served), ['2 settled hold 380 190']);
  assert.deepEqual(await desk.ends(withdrawn), ['0 released hold 0 0']);
  assert.deepEqual(await desk.ends(lost), ['0 unreconciled hold 2202 1102']);
});

test('a store that fails costs the counters, never the ledger', async (t) => {
  const desk = await openDesk(t);
  const thrower = later(desk, () => {
    throw new Error('down');
  });
  const rejecter = later(desk, () => Promise.reject(new Error('down')));
  for (const store of [thrower, rejecter]) {
    desk.meter = desk.newMeter({ store });
    const hold = await desk.admit({ spends: [] });
    desk.nowMs += 1000;
    await desk.meter.take(endEntry(hold, { kind: 'periodic' }));
    await desk.meter.take(endEntry(hold));
    assert.deepEqual(await desk.ends(hold), ['2 settled hold 380 190']);
    assert.equal(desk.meter.counts().storeFailed, 2);
    await assert.rejects(async () => desk.meter.sweep(desk.nowMs), /down/);
  }
});
