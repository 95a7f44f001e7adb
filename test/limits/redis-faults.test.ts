/** What the Redis store makes of faults: of replies that are lost, of servers that forget, of clocks that differ, of others. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { RedisLimitStore, type RedisLimitStoreOptions } from '../../src/limits/redis-store.ts';
import type { Ask, ReserveAnswer, Spend } from '../../src/limits/store.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { RedisError } from '../../src/redis/error.ts';
import { connectionFor, needRedis, redisFor } from '../support/redis.ts';
import { type TcpProxy, tcpProxyFor } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const NOW = Date.parse('2026-03-01T00:00:00Z');
const END = NOW + 3_600_000;
const base = { onExpiry: 'keep', observe: false } as const;
const hour: Spend = {
  ...base,
  counter: 'acme|hour|window,tokens,3600000,||0',
  limit: 'hour',
  kind: 'window',
  unit: 'tokens',
  amount: 10,
  ceiling: 100_000,
  end: END,
};
const rate: Spend = {
  ...base,
  counter: 'acme|rate|bucket,tokens,1,||',
  limit: 'rate',
  kind: 'bucket',
  unit: 'tokens',
  amount: 10,
  ceiling: 100_000,
  n: 1,
  p: 1000,
};
const slots: Spend = {
  ...base,
  counter: 'acme|slots|slots,requests,,||',
  limit: 'slots',
  kind: 'slots',
  unit: 'requests',
  amount: 1,
  ceiling: 10_000,
};
const total: Spend = {
  ...base,
  counter: 'acme|total|total,charge,,|r|',
  limit: 'total',
  kind: 'total',
  unit: 'charge',
  amount: 1,
  ceiling: 10_000,
};
const all = [hour, rate, slots];

function askOf(id: string, spends: readonly Spend[], extra: Partial<Ask> = {}): Ask {
  return {
    id,
    mintedAt: NOW,
    expiresAt: NOW + 60_000,
    customer: 'acme',
    from: 0,
    until: Number.MAX_SAFE_INTEGER,
    candidates: [spends],
    ...extra,
  };
}

async function usedOf(store: RedisLimitStore, spend: Spend): Promise<number> {
  const look = { ...spend, amount: 0, observe: true };
  const answer: ReserveAnswer = await store.reserve(askOf('look', [look]), { dry: true });
  assert.equal(answer.outcome, 'admitted');
  return answer.states[0]![0]!.used;
}

const steered: RedisLimitStoreOptions = { nowMs: () => NOW };

interface Faulty {
  readonly store: RedisLimitStore;
  readonly direct: RedisLimitStore;
  readonly redis: RedisConnection;
  readonly proxy: TcpProxy;
  readonly port: number;
}

/** A store behind a proxy, and one that goes straight. */
async function faulty(t: TestContext): Promise<Faulty> {
  const { port } = await redisFor(t);
  const proxy = await tcpProxyFor(t, port);
  const redis = await connectionFor(t, port);
  const link = await connectionFor(t, proxy.port);
  return { store: new RedisLimitStore(link, steered), direct: new RedisLimitStore(redis, steered), redis, proxy, port };
}

/** Makes a call whose reply is lost and whose link is reset; answers the error's outcome. */
async function unanswered(proxy: TcpProxy, call: () => Promise<unknown>): Promise<string> {
  proxy.faults.toClient = 'drop';
  const dropped = proxy.dropped;
  const failed = assert.rejects(call(), (error) => error instanceof RedisError && error.outcome === 'unknown');
  await until('the reply is lost', () => proxy.dropped > dropped);
  proxy.faults.toClient = 'pass';
  proxy.reset();
  await failed;
  return 'unknown';
}

async function again<T>(call: () => Promise<T>): Promise<T> {
  return until('the link is there again', async () => {
    try {
      return { answer: await call() };
    } catch (error) {
      if (error instanceof RedisError) return undefined;
      throw error;
    }
  }).then(({ answer }) => answer);
}

describe('the Redis store, where things fail', needRedis(), () => {
  it('R7: a question, a settlement and an adjustment whose replies are lost count once when they are asked again', async (t) => {
    const { store, direct, proxy } = await faulty(t);
    await store.reserve(askOf('warm', [slots]));
    await store.settle('warm', { mintedAt: NOW, rank: 2, customer: 'acme' }, [{ ref: slots, actual: 1 }]);
    await store.adjust('warm', [{ ref: slots, delta: 0 }]);

    await unanswered(proxy, () => store.reserve(askOf('a', all)));
    assert.deepEqual(await again(() => store.reserve(askOf('a', all))), { outcome: 'known', now: NOW, candidate: 0 });
    assert.deepEqual(
      [await usedOf(direct, hour), await usedOf(direct, rate), await usedOf(direct, slots)],
      [10, 10, 1],
    );

    const settle = () => {
      const settlements = all.map((ref) => ({ ref, actual: 7 }));
      return store.settle('a', { mintedAt: NOW, rank: 2, customer: 'acme' }, settlements);
    };
    await unanswered(proxy, settle);
    assert.equal((await again(settle)).outcome, 'same');
    assert.deepEqual([await usedOf(direct, hour), await usedOf(direct, rate), await usedOf(direct, slots)], [7, 7, 0]);

    const adjust = () => store.adjust('op', [{ ref: hour, delta: 100 }]);
    await unanswered(proxy, adjust);
    assert.deepEqual(await again(adjust), [107]);
  });

  it('R6: what timed out against a stopped server and is asked again is charged once', async (t) => {
    const server = await redisFor(t);
    const hasty = await connectionFor(t, server.port, { commandTimeoutMs: 60 });
    const store = new RedisLimitStore(hasty, steered);
    await store.reserve(askOf('warm', [slots]));
    server.signal('SIGSTOP');
    const ids = Array.from({ length: 40 }, (_, i) => `id-${i}`);
    const ended = await Promise.allSettled(ids.map((id) => store.reserve(askOf(id, all))));
    server.signal('SIGCONT');
    assert.ok(ended.every(({ status }) => status === 'rejected'));
    const patient = new RedisLimitStore(await connectionFor(t, server.port), steered);
    for (const id of ids) await patient.reserve(askOf(id, all));
    assert.equal(await usedOf(patient, hour), 10 * ids.length);
    assert.equal(await usedOf(patient, slots), ids.length + 1);
  });

  it('R11: without memory for writes nothing is half charged, and the error says so', async (t) => {
    const { direct: store, redis } = await faulty(t);
    await store.reserve(askOf('a', all));
    await redis.command('config', 'set', 'maxmemory', '1');
    await assert.rejects(
      store.reserve(askOf('b', all)),
      (error) => error instanceof RedisError && error.code === 'oom',
    );
    assert.deepEqual([await usedOf(store, hour), await usedOf(store, rate), await usedOf(store, slots)], [10, 10, 1]);
    // What ends a reservation begins with a write that frees: Redis lets it through, and then all of it.
    const settlements = all.map((ref) => ({ ref, actual: 7 }));
    const { outcome } = await store.settle('a', { mintedAt: NOW, rank: 2, customer: 'acme' }, settlements);
    assert.equal(outcome, 'changed');
    await redis.command('config', 'set', 'maxmemory', '0');
    assert.deepEqual([await usedOf(store, hour), await usedOf(store, rate), await usedOf(store, slots)], [7, 7, 0]);
    assert.equal((await store.reserve(askOf('b', all))).outcome, 'admitted');
  });

  it('R11: every key has an end', async (t) => {
    const { direct: store, redis } = await faulty(t);
    const run = { marker: 'r', idleMs: 1000 };
    for (const id of ['a', 'b', 'c']) await store.reserve(askOf(id, [...all, total], { run }));
    await store.settle('a', { mintedAt: NOW, rank: 2, customer: 'acme' }, [{ ref: hour, actual: 3 }]);
    await store.settle('z', { mintedAt: NOW, rank: 2, customer: 'acme' }, [{ ref: rate, actual: 3 }]);
    await store.adjust('op', [{ ref: hour, delta: 5 }]);
    await store.extend('b', NOW + 90_000);
    await store.expire('acme', 10);
    const customers = await until('the customer is written down', async () => {
      const keys = (await redis.command('keys', '*')) as string[];
      return keys.includes('tg:customers') && ((await redis.command('pttl', 'tg:customers')) as number) > 0 && keys;
    });
    assert.ok(customers.length >= 10, customers.join(' '));
    for (const key of customers) assert.ok(((await redis.command('pttl', key)) as number) > 0, key);
  });

  it('R13: no decision fails while the server forgets its scripts, and the sums are exact', async (t) => {
    const { direct: store, redis } = await faulty(t);
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 400; i++) {
      calls.push(store.reserve(askOf(`id-${i}`, all)));
      if (i % 20 === 0) calls.push(redis.command('script', 'flush'));
    }
    await Promise.all(calls);
    assert.equal(await usedOf(store, hour), 4000);
  });

  it('R14: a script makes as many commands as it has keys, however much there is', async (t) => {
    const { direct: store, redis } = await faulty(t);
    const commandsOf = async (act: () => Promise<unknown>): Promise<number> => {
      await redis.command('config', 'resetstat');
      await act();
      const stats = String(await redis.command('info', 'commandstats'));
      return [...stats.matchAll(/cmdstat_([a-z|]+):calls=(\d+)/g)]
        .filter(([, name]) => !/^(config|info|evalsha|eval|client)/.test(name!))
        .reduce((sum, [, , calls]) => sum + Number(calls), 0);
    };
    const settled = { mintedAt: NOW, rank: 2, customer: 'acme' };
    const settlements = all.map((ref) => ({ ref, actual: 7 }));
    const counts: number[][] = [];
    for (const open of [0, 1000]) {
      await Promise.all(Array.from({ length: open }, (_, i) => store.reserve(askOf(`many-${i}`, all))));
      // The customer is written down by now, and the scripts are known.
      await store.reserve(askOf(`warm-${open}`, all));
      await store.settle(`warm-${open}`, settled, settlements);
      await new Promise((resolve) => setTimeout(resolve, 50));
      const reserve = await commandsOf(() => store.reserve(askOf(`a-${open}`, all)));
      counts.push([reserve, await commandsOf(() => store.settle(`a-${open}`, settled, settlements))]);
    }
    // MGET; a SET for each of three counters and the reservation; ZADD or ZREM.
    assert.deepEqual(counts, [
      [6, 6],
      [6, 6],
    ]);
  });

  it('R19: a key that is no counter fails its questions, or counts from 0 where Redis shows none; others go on', async (t) => {
    const { direct: store, redis } = await faulty(t);
    await redis.command('set', `tg:{acme}:c:${hour.counter}`, 'much');
    await assert.rejects(
      store.reserve(askOf('a', all)),
      (error) => error instanceof RedisError && error.code === 'fault',
    );
    assert.equal((await store.reserve(askOf('b', [rate, slots]))).outcome, 'admitted');
    await redis.command('del', `tg:{acme}:c:${hour.counter}`);
    await redis.command('lpush', `tg:{acme}:c:${hour.counter}`, 'much');
    assert.equal((await store.reserve(askOf('c', all))).outcome, 'admitted');
    assert.equal(await usedOf(store, hour), 10);
  });

  it('R20: a counter at the end of the numbers refuses, and stays there', async (t) => {
    const { direct: store, redis } = await faulty(t);
    await redis.command('set', `tg:{acme}:c:${hour.counter}`, `${Number.MAX_SAFE_INTEGER}:0`, 'PX', 3_600_000);
    assert.equal((await store.reserve(askOf('a', [hour]))).outcome, 'refused');
    const settled = { mintedAt: NOW, rank: 2, customer: 'acme' };
    await store.settle('b', settled, [{ ref: hour, actual: Number.MAX_SAFE_INTEGER }]);
    assert.equal(await usedOf(store, hour), Number.MAX_SAFE_INTEGER);
    assert.deepEqual(await store.adjust('op', [{ ref: hour, delta: -1 }]), [Number.MAX_SAFE_INTEGER - 1]);
  });

  it('R21: the clock of Redis decides: a process that is 5 s off is told, and asks anew', async (t) => {
    const { redis } = await faulty(t);
    const store = new RedisLimitStore(redis);
    for (const skewMs of [-5000, 5000]) {
      const [seconds] = (await redis.command('time')) as [string];
      const theirs = Number(seconds) * 1000 + skewMs;
      // A window that is open by the process's clock, and not by that of Redis.
      const bounds = { from: theirs - 1000, until: theirs + 1000 };
      const ask = askOf(`skew${skewMs}`, [slots], { mintedAt: theirs, expiresAt: theirs + 60_000, ...bounds });
      const answer = await store.reserve(ask);
      assert.equal(answer.outcome, 'moved');
      assert.ok(Math.abs(answer.now - (theirs - skewMs)) < 4000, 'by the clock of Redis');
      const asked = { ...ask, from: answer.now - 60_000, until: answer.now + 60_000 };
      assert.equal((await store.reserve(asked)).outcome, 'admitted');
    }
  });

  it('a process that dies leaves its reservations to the others, who find its customers', async (t) => {
    const { direct: theirs, redis, port } = await faulty(t);
    await theirs.reserve(askOf('a', all));
    await theirs.reserve(askOf('b', all, { expiresAt: NOW + 120_000 }));
    await until('the customer is written down', async () => (await redis.command('zcard', 'tg:customers')) === 1);
    const ours = new RedisLimitStore(await connectionFor(t, port), { nowMs: () => NOW + 60_000 });
    assert.equal(await ours.extend('b', NOW + 180_000), 'closed', 'of whom it is is not known');
    assert.equal(await ours.extend('b', NOW + 180_000, 'acme'), 'extended');
    const ended = await until('it is swept', async () => {
      const expired = await ours.expire(undefined, 100);
      return expired.length > 0 && expired;
    });
    assert.deepEqual(ended, [
      {
        id: 'a',
        charged: [hour, rate, slots].map(({ counter, kind, amount }) => ({
          counter,
          amount: kind === 'slots' ? 0 : amount,
        })),
      },
    ]);
    assert.deepEqual(await ours.expire(undefined, 100), []);
  });
});
