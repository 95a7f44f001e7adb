/** The limit store over a Redis on loopback, beside the plainest things that the same connection can be asked for. */
import { Redis } from 'ioredis';
import { RedisLimitStore } from '../src/limits/redis-store.ts';
import type { Ask, LimitStore, Settlement, Spend } from '../src/limits/store.ts';
import { RedisConnection } from '../src/redis/connection.ts';
import { linkOptions, type RedisSettings } from '../src/redis/options.ts';
import { startRedis } from '../tools/redis/server.ts';
import { type Bar, type BenchOptions, type Figure, figureOf, percentile } from './report.ts';

const IN_FLIGHT = 32;
const LIMITS = 5;
/** Counters of one limit that calls are spread over, as credentials are. */
const PARTITIONS = 64;
const FAR = 2 ** 42;

/** One thing that is asked again and again. */
interface Act {
  readonly name: string;
  /** Does it once; `i` counts from 0 over all rounds. */
  one(i: number): Promise<unknown>;
  /** CPU of the server's thread a call, µs, of each round. */
  readonly costs: number[];
  /** Calls a second, of each round. */
  readonly rates: number[];
  /** Ms a call at 32 in flight, of each round. */
  readonly p50s: number[];
  readonly p99s: number[];
}

export async function benchRedis({ quick }: BenchOptions): Promise<readonly Figure[]> {
  const server = await startRedis();
  const settings: RedisSettings = {
    topology: { kind: 'single', address: { host: '127.0.0.1', port: server.port } },
    commandTimeoutMs: 5000,
    socketTimeoutMs: 5000,
  };
  const connection = new RedisConnection(settings);
  const plain = new Redis(linkOptions(settings));
  plain.on('error', () => undefined);
  try {
    while (!connection.isReady || plain.status !== 'ready') await new Promise((resolve) => setTimeout(resolve, 5));
    const acts = actsOf(new RedisLimitStore(connection), plain);
    const calls = quick ? 300 : 4000;
    const rounds = quick ? 3 : 15;
    for (let round = 0; round <= rounds; round++) {
      // Every round begins on an empty server, else what is left of the ones before would be measured; the first one warms up.
      await plain.flushall();
      for (const act of acts) await measureRound(act, plain, { calls, from: round * calls, isKept: round > 0 });
    }
    return figuresOf(acts);
  } finally {
    plain.disconnect();
    await connection.close();
    await server.stop();
  }
}

function actOf(name: string, one: Act['one']): Act {
  return { name, one, costs: [], rates: [], p50s: [], p99s: [] };
}

function actsOf(store: LimitStore, plain: Redis): Act[] {
  const settled = { rank: 2, customer: 'acme', mintedAt: 0 };
  return [
    actOf('INCR', (i) => plain.incr(`incr:${i % PARTITIONS}`)),
    actOf(`pipeline of ${LIMITS} INCRBY + PEXPIRE`, (i) => pipelined(plain, i)),
    actOf(`reserve, ${LIMITS} limits`, (i) => admitted(store, askOf(`a${i}`, i, 1))),
    actOf(`reserve, ${LIMITS} limits, two candidates, the second taken`, (i) => admitted(store, askOf(`b${i}`, i, 2))),
    actOf(`settle, ${LIMITS} limits`, async (i) => {
      const { mintedAt, candidates } = askOf(`a${i}`, i, 1);
      const settlements = candidates[0]!.map((ref): Settlement => ({ ref, actual: 700 }));
      const { outcome } = await store.settle(`a${i}`, { ...settled, mintedAt }, settlements);
      if (outcome !== 'changed') throw new Error(`a settlement answered \`${outcome}\``);
    }),
  ];
}

async function pipelined(plain: Redis, i: number): Promise<void> {
  const pipeline = plain.pipeline();
  for (let k = 0; k < LIMITS; k++) {
    const key = `pipeline:${k}:${i % PARTITIONS}`;
    pipeline.incrby(key, 1000);
    pipeline.pexpire(key, 3_600_000);
  }
  await pipeline.exec();
}

async function admitted(store: LimitStore, ask: Ask): Promise<void> {
  const { outcome } = await store.reserve(ask);
  if (outcome !== 'admitted') throw new Error(`a question was answered \`${outcome}\``);
}

/** Customer and team by month and hour, credential by minute, a bucket of tokens, slots: the order of a real decision. */
function spendsOf(i: number, nowMs: number): Spend[] {
  const rest = { observe: false, onExpiry: 'keep' as const, ceiling: FAR };
  const month = nowMs - (nowMs % 2_592_000_000);
  const window = (owner: string, limit: string, partition = ''): Spend => ({
    ...rest,
    counter: `${owner}|${limit}|window,tokens,month,UTC|${partition}|${month}`,
    limit,
    kind: 'window',
    unit: 'tokens',
    amount: 1000,
    end: month + 2_592_000_000,
  });
  const key = `key-${i % PARTITIONS}`;
  return [
    window('acme', 'monthly-tokens'),
    window('acme/search', 'team-tokens'),
    window('acme/search/crawler', 'key-tokens', key),
    {
      ...rest,
      counter: `acme|rate|bucket,tokens,60000,|${key}|`,
      limit: 'rate',
      kind: 'bucket',
      unit: 'tokens',
      amount: 1000,
      n: 100_000,
      p: 3,
    },
    {
      ...rest,
      counter: `acme|in-flight|slots,requests,,|${key}|`,
      limit: 'in-flight',
      kind: 'slots',
      unit: 'requests',
      amount: 1,
    },
  ];
}

/** As many as there are partitions: limits keep the names of their counters, and so does this. */
const candidatesOf = Array.from({ length: PARTITIONS }, (_, i) => {
  const spends = spendsOf(i, Date.now());
  const first = spends.map((spend, k) => (k === 0 ? { ...spend, yields: { spentMax: 0 } } : spend));
  return { 1: [spends], 2: [first, spends] } as const;
});

function askOf(id: string, i: number, candidates: 1 | 2): Ask {
  const nowMs = Date.now();
  return {
    id,
    mintedAt: nowMs,
    expiresAt: nowMs + 660_000,
    customer: 'acme',
    from: 0,
    until: Number.MAX_SAFE_INTEGER,
    candidates: candidatesOf[i % PARTITIONS]![candidates],
  };
}

/** `calls` calls, 32 of them under way at any time. */
async function measureRound(
  act: Act,
  plain: Redis,
  { calls, from, isKept }: { calls: number; from: number; isKept: boolean },
): Promise<void> {
  const latencies: number[] = [];
  let next = 0;
  const cpuBefore = await serverCpu(plain);
  const startMs = performance.now();
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (next < calls) {
        const i = from + next++;
        const atMs = performance.now();
        await act.one(i);
        latencies.push(performance.now() - atMs);
      }
    }),
  );
  const tookMs = performance.now() - startMs;
  if (!isKept) return;
  act.costs.push(((await serverCpu(plain)) - cpuBefore) / calls);
  latencies.sort((a, b) => a - b);
  act.rates.push((calls * 1000) / tookMs);
  act.p50s.push(percentile(latencies, 50));
  act.p99s.push(percentile(latencies, 99));
}

/** CPU of the server's main thread so far, µs. */
async function serverCpu(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const seconds = (mode: string): number =>
    Number(new RegExp(`used_cpu_${mode}_main_thread:([0-9.]+)`).exec(info)?.[1]);
  return (seconds('user') + seconds('sys')) * 1e6;
}

function figuresOf(acts: readonly Act[]): Figure[] {
  const [incr, pipeline, ...ours] = acts;
  const about = `${IN_FLIGHT} in flight`;
  const figures = acts.flatMap(({ name, costs, rates, p50s, p99s }) => [
    figureOf(rates, { name: `${name}, ${about}`, unit: '/s', bar: undefined }),
    figureOf(p50s, { name: `${name}, ${about}, p50 of each round`, unit: 'ms', bar: undefined }),
    figureOf(p99s, { name: `${name}, ${about}, p99 of each round`, unit: 'ms', bar: undefined }),
    figureOf(costs, { name: `${name}, CPU of the server a call`, unit: 'µs', bar: undefined }),
  ]);
  // Of one round: what disturbs the machine then disturbs both.
  const shares = (act: Act, other: Act, bar: Bar | undefined): Figure => {
    const percents = act.rates.map((rate, round) => (rate * 100) / other.rates[round]!);
    return figureOf(percents, { name: `${act.name}: of the rate of ${other.name}`, unit: '%', bar });
  };
  const [one, two, settle] = ours;
  return [
    ...figures,
    shares(one!, pipeline!, { least: 100 }),
    shares(two!, pipeline!, { least: 100 }),
    shares(settle!, pipeline!, { least: 100 }),
    shares(one!, incr!, { least: 20 }),
    shares(two!, incr!, { least: 15 }),
    shares(settle!, incr!, undefined),
  ];
}
