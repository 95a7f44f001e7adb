/** Decisions over a real meter and ledger: what is booked, what is given back, what a full ledger means. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite-ledger.ts';
import { Meter } from '../../src/metering/meter.ts';
import type { Scope } from '../support/scope.ts';
import { type BundleParts, policyOf } from './bundle.ts';
import { Desk, NOW_MS } from './desk.ts';

const MINUTE_MS = 60_000;
const ONE_SLOT: BundleParts = {
  limits: ['{name: slots, max: 1 in flight}', '{name: spend, max: 1k output_tokens per day}'],
};

/** A desk whose holds and refusals are booked, as `serve` does it. */
async function bookedDesk(scope: Scope, parts: BundleParts, { queueMax = 1000 }: { readonly queueMax?: number } = {}) {
  const policy = await policyOf(scope, parts);
  const dir = await mkdtemp(join(tmpdir(), 'tg-'));
  const file = join(dir, 'ledger.db');
  const ledger = await openSqliteLedger({ file, queueMax });
  // One hook, because a test runs its hooks in the order they were made: the ledger has to be closed before it goes.
  scope.after(async () => {
    await ledger.close();
    await rm(dir, { recursive: true, force: true });
  });
  const desk: Desk = new Desk(policy, {
    ports: ({ store, clock }) => {
      const settings = { settleWithinMs: 25 * MINUTE_MS };
      const meter = new Meter({ store, ledger, clock, prices: () => policy.prices, policy: () => policy, settings });
      return {
        ledgerId: ledger.id,
        admit: (hold) => meter.admit(hold),
        withdraw: (hold) => meter.withdraw(hold),
        expire: (customer) => meter.expire(customer),
        refuse: (refusal) => ledger.refuse(refusal),
      };
    },
  });
  return {
    desk,
    async booked(decisionId: string) {
      await ledger.flush();
      const reader = openLedgerReader(file);
      try {
        return reader.decision(decisionId);
      } finally {
        reader.close();
      }
    },
  };
}

/** What stands in the counters of the plan's limits, before a question. */
function used(desk: Desk): Record<string, number> {
  const { hold } = desk.allow({ json: { max_tokens: 1 } });
  return Object.fromEntries(hold.trace[0]!.spends.map((spend) => [spend.limit, spend.used]));
}

test('identical refusals of a minute are one row, and answer with its id', async (t) => {
  const { desk, booked } = await bookedDesk(t, ONE_SLOT);
  desk.allow();
  const first = desk.deny();
  assert.equal(desk.deny().decisionId, first.decisionId);
  const other = desk.deny({ json: { model: 'small' } });
  assert.notEqual(other.decisionId, first.decisionId);
  desk.nowMs = NOW_MS + MINUTE_MS;
  assert.notEqual(desk.deny().decisionId, first.decisionId);
  const row = await booked(first.decisionId);
  assert.ok(row?.outcome === 'deny');
  assert.deepEqual([row.count, row.refusal.reason, row.refusal.limit], [2, 'concurrency_limited', 'slots']);
});

test('a call whose body cannot be read is booked for its caller, and folded', async (t) => {
  const { desk, booked } = await bookedDesk(t, ONE_SLOT);
  const first = desk.deny({ body: Buffer.from('{') });
  assert.equal(desk.deny({ body: Buffer.from('[') }).decisionId, first.decisionId);
  const row = await booked(first.decisionId);
  assert.ok(row?.outcome === 'deny');
  assert.deepEqual([row.count, row.refusal.account, row.refusal.reason], [2, 'acme', 'body_malformed']);
});

test('decided too late: refused, and what was reserved is given back at once', async (t) => {
  const { desk, booked } = await bookedDesk(t, ONE_SLOT);
  desk.monotonicMs = 100;
  assert.equal(desk.allow({ deadlineMs: 100 }).outcome, 'allow');
  const { desk: late } = await bookedDesk(t, ONE_SLOT);
  late.monotonicMs = 100.1;
  const deny = late.deny({ deadlineMs: 100 });
  assert.deepEqual([deny.reason, deny.waitMs], ['deadline_exceeded', undefined]);
  assert.deepEqual(used(late), { slots: 0, spend: 0 });
  assert.equal(await booked(deny.decisionId), undefined);
});

test('a full ledger: refused and given back, or served where the route says so', async (t) => {
  const { desk } = await bookedDesk(t, ONE_SLOT, { queueMax: 0 });
  const deny = desk.deny();
  assert.equal(deny.reason, 'ledger_full');
  const { hold } = desk.allow({ path: '/v1/plain', json: { max_tokens: 1 } });
  assert.deepEqual(
    hold.trace[0]?.spends.map(({ limit, used: before }) => [limit, before]),
    [
      ['slots', 0],
      ['spend', 0],
    ],
  );
});

test('an overdue slot is freed and its call booked as unreconciled', async (t) => {
  const { desk, booked } = await bookedDesk(t, ONE_SLOT);
  const first = desk.allow();
  desk.nowMs = NOW_MS + 11 * MINUTE_MS;
  const second = desk.allow();
  assert.equal(second.hold.trace[0]?.spends.find(({ limit }) => limit === 'spend')?.used, 100);
  const row = await booked(first.hold.decisionId);
  assert.ok(row?.outcome === 'allow');
  assert.deepEqual(
    row.ends.map(({ kind, rank }) => [kind, rank]),
    [['unreconciled', 0]],
  );
});

test('a hold comes back from the ledger as it was', async (t) => {
  const { desk, booked } = await bookedDesk(t, { ...ONE_SLOT, accounts: ['acme/team: {owner: t@acme.example}'] });
  const { hold } = desk.allow({ key: 'teamkey', headers: [['tollgate-run', 'r1']] });
  const row = await booked(hold.decisionId);
  assert.ok(row?.outcome === 'allow');
  assert.deepEqual(row.hold, hold);
});
