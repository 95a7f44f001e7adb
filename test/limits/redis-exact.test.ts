/** Many processes, one Redis: what is admitted is what the limits say, to the unit. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Unit } from '../../src/core/units.ts';
import { RedisLimitStore } from '../../src/limits/redis-store.ts';
import type { Ask, ReserveAnswer, Settlement, Spend } from '../../src/limits/store.ts';
import { spawnNode } from '../support/process.ts';
import { connectionFor, needRedis, redisFor } from '../support/redis.ts';
import { until } from '../support/until.ts';

const PROCESSES = 4;
const QUESTIONS = 10_000;
const NOW = Date.parse('2026-03-01T00:00:00Z');
const END = NOW + 3_600_000;

/**
 * Nested limits of one question: customer and team, credential, model; tokens and money. One of each is so low that it is
 * full before the customer's, which is full long before all is asked; small questions fill what larger ones leave.
 */
function spendsOf(serial: number): Spend[] {
  // Every process asks the same mix, whichever of them is ahead.
  const kind = Math.floor(serial / PROCESSES);
  const tokens = 1 + (kind % 7);
  const line = (limit: string, unit: Unit, amount: number, partition: string, ceiling: number): Spend => ({
    counter: `acme|${limit}|window,${unit},3600000,|${partition}|${NOW}`,
    kind: 'window',
    unit,
    onExpiry: 'keep',
    limit,
    amount,
    ceiling,
    observe: false,
    end: END,
  });
  return [
    line('customer-tokens', 'tokens', tokens, '', 12_000),
    line('team-money', 'charge', tokens * 3, `team-${kind % 2}`, kind % 2 === 1 ? 12_000 : 90_000),
    line('key-tokens', 'tokens', tokens, `key-${kind % 10}`, kind % 10 === 0 ? 500 : 9_000),
    line('model-requests', 'requests', 1, `model-${kind % 3}`, kind % 3 === 0 ? 400 : 9_000),
  ];
}

function askOf(serial: number): Ask {
  return {
    id: `decision-${serial}`,
    mintedAt: NOW,
    expiresAt: NOW + 60_000,
    customer: 'acme',
    from: NOW,
    until: END,
    candidates: [spendsOf(serial)],
  };
}

/** One process: asks its share, 64 at a time, and answers which were admitted. Started by this very file. */
async function askShare(port: number, share: number): Promise<number[]> {
  const scope = { after: () => undefined };
  const connection = await connectionFor(scope, port);
  const store = new RedisLimitStore(connection, { nowMs: () => NOW });
  // All begin together: a process that starts late would find the limits full.
  await connection.command('incr', 'started');
  await until('all have started', async () => (await connection.command('get', 'started')) === String(PROCESSES));
  const admitted: number[] = [];
  let next = share;
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      for (let serial = next; serial < QUESTIONS; serial = next) {
        next += PROCESSES;
        const { outcome } = await store.reserve(askOf(serial));
        if (outcome === 'admitted') admitted.push(serial);
        else assert.equal(outcome, 'refused');
      }
    }),
  );
  await connection.close();
  return admitted;
}

if (process.env['TOLLGATE_SHARE'] !== undefined) {
  const [port, share] = process.env['TOLLGATE_SHARE'].split(' ').map(Number);
  process.stdout.write(`${JSON.stringify(await askShare(port!, share!))}\n`);
} else {
  describe('limits over one Redis', needRedis(), () => {
    it(`${PROCESSES} processes, ${QUESTIONS} questions at once on nested limits: the sums admitted are what was charged, and fill the limits`, async (t) => {
      const { port } = await redisFor(t);
      const children = Array.from({ length: PROCESSES }, (_, share) =>
        spawnNode(t, [import.meta.filename], { env: { TOLLGATE_SHARE: `${port} ${share}` } }),
      );
      const shares: number[][] = [];
      for (const child of children) {
        const { code } = await child.ended;
        assert.equal(code, 0, child.output());
        shares.push(JSON.parse(child.stdout()));
      }
      const admitted = shares.flat();
      assert.ok(
        shares.every((share) => share.length > 0),
        'every process was admitted some',
      );
      const sums = new Map<string, { amount: number; spend: Spend }>();
      for (let serial = 0; serial < QUESTIONS; serial++) {
        for (const spend of spendsOf(serial))
          if (!sums.has(spend.counter)) sums.set(spend.counter, { amount: 0, spend });
      }
      for (const serial of admitted) {
        for (const { counter, amount } of spendsOf(serial)) sums.get(counter)!.amount += amount;
      }
      const store = new RedisLimitStore(await connectionFor(t, port), { nowMs: () => NOW });
      // What was refused left nothing behind: every counter holds exactly what was admitted, and no more than its limit.
      for (const [counter, { amount, spend }] of sums) {
        const used = await usedOf(store, spend);
        assert.equal(used, amount, counter);
        assert.ok(used <= spend.ceiling, counter);
      }
      const full = [...sums.values()].filter(({ amount, spend }) => amount === spend.ceiling);
      assert.deepEqual(
        full.map(({ spend }) => spend.limit).sort(),
        ['customer-tokens', 'key-tokens', 'model-requests', 'team-money'],
        'one of each is full, to the unit',
      );
      await settleAll(store, admitted);
      for (const { spend } of sums.values()) assert.equal(await usedOf(store, spend), 0, 'all was given back');
    });
  });
}

async function usedOf(store: RedisLimitStore, spend: Spend): Promise<number> {
  const ask: Ask = { ...askOf(0), id: 'look', candidates: [[{ ...spend, amount: 0, observe: true }]] };
  const answer: ReserveAnswer = await store.reserve(ask, { dry: true });
  assert.equal(answer.outcome, 'admitted');
  return answer.states[0]![0]!.used;
}

/** At 0, thrice each and all at once: twice the same settlement, and once an older one. */
async function settleAll(store: RedisLimitStore, serials: readonly number[]): Promise<void> {
  for (let from = 0; from < serials.length; from += 200) {
    await Promise.all(
      serials.slice(from, from + 200).flatMap((serial) =>
        [2, 1, 2].map((rank) => {
          const settlements = spendsOf(serial).map((ref): Settlement => ({ ref, actual: 0 }));
          return store.settle(`decision-${serial}`, { mintedAt: NOW, rank, customer: 'acme' }, settlements);
        }),
      ),
    );
  }
}
