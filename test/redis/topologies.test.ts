/** The limit store over a Redis behind Sentinels that fails over, and over a cluster of three nodes. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { RedisLimitStore } from '../../src/limits/redis-store.ts';
import type { Ask, ReserveAnswer, Spend } from '../../src/limits/store.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { RedisError } from '../../src/redis/error.ts';
import type { RedisTopology } from '../../src/redis/options.ts';
import { type RedisServer, startRedis } from '../../tools/redis/server.ts';
import { connectionFor, needRedis, redisFor } from '../support/redis.ts';
import { until } from '../support/until.ts';

const HOST = '127.0.0.1';

function askOf(customer: string, id: string): Ask {
  const now = Date.parse('2026-03-01T00:00:00Z');
  const spend: Spend = {
    counter: `${customer}|hour|window,tokens,3600000,||0`,
    limit: 'hour',
    kind: 'window',
    unit: 'tokens',
    amount: 10,
    ceiling: 100_000,
    end: now + 3_600_000,
    onExpiry: 'keep',
    observe: false,
  };
  return {
    id,
    mintedAt: now,
    expiresAt: now + 60_000,
    customer,
    from: 0,
    until: Number.MAX_SAFE_INTEGER,
    candidates: [[spend]],
  };
}

function storeOn(connection: RedisConnection): RedisLimitStore {
  return new RedisLimitStore(connection, { nowMs: () => Date.parse('2026-03-01T00:00:00Z') });
}

/** Asks until it is answered; what fails on the way is an error of a known kind. */
function asked(store: RedisLimitStore, ask: Ask, seen: Set<string> = new Set()): Promise<ReserveAnswer> {
  return until(
    'an answer',
    async () => {
      try {
        return await store.reserve(ask);
      } catch (error) {
        assert.ok(error instanceof RedisError, String(error));
        seen.add(error.code);
        return undefined;
      }
    },
    { withinMs: 20_000, everyMs: 20 },
  );
}

async function usedOf(store: RedisLimitStore, customer: string): Promise<number> {
  const ask = askOf(customer, 'look');
  const look = ask.candidates[0]!.map((spend) => ({ ...spend, amount: 0 }));
  const answer = await store.reserve({ ...ask, candidates: [look] }, { dry: true });
  assert.equal(answer.outcome, 'admitted');
  return answer.states[0]![0]!.used;
}

describe('a redis behind Sentinels', needRedis(), () => {
  it('R8, R9: after a failover the new primary is found; what it had counted stays, and each question counts once', async (t) => {
    const primary = await redisFor(t);
    const replica = await redisFor(t, '--replicaof', `${HOST} ${primary.port}`);
    const sentinels: RedisServer[] = [];
    for (let i = 0; i < 3; i++) sentinels.push(await sentinelFor(t, primary.port));
    const topology: RedisTopology = {
      kind: 'sentinel',
      group: 'main',
      sentinels: sentinels.map(({ port }) => ({ host: HOST, port })),
    };
    await until('the Sentinels know each other and the replica', () => isWatched(t, sentinels[0]!.port), {
      withinMs: 20_000,
    });
    const store = storeOn(await connectionFor(t, 0, { topology, socketTimeoutMs: 500, commandTimeoutMs: 500 }));
    for (let i = 0; i < 20; i++) await store.reserve(askOf('acme', `before-${i}`));
    const direct = await connectionFor(t, replica.port);
    await until('the replica has all', async () => (await usedOf(storeOn(direct), 'acme')) === 200);
    await primary.stop('SIGKILL');
    const codes = new Set<string>();
    for (let i = 0; i < 20; i++)
      assert.notEqual((await asked(store, askOf('acme', `after-${i}`), codes)).outcome, 'refused');
    assert.equal(await usedOf(store, 'acme'), 400);
    assert.ok(codes.size > 0, 'there was a gap, and it was told');
    assert.equal(codes.has('readonly'), false, [...codes].join());
  });
});

async function sentinelServer(t: TestContext): Promise<RedisServer> {
  const server = await startRedis({ isSentinel: true });
  t.after(() => server.stop('SIGKILL'));
  return server;
}

async function sentinelFor(t: TestContext, port: number): Promise<RedisServer> {
  const server = await sentinelServer(t);
  const link = await connectionFor(t, server.port);
  await link.command('sentinel', 'monitor', 'main', HOST, port, 2);
  for (const [name, value] of [
    ['down-after-milliseconds', 500],
    ['failover-timeout', 3000],
  ] as const) {
    await link.command('sentinel', 'set', 'main', name, value);
  }
  await link.close();
  return server;
}

async function isWatched(t: TestContext, port: number): Promise<boolean> {
  const link = await connectionFor(t, port);
  const flat = (await link.command('sentinel', 'master', 'main')) as string[];
  await link.close();
  const of = (name: string): string | undefined => flat[flat.indexOf(name) + 1];
  return of('num-other-sentinels') === '2' && of('num-slaves') === '1';
}

describe('a redis cluster', needRedis(), () => {
  it('R15, R16, R18: questions find their nodes, follow slots that move, and fail only where a node is gone', async (t) => {
    const nodes = await clusterFor(t);
    const topology: RedisTopology = {
      kind: 'cluster',
      nodes: nodes.map(({ server }) => ({ host: HOST, port: server.port })),
    };
    const connection = await connectionFor(t, 0, { topology, connectTimeoutMs: 500, commandTimeoutMs: 500 });
    const store = storeOn(connection);
    const customers = Array.from({ length: 30 }, (_, i) => `customer-${i}`);
    for (const customer of customers) {
      const settled = { mintedAt: askOf(customer, 'a').mintedAt, rank: 2, customer };
      assert.equal((await store.reserve(askOf(customer, 'a'))).outcome, 'admitted');
      const ref = askOf(customer, 'a').candidates[0]![0]!;
      assert.equal((await store.settle('a', settled, [{ ref, actual: 4 }])).outcome, 'changed');
    }

    // R15: a slot without keys moves to the next node; whoever asks the old one is sent on.
    const slotOf = async (customer: string): Promise<number> => {
      return (await nodes[0]!.link.command('cluster', 'keyslot', `tg:{${customer}}:o`)) as number;
    };
    const slot = await slotOf('moving');
    const owner = Math.min(2, Math.floor(slot / 5462));
    const next = nodes[(owner + 1) % 3]!;
    for (const { link } of nodes) await link.command('cluster', 'setslot', slot, 'node', next.id);
    assert.equal((await asked(store, askOf('moving', 'a'))).outcome, 'admitted');
    assert.equal(await usedOf(store, 'moving'), 10);

    // R18: one node is gone; the customers of the others notice nothing.
    const gone = nodes[2]!;
    const owners = await Promise.all(customers.map(async (one) => Math.min(2, Math.floor((await slotOf(one)) / 5462))));
    await gone.server.stop('SIGKILL');
    for (const [i, customer] of customers.entries()) {
      if (owners[i] === 2) continue;
      assert.equal((await store.reserve(askOf(customer, 'b'))).outcome, 'admitted', customer);
    }
    const lost = customers[owners.indexOf(2)]!;
    await assert.rejects(store.reserve(askOf(lost, 'b')), RedisError);
  });
});

interface Node {
  readonly server: RedisServer;
  readonly link: RedisConnection;
  readonly id: string;
}

/** Three primaries, each with a third of the slots. */
async function clusterFor(t: TestContext): Promise<Node[]> {
  const args = ['--cluster-enabled', 'yes', '--cluster-require-full-coverage', 'no', '--cluster-node-timeout', '2000'];
  const nodes: Node[] = [];
  for (let i = 0; i < 3; i++) {
    const server = await startRedis({ args });
    t.after(() => server.stop('SIGKILL'));
    const link = await connectionFor(t, server.port);
    nodes.push({ server, link, id: (await link.command('cluster', 'myid')) as string });
    const last = i === 2 ? 16_383 : 5462 * (i + 1) - 1;
    await link.command('cluster', 'addslotsrange', 5462 * i, last);
    await link.command('cluster', 'set-config-epoch', i + 1);
    if (i > 0) await link.command('cluster', 'meet', HOST, nodes[0]!.server.port);
  }
  for (const { link } of nodes) {
    await until('the cluster stands', async () => {
      const info = String(await link.command('cluster', 'info'));
      return /cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info) && /cluster_slots_ok:16384/.test(info);
    });
  }
  return nodes;
}
