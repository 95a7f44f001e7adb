import { LRUCache } from 'lru-cache';
import type { RedisConnection, RedisValue } from '../redis/connection.ts';
import type { Script } from '../redis/script.ts';
import { customerOf } from './counter.ts';
import { assertAdjustment, assertAsk, assertRef, assertSettle } from './faults.ts';
import { ADJUST } from './lua/adjust.ts';
import { RESERVE } from './lua/reserve.ts';
import { SETTLE } from './lua/settle.ts';
import { DUE, EXPIRE, EXTEND } from './lua/sweep.ts';
import { keyPart, nameOf, partText, RedisKeys } from './redis-keys.ts';
import { figuresOf, flagsOf, type Question, questionOf, verdictOf } from './redis-question.ts';
import { RedisSweep } from './redis-sweep.ts';
import type {
  Ask,
  CounterRef,
  Crossing,
  Expired,
  LimitStore,
  ReserveAnswer,
  SettleAnswer,
  Settlement,
} from './store.ts';

export interface RedisLimitStoreOptions {
  /** Begins every key. No braces. Default `tg`. */
  readonly namespace?: string;
  /** How long after it was minted a decision can be settled, ms. Default 1500000 (25 min). Later is `too_late`. */
  readonly settleWithinMs?: number;
  /** For tests: the instant of every script. Default: the server's clock, one for all processes. */
  readonly nowMs?: () => number;
}

/** Decisions of this process whose customer and run are remembered, so that most settlements take one round trip. */
const OWN_MAX = 50_000;
/** Customers that are looked at in one go, so that neither they nor others wait long for Redis. */
const SWEEP_BATCH = 32;
/** Times that a script may ask for keys: once for what a reservation remembers, once for a total's run, once for a race. */
const TRIES_MAX = 4;

const ADMITTED = 0;
const REFUSED = 1;
const KNOWN = 2;
const MOVED = 3;
const MORE_KEYS = 4;
const TOO_LATE = 5;
const OUTCOMES = ['same', 'superseded', 'conflict', 'changed'] as const;

/** What is remembered of an own decision. */
interface Own {
  readonly customer: string;
  /** Name of its run's key. */
  readonly run: string | undefined;
}

type Change = { readonly ref: CounterRef } & ({ readonly delta: number } | { readonly reset: true });

/**
 * The limit store of many processes on one Redis (6.2 or later). Every verb is one script, and so is atomic; its promise rejects with a
 * RedisError where Redis does not answer: after `timeout` and `cut` it may have been done, and asking again with the same id is
 * harmless. Verbs throw a TypeError, before anything is sent, where the caller breaks the port's terms.
 */
export class RedisLimitStore implements LimitStore {
  readonly #redis: RedisConnection;
  readonly #keys: RedisKeys;
  readonly #settleWithinMs: number;
  readonly #nowMs: (() => number) | undefined;
  readonly #own = new LRUCache<string, Own>({ max: OWN_MAX });
  readonly #sweep: RedisSweep;

  constructor(redis: RedisConnection, options: RedisLimitStoreOptions = {}) {
    this.#redis = redis;
    this.#keys = new RedisKeys(options.namespace ?? 'tg');
    this.#settleWithinMs = options.settleWithinMs ?? 25 * 60_000;
    this.#nowMs = options.nowMs;
    this.#sweep = new RedisSweep(redis, this.#keys);
  }

  async reserve(ask: Ask, options?: { readonly dry?: boolean; readonly force?: number }): Promise<ReserveAnswer> {
    const isDry = options?.dry === true;
    const force = options?.force;
    assertAsk(ask, { isDry, force });
    const prefix = this.#keys.prefix(ask.customer);
    if (!isDry) {
      this.#remember(ask);
      this.#sweep.seen(ask.customer);
    }
    let question: Question | undefined;
    const reply = await this.#run(RESERVE, (more) => {
      question = questionOf(ask, { prefix, isDry, force, more });
      return question;
    });
    return this.#reserved(ask, reply, { byCounter: question!.byCounter, isDry, force });
  }

  async settle(
    id: string,
    { mintedAt, rank, customer }: { readonly mintedAt: number; readonly rank: number; readonly customer: string },
    settlements: readonly Settlement[],
  ): Promise<SettleAnswer> {
    assertSettle(rank, settlements);
    const prefix = this.#keys.prefix(customer);
    const part = keyPart(id);
    const own = this.#own.get(id);
    const names = settlements.map(({ ref }) => nameOf.counter(ref.counter));
    const args: RedisValue[] = [part, mintedAt, rank, settlements.length];
    for (const { ref, actual } of settlements) {
      const [a, b] = figuresOf(ref);
      args.push(actual === 'unmeasured' ? 'u' : actual, `${flagsOf(ref)} ${a} ${b}`);
    }
    let keys: readonly string[] = [];
    const reply = await this.#run(SETTLE, (more) => {
      const run = own?.run === undefined || more.includes(own.run) ? [] : [own.run];
      keys = keysOf(prefix, `h:${part}`, [...names, ...run, ...more]);
      return { keys, args };
    });
    const [code, now] = reply as [number, number];
    if (code === TOO_LATE) return { outcome: 'too_late', now, charged: [], crossed: [] };
    const [, , charged, crossed] = reply as [number, number, number[], (number | string)[]];
    const counterAt = (place: number): string => partText(keys[place - 1]!.slice(prefix.length + 2));
    return {
      outcome: OUTCOMES[code]!,
      now,
      charged: chargedOf(charged, counterAt),
      crossed: crossedOf(crossed, counterAt),
    };
  }

  /** Of a decision of another process only where its `customer` is given. */
  async extend(id: string, expiresAt: number, customer?: string): Promise<'extended' | 'closed'> {
    const of = customer ?? this.#own.get(id)?.customer;
    if (of === undefined) return 'closed';
    const part = keyPart(id);
    const keys = keysOf(this.#keys.prefix(of), `h:${part}`, []);
    const reply = await this.#redis.run(EXTEND, keys, [...this.#clock(), part, expiresAt]);
    return reply === 1 ? 'extended' : 'closed';
  }

  /**
   * Of anybody: of the customers that this process reserved for, each time, and in slices of all that any process did: all of
   * them within a minute where it is called each second.
   */
  async expire(customer: string | undefined, max: number): Promise<readonly Expired[]> {
    const customers = customer === undefined ? await this.#sweep.next() : [customer];
    const expired: Expired[] = [];
    for (let from = 0; from < customers.length && expired.length < max; from += SWEEP_BATCH) {
      const prefixes = customers.slice(from, from + SWEEP_BATCH).map((one) => this.#keys.prefix(one));
      const due = await Promise.all(prefixes.map((prefix) => this.#due(prefix, max)));
      const ends = due.flatMap((parts, i) => parts.map((part) => ({ prefix: prefixes[i]!, part })));
      const ended = await Promise.all(ends.slice(0, max - expired.length).map((end) => this.#end(end)));
      for (const one of ended) if (one !== undefined) expired.push(one);
    }
    return expired;
  }

  /** Once per `op` and customer; changes of several customers are made one customer after the other. */
  async adjust(op: string, changes: readonly Change[]): Promise<readonly number[]> {
    const places = new Map<string, number[]>();
    for (const [i, change] of changes.entries()) {
      assertRef(change.ref);
      assertAdjustment(change);
      const customer = customerOf(change.ref.counter);
      const its = places.get(customer);
      if (its === undefined) places.set(customer, [i]);
      else its.push(i);
    }
    const used: number[] = new Array(changes.length).fill(0);
    for (const [customer, its] of places) {
      const answers = await this.#adjustOf(
        customer,
        op,
        its.map((i) => changes[i]!),
      );
      for (const [k, i] of its.entries()) used[i] = answers[k]!;
    }
    return used;
  }

  async #adjustOf(customer: string, op: string, changes: readonly Change[]): Promise<readonly number[]> {
    const prefix = this.#keys.prefix(customer);
    const part = keyPart(op);
    const args: RedisValue[] = [part, changes.length];
    for (const change of changes) {
      const [a, b] = figuresOf(change.ref);
      args.push(flagsOf(change.ref).charAt(0), 'delta' in change ? change.delta : 'r', a, b);
    }
    const names = changes.map(({ ref }) => nameOf.counter(ref.counter));
    const reply = await this.#run(ADJUST, (more) => ({ keys: keysOf(prefix, `a:${part}`, [...names, ...more]), args }));
    return reply[2] as number[];
  }

  /** Ids of what is overdue, as parts of keys, soonest first. */
  async #due(prefix: string, max: number): Promise<readonly string[]> {
    if (max <= 0) return [];
    return (await this.#redis.run(DUE, [`${prefix}${nameOf.open}`], [...this.#clock(), max])) as string[];
  }

  async #end({ prefix, part }: { prefix: string; part: string }): Promise<Expired | undefined> {
    let keys: readonly string[] = [];
    const reply = await this.#run(EXPIRE, (more) => {
      keys = keysOf(prefix, `h:${part}`, more);
      return { keys, args: [part] };
    });
    if (reply[0] === 0) return undefined;
    const counterAt = (place: number): string => partText(keys[place - 1]!.slice(prefix.length + 2));
    return { id: partText(part), charged: chargedOf(reply[2] as number[], counterAt) };
  }

  /** Runs a script until it has all the keys it needs; they can change between two tries. */
  async #run(
    script: Script,
    callOf: (more: readonly string[]) => { readonly keys: readonly string[]; readonly args: readonly RedisValue[] },
  ): Promise<readonly unknown[]> {
    const more = new Set<string>();
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const { keys, args } = callOf([...more]);
      const reply = (await this.#redis.run(script, keys, [...this.#clock(), ...args])) as unknown[];
      if (reply[0] !== MORE_KEYS) return reply;
      for (const name of reply.slice(2)) more.add(name as string);
    }
    throw new Error(`script \`${script.name}\` asked for keys ${TRIES_MAX} times`);
  }

  #clock(): readonly RedisValue[] {
    return [this.#nowMs === undefined ? '' : this.#nowMs(), this.#settleWithinMs];
  }

  #remember({ id, customer, run }: Ask): void {
    this.#own.set(id, { customer, run: run === undefined ? undefined : nameOf.run(run.marker) });
  }

  #reserved(
    ask: Ask,
    reply: readonly unknown[],
    { byCounter, isDry, force }: { byCounter: Question['byCounter']; isDry: boolean; force: number | undefined },
  ): ReserveAnswer {
    const [code, now, said, overdue, run] = reply as number[];
    if (code === KNOWN) return { outcome: 'known', now: now!, candidate: said === -1 ? undefined : said! };
    if (code === MOVED) return { outcome: 'moved', now: now! };
    const found = { nowMs: now!, isRunning: run === 1, values: reply.slice(5) as (string | null)[] };
    const verdict = verdictOf(ask, found, { byCounter, settleWithinMs: this.#settleWithinMs, force });
    const { admitted, candidate, states, blocked, waitMs, over } = verdict;
    if (!isDry && (candidate !== said || admitted !== (code === ADMITTED))) {
      throw new Error(
        `script \`reserve\` answered ${code} for candidate ${said}, its counters ${admitted} for ${candidate}`,
      );
    }
    if (admitted) return { outcome: 'admitted', now: now!, candidate, states, over };
    return { outcome: 'refused', now: now!, candidate, states, blocked, waitMs, overdue: overdue === REFUSED };
  }
}

function keysOf(prefix: string, first: string, names: readonly string[]): string[] {
  return [prefix + first, ...names.map((name) => prefix + name), `${prefix}${nameOf.open}`];
}

/** Pairs of place and amount. */
function chargedOf(pairs: readonly number[], counterAt: (place: number) => string): Expired['charged'] {
  const charged: { counter: string; amount: number }[] = [];
  for (let i = 0; i < pairs.length; i += 2) charged.push({ counter: counterAt(pairs[i]!), amount: pairs[i + 1]! });
  return charged;
}

/** Fours of place, threshold, spent, limit. */
function crossedOf(fours: readonly (number | string)[], counterAt: (place: number) => string): Crossing[] {
  const crossed: Crossing[] = [];
  for (let i = 0; i < fours.length; i += 4) {
    const [place, threshold, spent, limit] = fours.slice(i, i + 4) as [number, number, number, string];
    crossed.push({ counter: counterAt(place), limit: partText(limit), threshold, spent });
  }
  return crossed;
}
