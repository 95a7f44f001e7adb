/** Random histories of a small world: a few limits, decisions and runs, so that they meet often. */
import fc from 'fast-check';
import type { Ask, CounterRef, LimitStore, ReserveAnswer, Spend } from '../../src/limits/store.ts';

export const T0 = Date.parse('2026-03-01T00:00:00Z');
export const SETTLE_WITHIN_MS = 120_000;
const RUN_IDLE_MS = 3000;

/** The limits of the world; totals have a counter per run. */
export const LIMITS = {
  hour: { kind: 'window', unit: 'tokens', ceiling: 100, onExpiry: 'keep', end: T0 + 3_600_000, warn: [40, 80] },
  day: { kind: 'window', unit: 'charge', ceiling: 150, onExpiry: 'release', end: T0 + 7_200_000 },
  rate: { kind: 'bucket', unit: 'tokens', ceiling: 60, onExpiry: 'keep', n: 3, p: 700, warn: [30] },
  gift: { kind: 'bucket', unit: 'tokens', ceiling: 70, onExpiry: 'release', n: 1, p: 90 },
  burst: { kind: 'bucket', unit: 'requests', ceiling: 9, onExpiry: 'release', n: 1, p: 400 },
  slots: { kind: 'slots', unit: 'requests', ceiling: 20, onExpiry: 'release' },
  total: { kind: 'total', unit: 'charge', ceiling: 60, onExpiry: 'keep' },
  runs: { kind: 'window', unit: 'runs', ceiling: 3, onExpiry: 'keep', end: T0 + 3_600_000, once: true },
} as const satisfies Record<string, Omit<Spend, 'counter' | 'limit' | 'amount' | 'observe'>>;
export type LimitName = keyof typeof LIMITS;
export const LIMIT_NAMES = Object.keys(LIMITS) as LimitName[];
const RUNS = ['r', 's'] as const;

export interface SpendOp {
  readonly limit: LimitName;
  readonly amount: number;
  readonly observe: boolean;
  readonly yieldsAt: number | undefined;
}

export type Op =
  | { readonly op: 'wait'; readonly ms: number }
  | {
      readonly op: 'reserve';
      readonly id: number;
      readonly candidates: readonly (readonly SpendOp[])[];
      readonly run: (typeof RUNS)[number] | undefined;
      readonly mode: 'ask' | 'dry' | 'force' | 'early';
    }
  | {
      readonly op: 'settle';
      readonly id: number;
      readonly rank: number;
      readonly amounts: readonly { readonly limit: LimitName; readonly actual: number | 'unmeasured' }[];
    }
  | { readonly op: 'expire'; readonly customer: 'acme' | undefined; readonly max: number }
  | { readonly op: 'extend'; readonly id: number; readonly ms: number }
  | { readonly op: 'adjust'; readonly name: number; readonly limit: LimitName; readonly delta: number | 'reset' };

const DECISIONS = 12;
const aLimit = fc.constantFrom(...LIMIT_NAMES);
const anId = fc.nat(DECISIONS - 1);

function aSpend(limit: LimitName): fc.Arbitrary<SpendOp> {
  const isSmall = limit === 'burst' || limit === 'slots' || limit === 'runs';
  return fc.record({
    limit: fc.constant(limit),
    amount: isSmall ? fc.constant(1) : fc.integer({ min: 1, max: 45 }),
    observe: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    yieldsAt: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined, freq: 3 }),
  });
}

const aCandidate = fc
  .uniqueArray(aLimit, { minLength: 1, maxLength: 5 })
  .chain((limits) => fc.tuple(...limits.map(aSpend)));

const aReserve = fc.record({
  op: fc.constant('reserve' as const),
  id: anId,
  candidates: fc.array(aCandidate, { minLength: 1, maxLength: 3 }),
  run: fc.option(fc.constantFrom(...RUNS), { nil: undefined }),
  mode: fc.oneof(
    { weight: 12, arbitrary: fc.constant('ask' as const) },
    { weight: 1, arbitrary: fc.constantFrom('dry' as const, 'force' as const, 'early' as const) },
  ),
});

const aSettle = fc.record({
  op: fc.constant('settle' as const),
  id: anId,
  rank: fc.integer({ min: 0, max: 4 }),
  amounts: fc.uniqueArray(
    fc.record({
      limit: aLimit,
      actual: fc.oneof(
        { weight: 5, arbitrary: fc.nat(45) },
        { weight: 1, arbitrary: fc.constant('unmeasured' as const) },
      ),
    }),
    { selector: ({ limit }) => limit, maxLength: 6 },
  ),
});

const aWait = fc.record({
  op: fc.constant('wait' as const),
  ms: fc.oneof({ weight: 5, arbitrary: fc.nat(400) }, { weight: 1, arbitrary: fc.nat(6000) }),
});

const anExpire = fc.record({
  op: fc.constant('expire' as const),
  customer: fc.constantFrom('acme' as const, undefined),
  max: fc.constantFrom(1, 100),
});

const anExtend = fc.record({ op: fc.constant('extend' as const), id: anId, ms: fc.nat(9000) });

const anAdjust = fc.record({
  op: fc.constant('adjust' as const),
  name: fc.nat(5),
  limit: fc.constantFrom(...LIMIT_NAMES.filter((name) => name !== 'total' && name !== 'slots')),
  delta: fc.oneof(fc.integer({ min: -40, max: 40 }), fc.constant('reset' as const)),
});

/** A history; with `adjusted` operators take part. */
export function aHistory({ opsMax, adjusted }: { opsMax: number; adjusted: boolean }): fc.Arbitrary<Op[]> {
  const ops = [
    { weight: 10, arbitrary: aReserve },
    { weight: 7, arbitrary: aSettle },
    { weight: 5, arbitrary: aWait },
    { weight: 2, arbitrary: anExpire },
    { weight: 1, arbitrary: anExtend },
    ...(adjusted ? [{ weight: 1, arbitrary: anAdjust }] : []),
  ];
  return fc.array(fc.oneof(...ops), { minLength: 4, maxLength: opsMax, size: 'max' }) as fc.Arbitrary<Op[]>;
}

export function counterOf(limit: LimitName, run: string | undefined): string {
  const { kind, unit } = LIMITS[limit];
  return `acme|${limit}|${kind},${unit},,|${limit === 'total' ? (run ?? '') : ''}|`;
}

export function spendOfOp({ limit, amount, observe, yieldsAt }: SpendOp, run: string | undefined): Spend {
  const base = LIMITS[limit];
  const spend = { ...base, counter: counterOf(limit, run), limit, amount, observe };
  return yieldsAt === undefined
    ? spend
    : { ...spend, yields: { spentMax: Math.floor((base.ceiling * yieldsAt) / 100) } };
}

/** What a history needs to be played: who was minted when, and in which run. */
export class Player {
  now = T0;
  readonly store: LimitStore;
  readonly #facts = new Map<number, { mintedAt: number; run: string | undefined }>();

  constructor(makeStore: (nowMs: () => number) => LimitStore) {
    this.store = makeStore(() => this.now);
  }

  /** When a decision was minted, and its run: fixed when it is named first. */
  factsOf(id: number, run: string | undefined): { mintedAt: number; run: string | undefined } {
    let facts = this.#facts.get(id);
    if (facts === undefined) {
      facts = { mintedAt: this.now, run };
      this.#facts.set(id, facts);
    }
    return facts;
  }

  askOf(op: Extract<Op, { op: 'reserve' }>): Ask {
    const { mintedAt, run } = this.factsOf(op.id, op.run);
    // Totals and `runs` are asked only in a run.
    const isAsked = ({ limit }: SpendOp) => run !== undefined || (limit !== 'total' && limit !== 'runs');
    return {
      id: String(op.id),
      mintedAt,
      expiresAt: mintedAt + 4000 + 500 * (op.id % 3),
      customer: 'acme',
      from: op.mode === 'early' ? this.now + 1 : 0,
      until: Number.MAX_SAFE_INTEGER,
      candidates: op.candidates.map((spends) => spends.filter(isAsked).map((spend) => spendOfOp(spend, run))),
      ...(run === undefined ? {} : { run: { marker: run, idleMs: RUN_IDLE_MS } }),
    };
  }

  settlementsOf(op: Extract<Op, { op: 'settle' }>): { ref: CounterRef; actual: number | 'unmeasured' }[] {
    const { run } = this.factsOf(op.id, undefined);
    return op.amounts
      .filter(({ limit }) => run !== undefined || limit !== 'total')
      .map(({ limit, actual }) => ({ ref: { ...LIMITS[limit], counter: counterOf(limit, run) }, actual }));
  }

  /** Plays one op; answers what the store said, `undefined` for a wait. */
  play(op: Op): unknown {
    switch (op.op) {
      case 'wait':
        this.now += op.ms;
        return undefined;
      case 'reserve':
        return this.store.reserve(this.askOf(op), {
          ...(op.mode === 'dry' ? { dry: true } : {}),
          ...(op.mode === 'force' ? { force: op.candidates.length - 1 } : {}),
        });
      case 'settle': {
        const settlements = this.settlementsOf(op);
        const { mintedAt } = this.factsOf(op.id, undefined);
        return this.store.settle(String(op.id), { mintedAt, rank: op.rank, customer: 'acme' }, settlements);
      }
      case 'expire':
        return this.store.expire(op.customer, op.max);
      case 'extend':
        return this.store.extend(String(op.id), this.now + op.ms, 'acme');
      case 'adjust': {
        const ref = { ...LIMITS[op.limit], counter: counterOf(op.limit, undefined) };
        return this.store.adjust(String(op.name), [
          op.delta === 'reset' ? { ref, reset: true } : { ref, delta: op.delta },
        ]);
      }
    }
  }

  /** Every counter as a dry question for 0 sees it: `name used/spent`. */
  look(): string[] {
    return this.#looks().flatMap(({ ask, show }) => {
      const answer = this.store.reserve(ask, { dry: true });
      if (answer instanceof Promise) throw new Error('a store that answers late is looked at by `lookLate`');
      return show(answer);
    });
  }

  /** The same of a store that answers with promises. */
  async lookLate(): Promise<string[]> {
    const shown = this.#looks().map(async ({ ask, show }) => show(await this.store.reserve(ask, { dry: true })));
    return (await Promise.all(shown)).flat();
  }

  /** A total is looked at in its own run: the store ends a run when it is asked in it. */
  #looks(): { readonly ask: Ask; readonly show: (answer: ReserveAnswer) => string[] }[] {
    const named = (limits: readonly LimitName[], run: string | undefined) => {
      const spends = limits.map((limit): Spend => {
        return { ...spendOfOp({ limit, amount: 0, observe: true, yieldsAt: undefined }, run), once: false };
      });
      const ask: Ask = {
        id: 'look',
        mintedAt: this.now,
        expiresAt: this.now,
        customer: 'acme',
        from: 0,
        until: Number.MAX_SAFE_INTEGER,
        candidates: [spends],
        ...(run === undefined ? {} : { run: { marker: run, idleMs: RUN_IDLE_MS } }),
      };
      const show = (answer: ReserveAnswer): string[] => {
        if (answer.outcome !== 'admitted') throw new Error('a dry look was not answered');
        return answer.states[0]!.map((state, i) => `${spends[i]!.counter} ${state!.used}/${state!.spent}`);
      };
      return { ask, show };
    };
    const at = LIMIT_NAMES.indexOf('total');
    return [
      named(LIMIT_NAMES.slice(0, at), undefined),
      ...RUNS.map((run) => named(['total'], run)),
      named(LIMIT_NAMES.slice(at + 1), undefined),
    ];
  }
}
