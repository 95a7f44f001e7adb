import { LRUCache } from 'lru-cache';
import { type Clock, systemClock } from '../core/clock.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { keyPart, partText, type RedisKeys } from './redis-keys.ts';

/** Customers of this process that are remembered; what falls out is swept in turn. */
const OWN_MAX = 20_000;
/** How often a customer that goes on is written down again. */
const SEEN_AGAIN_MS = 60_000;
/** A customer that nobody reserved for in so long has nothing open: longer than what is open is kept. */
const FORGOTTEN_MS = 2 * 86_400_000;
/** Sweeps over all in which each known customer has its turn. */
const TURNS = 60;

/**
 * Which customers to sweep: own ones each time, those of all processes in turn. Processes that end leave their reservations
 * to the others: the set in Redis names every customer that anybody reserved for lately.
 */
export class RedisSweep {
  readonly #redis: RedisConnection;
  readonly #keys: RedisKeys;
  /** Own customers, and when they were last written down (monotonic ms). */
  readonly #own = new LRUCache<string, number>({ max: OWN_MAX });
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #cursor = '0';

  constructor(redis: RedisConnection, keys: RedisKeys, clock: Pick<Clock, 'monotonicMs'> = systemClock) {
    this.#clock = clock;
    this.#redis = redis;
    this.#keys = keys;
  }

  /** A reservation of `customer` is being made. Writes it down in the background, once a minute: a loss is made up by the next. */
  seen(customer: string): void {
    const at = this.#clock.monotonicMs();
    const last = this.#own.get(customer);
    if (last !== undefined && at - last < SEEN_AGAIN_MS) return;
    this.#own.set(customer, at);
    const written = this.#writeDown(customer);
    written.catch(() => this.#own.delete(customer));
  }

  /** Customers to sweep now. */
  async next(): Promise<readonly string[]> {
    const customers = new Set(this.#own.keys());
    const size = (await this.#redis.command('zcard', this.#keys.customers)) as number;
    const count = Math.max(10, Math.ceil(size / TURNS));
    const [cursor, pairs] = (await this.#redis.command(
      'zscan',
      this.#keys.customers,
      this.#cursor,
      'COUNT',
      count,
    )) as [string, string[]];
    this.#cursor = cursor;
    for (let i = 0; i < pairs.length; i += 2) customers.add(partText(pairs[i]!));
    return [...customers];
  }

  /** By the server's clock, as all processes share it. */
  async #writeDown(customer: string): Promise<void> {
    const key = this.#keys.customers;
    const [seconds] = (await this.#redis.command('time')) as [string];
    const nowMs = Number(seconds) * 1000;
    await this.#redis.command('zadd', key, 'GT', nowMs, keyPart(customer));
    await this.#redis.command('zremrangebyscore', key, '-inf', nowMs - FORGOTTEN_MS);
    await this.#redis.command('pexpire', key, FORGOTTEN_MS);
  }
}
