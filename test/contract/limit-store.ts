/**
 * The contract of the limit store: stories in numbered rows (now, act, answer, counters after), run over any store.
 * Counters are shown as `name used/spent`; they are read by dry questions for 0, so every row also proves those.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Awaitable, Unit } from '../../src/core/units.ts';
import type {
  Ask,
  LimitStore,
  ReserveAnswer,
  SettleAnswer,
  Settlement,
  Spend,
  SpendKind,
} from '../../src/limits/store.ts';

export interface ContractOptions {
  readonly settleWithinMs: number;
  readonly countersMax: number;
  readonly closedMax: number;
}

/** A store on a clock that the suite moves. */
export interface ContractStore {
  readonly store: LimitStore;
  setNow(nowMs: number): void;
  close?(): Promise<void>;
}

export type OpenStore = (options: ContractOptions) => Awaitable<ContractStore>;

/** Epoch ms of 0 in the rows. */
export const T0 = Date.parse('2026-03-01T00:00:00Z');
const SETTLE_WITHIN_MS = 25 * 60_000;

/** A limit of a story: makes spends of one counter. */
interface Line {
  (amount: number, extra?: Partial<Spend>): Spend;
  readonly limit: string;
}

function line(limit: string, kind: SpendKind, rest: { unit: Unit; ceiling: number } & Partial<Spend>): Line {
  const base = {
    counter: `acme|${limit}|${kind},${rest.unit},,||`,
    kind,
    limit,
    onExpiry: 'keep' as const,
    observe: false,
  };
  return Object.assign((amount: number, extra?: Partial<Spend>): Spend => ({ ...base, ...rest, amount, ...extra }), {
    limit,
  });
}

/** 20 requests per second, burst 2. */
const burst = line('burst', 'bucket', { unit: 'requests', ceiling: 2, n: 1, p: 50 });
/** 60 tokens per minute, burst 100: one per second. */
const rate = line('rate', 'bucket', { unit: 'tokens', ceiling: 100, n: 1, p: 1000 });
/** 1000 tokens, in a window that ends an hour from 0. */
const hour = line('hour', 'window', { unit: 'tokens', ceiling: 1000, end: T0 + 3_600_000 });
const team = line('team', 'window', { unit: 'charge', ceiling: 100, end: T0 + 7_200_000 });
const mini = line('mini', 'window', { unit: 'tokens', ceiling: 50, end: T0 + 3_600_000 });
const slots = line('slots', 'slots', { unit: 'requests', ceiling: 2 });
const total = line('total', 'total', { unit: 'charge', ceiling: 10 });
const runs = line('runs', 'window', { unit: 'runs', ceiling: 2, end: T0 + 3_600_000, once: true });

type Act = (context: ContractStore, nowMs: number) => Awaitable<string>;
type Row = readonly [now: number, act: Act, answer: string, after: string];
interface Story {
  readonly name: string;
  readonly lines: readonly Line[];
  readonly options?: Partial<ContractOptions>;
  readonly rows: readonly Row[];
}

type AskExtra = Partial<Ask> & { readonly dry?: boolean; readonly force?: number };

/** A question of one candidate or several; minted now, expires 10 s later. */
function asks(id: string, candidates: readonly (readonly Spend[])[], { dry, force, ...extra }: AskExtra = {}): Act {
  return async ({ store }, now) => {
    const ask: Ask = {
      id,
      mintedAt: now,
      expiresAt: now + 10_000,
      customer: 'acme',
      from: 0,
      until: Number.MAX_SAFE_INTEGER,
      candidates,
      ...extra,
    };
    const answer = await store.reserve(ask, {
      ...(dry === undefined ? {} : { dry }),
      ...(force === undefined ? {} : { force }),
    });
    assert.equal(answer.now, now);
    return showReserve(ask, answer);
  };
}

function ask(id: string, ...spends: Spend[]): Act {
  return asks(id, [spends]);
}

function showReserve(ask: Ask, answer: ReserveAnswer): string {
  switch (answer.outcome) {
    case 'admitted': {
      const over = answer.over.map((i) => ask.candidates[answer.candidate]![i]!.limit);
      return `admitted ${answer.candidate}${over.length === 0 ? '' : ` over ${over.join(',')}`}`;
    }
    case 'refused': {
      const states = answer.states[answer.candidate]!;
      const blocked = answer.blocked.map((i) => {
        return `${ask.candidates[answer.candidate]![i]!.limit}:${states[i]!.waitMs}`;
      });
      const overdue = answer.overdue ? ' overdue' : '';
      return `refused ${answer.candidate} by ${blocked.join(',')} wait ${answer.waitMs}${overdue}`;
    }
    case 'known':
      return `known ${answer.candidate}`;
    default:
      return answer.outcome;
  }
}

type Amounts = readonly (readonly [spend: Line, actual: number | 'unmeasured'])[];

/** A settlement; `mintedAt` counts from T0. */
function settle(id: string, rank: number, amounts: Amounts, mintedAt = 0): Act {
  return async ({ store }) => {
    const settlements = amounts.map(([spend, actual]): Settlement => ({ ref: spend(1), actual }));
    const answer = await store.settle(id, { mintedAt: T0 + mintedAt, rank, customer: 'acme' }, settlements);
    return showSettle(answer);
  };
}

function showSettle({ outcome, crossed }: SettleAnswer): string {
  return [outcome, ...crossed.map(({ limit, threshold }) => `${limit}>${threshold}`)].join(' ');
}

function expire(customer: string | undefined, max = 100): Act {
  return async ({ store }) => {
    const expired = await store.expire(customer, max);
    return expired.map(({ id, charged }) => `${id}:${charged.map(({ amount }) => amount).join('+')}`).join(' ');
  };
}

function extend(id: string, expiresAt: number): Act {
  return ({ store }) => store.extend(id, T0 + expiresAt);
}

function adjust(op: string, spend: Line, change: number | 'reset'): Act {
  return async ({ store }) => {
    const ref = spend(1);
    return String(await store.adjust(op, [change === 'reset' ? { ref, reset: true } : { ref, delta: change }]));
  };
}

const look: Act = () => '';

const stories: readonly Story[] = [
  {
    name: 'a bucket of requests: burst, drain, wait exactly as told',
    lines: [burst],
    rows: [
      /* 1 */ [0, ask('a', burst(1)), 'admitted 0', 'burst 1/1'],
      /* 2 */ [0, ask('b', burst(1)), 'admitted 0', 'burst 2/2'],
      /* 3: full */ [0, ask('c', burst(1)), 'refused 0 by burst:50 wait 50', 'burst 2/2'],
      /* 4: not yet */ [49, ask('c', burst(1)), 'refused 0 by burst:1 wait 1', 'burst 2/2'],
      /* 5: as told */ [50, ask('c', burst(1)), 'admitted 0', 'burst 2/2'],
      /* 6: parts of a unit round up */ [75, look, '', 'burst 2/2'],
      /* 7: more than it ever holds */ [75, ask('d', burst(3)), 'refused 0 by burst:never wait never', 'burst 2/2'],
      /* 8: requests do not wait for a settle */ [75, settle('a', 2, [[burst, 1]]), 'changed', 'burst 2/2'],
      /* 9: a refund, less what has drained */ [75, settle('c', 2, [[burst, 0]], 50), 'changed', 'burst 1/1'],
      /* 10: nothing left to refund */ [75, settle('b', 2, [[burst, 0]]), 'changed', 'burst 1/1'],
      /* 11: time goes back: the level does not */ [70, ask('e', burst(1)), 'admitted 0', 'burst 2/2'],
      /* 12: empty */ [1000, look, '', 'burst 0/0'],
    ],
  },
  {
    name: 'a bucket of tokens: holds do not drain, actual amounts do',
    lines: [rate],
    rows: [
      /* 1 */ [0, ask('a', rate(60)), 'admitted 0', 'rate 60/0'],
      /* 2: held, not drained */ [30_000, look, '', 'rate 60/0'],
      /* 3: holds will return */ [30_000, ask('b', rate(60)), 'refused 0 by rate:1000 wait 1000 overdue', 'rate 60/0'],
      /* 4: the actual amount enters */ [30_000, settle('a', 2, [[rate, 50]]), 'changed', 'rate 50/50'],
      /* 5: spent is in the way now */ [30_000, ask('b', rate(60)), 'refused 0 by rate:10000 wait 10000', 'rate 50/50'],
      /* 6 */ [39_999, ask('b', rate(60)), 'refused 0 by rate:1 wait 1', 'rate 41/41'],
      /* 7: as told */ [40_000, ask('b', rate(60)), 'admitted 0', 'rate 100/40'],
      /* 8: more than estimated */ [40_000, settle('b', 2, [[rate, 90]], 40_000), 'changed', 'rate 130/130'],
      /* 9: over the burst it waits for all of it */ [
        40_000,
        ask('c', rate(1)),
        'refused 0 by rate:31000 wait 31000',
        'rate 130/130',
      ],
      /* 10: a correction gives back what has not drained */ [
        50_000,
        settle('b', 3, [[rate, 20]], 40_000),
        'changed',
        'rate 50/50',
      ],
      /* 11: another p, rounded up */ [
        50_001,
        asks('d', [[rate(0, { n: 1, p: 2 })]], { dry: true }),
        'admitted 0',
        'rate 50/50',
      ],
    ],
  },
  {
    name: 'a window: exact to the unit, settled by rank',
    lines: [hour],
    rows: [
      /* 1 */ [0, ask('a', hour(400)), 'admitted 0', 'hour 400/0'],
      /* 2 */ [0, ask('b', hour(600)), 'admitted 0', 'hour 1000/0'],
      /* 3: held: may return */ [0, ask('c', hour(1)), 'refused 0 by hour:1000 wait 1000', 'hour 1000/0'],
      /* 4 */ [1000, settle('a', 1, [[hour, 300]]), 'changed', 'hour 900/300'],
      /* 5: again */ [1000, settle('a', 1, [[hour, 300]]), 'same', 'hour 900/300'],
      /* 6: again, otherwise */ [1000, settle('a', 1, [[hour, 301]]), 'conflict', 'hour 900/300'],
      /* 7: the access log replaces it */ [2000, settle('a', 2, [[hour, 350]]), 'changed', 'hour 950/350'],
      /* 8: stream-done comes late */ [2000, settle('a', 1, [[hour, 300]]), 'superseded', 'hour 950/350'],
      /* 9: a correction */ [2000, settle('a', 3, [[hour, 1000]]), 'changed', 'hour 1600/1000'],
      /* 10: over the ceiling nothing fits until it ends */ [
        2000,
        ask('c', hour(1)),
        'refused 0 by hour:3598000 wait 3598000',
        'hour 1600/1000',
      ],
      /* 11: not even in an empty one */ [
        2000,
        ask('c', hour(1001)),
        'refused 0 by hour:never wait never',
        'hour 1600/1000',
      ],
      /* 12: withdrawn */ [2000, settle('b', 0, [[hour, 0]]), 'changed', 'hour 1000/1000'],
      /* 13: it ran after all */ [2000, settle('b', 2, [[hour, 70]]), 'changed', 'hour 1070/1070'],
      /* 14: a refund, and room */ [2000, settle('a', 4, [[hour, 0]]), 'changed', 'hour 70/70'],
      /* 15 */ [2000, ask('c', hour(930)), 'admitted 0', 'hour 1000/70'],
    ],
  },
  {
    name: 'in flight: freed by any settle, else by expiry',
    lines: [slots],
    rows: [
      /* 1 */ [0, ask('a', slots(1)), 'admitted 0', 'slots 1/0'],
      /* 2 */ [0, ask('b', slots(1)), 'admitted 0', 'slots 2/0'],
      /* 3 */ [0, ask('c', slots(1)), 'refused 0 by slots:1000 wait 1000', 'slots 2/0'],
      /* 4: freed by the smallest news */ [0, settle('a', 1, [[slots, 'unmeasured']]), 'changed', 'slots 1/0'],
      /* 5: once */ [0, settle('a', 2, [[slots, 1]]), 'changed', 'slots 1/0'],
      /* 6: a ceiling of a class: whoever filled it */ [
        0,
        ask('c', slots(1, { ceiling: 1 })),
        'refused 0 by slots:1000 wait 1000',
        'slots 1/0',
      ],
      /* 7 */ [0, ask('c', slots(1)), 'admitted 0', 'slots 2/0'],
      /* 8: due, and the customer is told */ [
        10_000,
        ask('d', slots(1)),
        'refused 0 by slots:1000 wait 1000 overdue',
        'slots 2/0',
      ],
      /* 9 */ [10_000, expire('acme'), 'b:0 c:0', 'slots 0/0'],
      /* 10 */ [10_000, ask('d', slots(1)), 'admitted 0', 'slots 1/0'],
      /* 11: late news of what expired */ [10_000, settle('b', 2, [[slots, 0]]), 'changed', 'slots 1/0'],
    ],
  },
  {
    name: 'one question is all or nothing, and names what blocks it, strictest first',
    lines: [burst, hour, team],
    rows: [
      /* 1 */ [0, ask('a', burst(1), hour(900), team(10)), 'admitted 0', 'burst 1/1 hour 900/0 team 10/0'],
      /* 2: one is unfit: nothing is charged */ [
        0,
        ask('b', burst(1), hour(101), team(10)),
        'refused 0 by hour:1000 wait 1000',
        'burst 1/1 hour 900/0 team 10/0',
      ],
      /* 3 */ [
        0,
        settle('a', 2, [
          [burst, 1],
          [hour, 900],
          [team, 90],
        ]),
        'changed',
        'burst 1/1 hour 900/900 team 90/90',
      ],
      /* 4: longest wait first */ [
        0,
        ask('b', burst(2), hour(101), team(11)),
        'refused 0 by team:7200000,hour:3600000,burst:50 wait 7200000',
        'burst 1/1 hour 900/900 team 90/90',
      ],
      /* 5: never before any */ [
        0,
        ask('b', burst(3), hour(101), team(11)),
        'refused 0 by burst:never,team:7200000,hour:3600000 wait never',
        'burst 1/1 hour 900/900 team 90/90',
      ],
      /* 6: by name where waits are the same */ [
        0,
        ask('b', hour(101, { end: T0 + 7_200_000 }), team(11)),
        'refused 0 by hour:7200000,team:7200000 wait 7200000',
        'burst 1/1 hour 900/900 team 90/90',
      ],
      /* 7: amounts are matched by counter; what is not named settles at 0 */ [
        0,
        ask('c', burst(1), hour(50), team(5)),
        'admitted 0',
        'burst 2/2 hour 950/900 team 95/90',
      ],
      /* 8 */ [
        0,
        settle('c', 2, [
          [team, 4],
          [burst, 1],
        ]),
        'changed',
        'burst 2/2 hour 900/900 team 94/94',
      ],
      /* 9: it was at 0 then: late news of it is old */ [
        0,
        settle('c', 1, [[hour, 30]]),
        'superseded',
        'burst 2/2 hour 900/900 team 94/94',
      ],
    ],
  },
  {
    name: 'the ladder: a yielding limit steps down, any other refuses',
    lines: [hour, mini, burst],
    rows: [
      /* 1: 80 % of 1000 */ [
        0,
        asks('a', [
          [hour(700, yieldsAt(800)), burst(1)],
          [hour(700), mini(7)],
        ]),
        'admitted 0',
        'hour 700/0 mini 0/0 burst 1/1',
      ],
      /* 2: holds downgrade nobody before the ceiling */ [
        0,
        asks('b', [[hour(150, yieldsAt(800))], [mini(5)]]),
        'admitted 0',
        'hour 850/0 mini 0/0 burst 1/1',
      ],
      /* 3: at the ceiling they do */ [
        0,
        asks('c', [[hour(160, yieldsAt(800))], [mini(5)]]),
        'admitted 1',
        'hour 850/0 mini 5/0 burst 1/1',
      ],
      /* 4 */ [
        0,
        settle('a', 2, [
          [hour, 700],
          [burst, 1],
        ]),
        'changed',
        'hour 850/700 mini 5/0 burst 1/1',
      ],
      /* 5: exactly 80 % */ [
        0,
        asks('d', [[hour(100, yieldsAt(800))], [mini(5)]]),
        'admitted 0',
        'hour 950/700 mini 5/0 burst 1/1',
      ],
      /* 6: one more */ [
        0,
        asks('e', [[hour(101, yieldsAt(800))], [mini(5)]]),
        'admitted 1',
        'hour 950/700 mini 10/0 burst 1/1',
      ],
      /* 7: what does not yield refuses */ [
        0,
        asks('f', [[hour(10, yieldsAt(800)), burst(2)], [mini(5)]]),
        'refused 0 by burst:50 wait 50',
        'hour 950/700 mini 10/0 burst 1/1',
      ],
      /* 8: unless the yielding one is unfit too */ [
        0,
        asks('f', [[hour(101, yieldsAt(800)), burst(2)], [mini(5)]]),
        'admitted 1',
        'hour 950/700 mini 15/0 burst 1/1',
      ],
      /* 9: both full: the shortest wait of those tried, blame for the last */ [
        0,
        asks('g', [[hour(101, yieldsAt(800))], [mini(46)]]),
        'refused 1 by mini:1000 wait 1000',
        'hour 950/700 mini 15/0 burst 1/1',
      ],
      /* 10: never only if all are */ [
        0,
        asks('g', [[hour(101, yieldsAt(800))], [mini(51)]]),
        'refused 1 by mini:never wait 3600000',
        'hour 950/700 mini 15/0 burst 1/1',
      ],
      /* 11: a step refused by the caller: as by the limit that asked for it */ [
        0,
        asks('g', [[hour(101, yieldsAt(800))]]),
        'refused 0 by hour:3600000 wait 3600000',
        'hour 950/700 mini 15/0 burst 1/1',
      ],
      /* 12: what does not yield keeps the next model from being tried */ [
        0,
        asks('g', [[mini(36)], [hour(1)]]),
        'refused 0 by mini:1000 wait 1000',
        'hour 950/700 mini 15/0 burst 1/1',
      ],
      /* 13: observed limits do not yield */ [
        0,
        asks('h', [[hour(200, { ...yieldsAt(800), observe: true })], [mini(5)]]),
        'admitted 0 over hour',
        'hour 1150/700 mini 15/0 burst 1/1',
      ],
    ],
  },
  {
    name: 'observe: charged, never in the way, reported',
    lines: [hour, team],
    rows: [
      /* 1 */ [0, ask('a', hour(990, { observe: true }), team(1)), 'admitted 0', 'hour 990/0 team 1/0'],
      /* 2 */ [0, ask('b', hour(11, { observe: true }), team(1)), 'admitted 0 over hour', 'hour 1001/0 team 2/0'],
      /* 3: others refuse, and it is not blamed */ [
        0,
        ask('c', hour(11, { observe: true }), team(99)),
        'refused 0 by team:1000 wait 1000',
        'hour 1001/0 team 2/0',
      ],
      /* 4: turned to enforce it counts from where it stands */ [
        0,
        ask('c', hour(1)),
        'refused 0 by hour:1000 wait 1000',
        'hour 1001/0 team 2/0',
      ],
    ],
  },
  {
    name: 'warnings: once per counter and threshold, of what is spent',
    lines: [hour],
    rows: [
      /* 1: holds do not warn */ [0, ask('a', hour(900, { warn: [500, 800] })), 'admitted 0', 'hour 900/0'],
      /* 2 */ [0, settle('a', 1, [[hour, 499]]), 'changed', 'hour 499/499'],
      /* 3: at it */ [0, settle('a', 2, [[hour, 500]]), 'changed hour>500', 'hour 500/500'],
      /* 4: refunds do not unlatch */ [0, settle('a', 3, [[hour, 0]]), 'changed', 'hour 0/0'],
      /* 5 */ [0, settle('a', 4, [[hour, 700]]), 'changed', 'hour 700/700'],
      /* 6: two at once, the first was told */ [
        0,
        ask('b', hour(300, { warn: [500, 800, 900] })),
        'admitted 0',
        'hour 1000/700',
      ],
      /* 7 */ [0, settle('b', 2, [[hour, 300]]), 'changed hour>800 hour>900', 'hour 1000/1000'],
    ],
  },
  {
    name: 'expiry: estimates stay unless the limit releases them',
    lines: [hour, rate, slots],
    rows: [
      /* 1 */ [0, ask('a', hour(100), rate(10), slots(1)), 'admitted 0', 'hour 100/0 rate 10/0 slots 1/0'],
      /* 2 */ [0, ask('b', hour(50, { onExpiry: 'release' })), 'admitted 0', 'hour 150/0 rate 10/0 slots 1/0'],
      /* 3: nothing is due */ [9_999, expire(undefined), '', 'hour 150/0 rate 10/0 slots 1/0'],
      /* 4: a heartbeat */ [9_999, extend('a', 20_000), 'extended', 'hour 150/0 rate 10/0 slots 1/0'],
      /* 5: never shorter */ [9_999, extend('a', 15_000), 'extended', 'hour 150/0 rate 10/0 slots 1/0'],
      /* 6 */ [10_000, expire(undefined), 'b:0', 'hour 100/0 rate 10/0 slots 1/0'],
      /* 7: another customer's sweep */ [20_000, expire('other'), '', 'hour 100/0 rate 10/0 slots 1/0'],
      /* 8: no more than asked for */ [20_000, expire('acme', 0), '', 'hour 100/0 rate 10/0 slots 1/0'],
      /* 9: kept; the bucket's enters the level */ [
        20_000,
        expire('acme'),
        'a:100+10+0',
        'hour 100/100 rate 10/10 slots 0/0',
      ],
      /* 10 */ [20_000, extend('a', 30_000), 'closed', 'hour 100/100 rate 10/10 slots 0/0'],
      /* 11: it ended after all */ [
        21_000,
        settle('a', 2, [
          [hour, 70],
          [rate, 10],
          [slots, 0],
        ]),
        'changed',
        'hour 70/70 rate 9/9 slots 0/0',
      ],
      /* 12: so did what was released */ [
        21_000,
        settle('b', 2, [[hour, 40]]),
        'changed',
        'hour 110/110 rate 9/9 slots 0/0',
      ],
      /* 13 */ [21_000, extend('unknown', 30_000), 'closed', 'hour 110/110 rate 9/9 slots 0/0'],
    ],
  },
  {
    name: 'unmeasured keeps what was reserved until somebody measures it',
    lines: [hour, rate],
    rows: [
      /* 1 */ [0, ask('a', hour(100), rate(10)), 'admitted 0', 'hour 100/0 rate 10/0'],
      /* 2: still held */ [
        0,
        settle('a', 1, [
          [hour, 'unmeasured'],
          [rate, 'unmeasured'],
        ]),
        'changed',
        'hour 100/0 rate 10/0',
      ],
      /* 3 */ [
        0,
        settle('a', 1, [
          [hour, 'unmeasured'],
          [rate, 'unmeasured'],
        ]),
        'same',
        'hour 100/0 rate 10/0',
      ],
      /* 4: measured */ [
        0,
        settle('a', 2, [
          [hour, 60],
          [rate, 6],
        ]),
        'changed',
        'hour 60/60 rate 6/6',
      ],
      /* 5: old news */ [
        0,
        settle('a', 1, [
          [hour, 'unmeasured'],
          [rate, 'unmeasured'],
        ]),
        'superseded',
        'hour 60/60 rate 6/6',
      ],
      /* 6 */ [0, ask('b', hour(100, { onExpiry: 'release' })), 'admitted 0', 'hour 160/60 rate 6/6'],
      /* 7: nobody gives it back any more */ [
        0,
        settle('b', 1, [[hour, 'unmeasured']]),
        'changed',
        'hour 160/60 rate 6/6',
      ],
      /* 8 */ [10_000, expire('acme'), 'b:100', 'hour 160/160 rate 0/0'],
      /* 9 */ [10_000, ask('c', hour(100, { onExpiry: 'release' })), 'admitted 0', 'hour 260/160 rate 0/0'],
      /* 10 */ [20_000, expire('acme'), 'c:0', 'hour 160/160 rate 0/0'],
      /* 11: it did run */ [20_000, settle('c', 1, [[hour, 'unmeasured']], 10_000), 'changed', 'hour 260/260 rate 0/0'],
    ],
  },
  {
    name: 'an id is charged once, whatever comes first and however often',
    lines: [hour, team],
    rows: [
      /* 1 */ [0, ask('a', hour(10)), 'admitted 0', 'hour 10/0 team 0/0'],
      /* 2 */ [0, ask('a', hour(10)), 'known 0', 'hour 10/0 team 0/0'],
      /* 3 */ [0, settle('a', 2, [[hour, 7]]), 'changed', 'hour 7/7 team 0/0'],
      /* 4 */ [0, ask('a', hour(10)), 'known 0', 'hour 7/7 team 0/0'],
      /* 5: the stored answer */ [
        0,
        asks('b', [[hour(10, yieldsAt(10))], [team(1)]]),
        'admitted 1',
        'hour 7/7 team 1/0',
      ],
      /* 6 */ [0, asks('b', [[hour(10)]]), 'known 1', 'hour 7/7 team 1/0'],
      /* 7: settled by another process */ [
        0,
        settle('c', 2, [
          [hour, 5],
          [team, 2],
        ]),
        'changed',
        'hour 12/12 team 3/2',
      ],
      /* 8 */ [0, ask('c', hour(10), team(10)), 'known undefined', 'hour 12/12 team 3/2'],
      /* 9: a counter only in the settle starts from 0 */ [
        0,
        settle('a', 3, [
          [hour, 7],
          [team, 4],
        ]),
        'changed',
        'hour 12/12 team 7/6',
      ],
      /* 10: a refused id may ask again */ [
        0,
        ask('d', hour(1000)),
        'refused 0 by hour:3600000 wait 3600000',
        'hour 12/12 team 7/6',
      ],
      /* 11 */ [0, ask('d', hour(100)), 'admitted 0', 'hour 112/12 team 7/6'],
      /* 12: forced: charged whatever it finds, once */ [
        0,
        asks('e', [[hour(1)], [team(200)]], { force: 1 }),
        'admitted 1',
        'hour 112/12 team 207/6',
      ],
      /* 13 */ [0, asks('e', [[hour(1)], [team(200)]], { force: 1 }), 'known 1', 'hour 112/12 team 207/6'],
      /* 14: dry: nothing is charged or remembered */ [
        0,
        asks('f', [[hour(100)]], { dry: true }),
        'admitted 0',
        'hour 112/12 team 207/6',
      ],
      /* 15: a dry 0 fits if used ≤ ceiling */ [
        0,
        asks('f', [[team(0)]], { dry: true }),
        'refused 0 by team:1000 wait 1000',
        'hour 112/12 team 207/6',
      ],
      /* 16 */ [0, asks('f', [[hour(1)]]), 'admitted 0', 'hour 113/12 team 207/6'],
      /* 17: without any spend */ [0, asks('g', [[]]), 'admitted 0', 'hour 113/12 team 207/6'],
      /* 18 */ [0, settle('g', 2, []), 'changed', 'hour 113/12 team 207/6'],
      /* 19 */ [0, settle('g', 2, []), 'same', 'hour 113/12 team 207/6'],
      /* 20 */ [0, settle('g', 1, []), 'superseded', 'hour 113/12 team 207/6'],
    ],
  },
  {
    name: 'a question holds for its windows, a settlement for settle_within, a counter for both',
    lines: [hour],
    rows: [
      /* 1: before it */ [0, asks('a', [[hour(10)]], { from: T0 + 1 }), 'moved', 'hour 0/0'],
      /* 2: from is in it */ [0, asks('a', [[hour(10)]], { from: T0, until: T0 + 1 }), 'admitted 0', 'hour 10/0'],
      /* 3: until is not */ [1, asks('b', [[hour(10)]], { from: T0, until: T0 + 1 }), 'moved', 'hour 10/0'],
      /* 4: the last moment */ [SETTLE_WITHIN_MS - 1, settle('a', 2, [[hour, 5]]), 'changed', 'hour 5/5'],
      /* 5 */ [SETTLE_WITHIN_MS, settle('a', 3, [[hour, 4]]), 'too_late', 'hour 5/5'],
      /* 6: unknown, and late */ [SETTLE_WITHIN_MS, settle('z', 2, [[hour, 4]]), 'too_late', 'hour 5/5'],
      /* 7: a question that old may have been settled */ [
        SETTLE_WITHIN_MS,
        asks('y', [[hour(1)]], { mintedAt: T0 }),
        'known undefined',
        'hour 5/5',
      ],
      /* 8: minted in the window, settled after it */ [3_599_999, ask('c', hour(20)), 'admitted 0', 'hour 25/5'],
      /* 9 */ [3_700_000, settle('c', 2, [[hour, 15]], 3_599_999), 'changed', 'hour 20/20'],
      /* 10: as long as anything may settle */ [
        3_600_000 + SETTLE_WITHIN_MS - 1,
        settle('d', 2, [[hour, 1]], 3_600_000),
        'changed',
        'hour 21/21',
      ],
      /* 11: then it goes */ [3_600_000 + SETTLE_WITHIN_MS, expire(undefined), '', 'hour 0/0'],
      /* 12: for good */ [3_600_000 + SETTLE_WITHIN_MS, settle('e', 2, [[hour, 1]], 3_700_000), 'changed', 'hour 0/0'],
    ],
  },
  {
    name: 'operators adjust, once per op',
    lines: [hour, rate, slots],
    rows: [
      /* 1 */ [0, ask('a', hour(100), rate(10)), 'admitted 0', 'hour 100/0 rate 10/0 slots 0/0'],
      /* 2 */ [0, adjust('1', hour, 50), '150', 'hour 150/50 rate 10/0 slots 0/0'],
      /* 3: again */ [0, adjust('1', hour, 50), '150', 'hour 150/50 rate 10/0 slots 0/0'],
      /* 4 */ [0, adjust('2', hour, -20), '130', 'hour 130/30 rate 10/0 slots 0/0'],
      /* 5: to what is held */ [0, adjust('3', hour, 'reset'), '100', 'hour 100/0 rate 10/0 slots 0/0'],
      /* 6: never below 0 */ [0, adjust('4', hour, -500), '0', 'hour 0/0 rate 10/0 slots 0/0'],
      /* 7: nor does its settlement */ [
        0,
        settle('a', 2, [
          [hour, 30],
          [rate, 10],
        ]),
        'changed',
        'hour 0/0 rate 10/10 slots 0/0',
      ],
      /* 8 */ [0, adjust('5', rate, -4), '6', 'hour 0/0 rate 6/6 slots 0/0'],
      /* 9 */ [0, adjust('6', rate, 9), '15', 'hour 0/0 rate 15/15 slots 0/0'],
      /* 10 */ [500, adjust('7', rate, 'reset'), '0', 'hour 0/0 rate 0/0 slots 0/0'],
      /* 11: one that nobody asked for yet */ [500, adjust('8', slots, 2), '2', 'hour 0/0 rate 0/0 slots 2/2'],
    ],
  },
  {
    name: 'runs: a total lives and dies with its run, `runs` counts its beginning',
    lines: [total, runs],
    rows: [
      /* 1: begins */ [0, asks('a', [[runs(1), total(6)]], inRun('r')), 'admitted 0', 'total 6/0 runs 1/0'],
      /* 2: goes on: not asked again */ [
        0,
        asks('b', [[runs(1), total(4)]], inRun('r')),
        'admitted 0',
        'total 10/0 runs 1/0',
      ],
      /* 3 */ [
        0,
        asks('c', [[runs(1), total(1)]], inRun('r')),
        'refused 0 by total:1000 wait 1000',
        'total 10/0 runs 1/0',
      ],
      /* 4 */ [
        0,
        settle('a', 2, [
          [runs, 1],
          [total, 6],
        ]),
        'changed',
        'total 10/6 runs 1/1',
      ],
      /* 5: spent for good */ [
        0,
        asks('c', [[runs(1), total(5)]], inRun('r')),
        'refused 0 by total:never wait never',
        'total 10/6 runs 1/1',
      ],
      /* 6: other runs begin */ [0, asks('d', [[runs(1)]], inRun('s')), 'admitted 0', 'total 10/6 runs 2/1'],
      /* 7: but no third */ [
        0,
        asks('e', [[runs(1)]], inRun('t')),
        'refused 0 by runs:1000 wait 1000',
        'total 10/6 runs 2/1',
      ],
      /* 8: open: not idle */ [
        5_000,
        asks('c', [[runs(1), total(1)]], inRun('r')),
        'refused 0 by total:1000 wait 1000',
        'total 10/6 runs 2/1',
      ],
      /* 9: a settle renews it */ [5_000, settle('b', 2, [[total, 2]]), 'changed', 'total 8/8 runs 2/1'],
      /* 10 */ [5_999, asks('c', [[runs(1), total(1)]], inRun('r')), 'admitted 0', 'total 9/8 runs 2/1'],
      /* 11 */ [6_000, settle('c', 2, [[total, 0]], 5_999), 'changed', 'total 8/8 runs 2/1'],
      /* 12: idle: it has ended, and begins anew, counted */ [
        7_000,
        asks('f', [[runs(1, { ceiling: 9 }), total(10)]], inRun('r')),
        'admitted 0',
        'total 10/0 runs 3/1',
      ],
      /* 13: late news of the old run does not touch the new */ [
        7_000,
        settle('a', 3, [
          [runs, 1],
          [total, 0],
        ]),
        'changed',
        'total 10/0 runs 3/1',
      ],
    ],
  },
  {
    name: 'bounded: past the bound another counter is refused, and the oldest settled are too late',
    lines: [hour, team],
    options: { countersMax: 2, closedMax: 2 },
    rows: [
      /* 1 */ [0, ask('a', hour(1), team(1)), 'admitted 0', 'hour 1/0 team 1/0'],
      /* 2 */ [0, ask('b', hour(1), slots(1)), 'exhausted', 'hour 1/0 team 1/0'],
      /* 3: with those that are there it goes on */ [0, ask('b', hour(1)), 'admitted 0', 'hour 2/0 team 1/0'],
      /* 4 */ [1, ask('c', hour(1)), 'admitted 0', 'hour 3/0 team 1/0'],
      /* 5 */ [
        1,
        settle('a', 2, [
          [hour, 1],
          [team, 1],
        ]),
        'changed',
        'hour 3/1 team 1/1',
      ],
      /* 6 */ [1, settle('b', 2, [[hour, 1]]), 'changed', 'hour 3/2 team 1/1'],
      /* 7 */ [1, settle('c', 2, [[hour, 1]], 1), 'changed', 'hour 3/3 team 1/1'],
      /* 8: the oldest is forgotten, not charged twice */ [
        1,
        settle('a', 3, [
          [hour, 0],
          [team, 0],
        ]),
        'too_late',
        'hour 3/3 team 1/1',
      ],
      /* 9: nor asked twice */ [1, asks('a', [[hour(1)]], { mintedAt: T0 }), 'known undefined', 'hour 3/3 team 1/1'],
      /* 10: the youngest is not */ [1, settle('c', 3, [[hour, 0]], 1), 'changed', 'hour 2/2 team 1/1'],
      /* 11: room again when a window is over for good */ [
        3_600_000 + SETTLE_WITHIN_MS,
        ask('d', slots(1)),
        'admitted 0',
        'hour 0/0 team 1/1',
      ],
    ],
  },
];

function yieldsAt(spentMax: number): Partial<Spend> {
  return { yields: { spentMax } };
}

function inRun(marker: string): AskExtra {
  return { run: { marker, idleMs: 1000 } };
}

async function stateOf({ store }: ContractStore, spend: Line, now: number): Promise<string> {
  const spends = [spend(0, { once: false })];
  const answer = await store.reserve(
    {
      id: 'dry',
      mintedAt: now,
      expiresAt: now,
      customer: 'acme',
      from: 0,
      until: Number.MAX_SAFE_INTEGER,
      candidates: [spends],
    },
    { dry: true },
  );
  assert.ok(answer.outcome === 'admitted' || answer.outcome === 'refused');
  const state = answer.states[0]![0]!;
  return `${spend.limit} ${state.used}/${state.spent}`;
}

/** Faults of the caller: refused before anything is changed. */
const faults: readonly (readonly [name: string, act: Act, message: RegExp])[] = [
  /* 1 */ ['an amount of 0', ask('a', hour(0)), /amount of `hour` must be a safe integer > 0, got `0`/],
  /* 2 */ ['a fraction', ask('a', hour(0.5)), /amount of `hour`/],
  /* 3 */ ['a counter twice', ask('a', hour(1), hour(1)), /a candidate spends `acme\|hour\|.*` twice/],
  /* 4 */ ['no candidate', asks('a', []), /needs a candidate/],
  /* 5 */ ['a candidate to force that is none', asks('a', [[hour(1)]], { force: 1 }), /candidate `1` to force/],
  /* 6 */ [
    'a bucket without a rate',
    ask('a', line('x', 'bucket', { unit: 'tokens', ceiling: 1 })(1)),
    /bucket `.*` needs/,
  ],
  /* 7 */ ['a period over a day', ask('a', rate(1, { p: 86_400_001 })), /`p` in 1..86400000/],
  /* 8 */ [
    'a window without an end',
    ask('a', line('x', 'window', { unit: 'tokens', ceiling: 1 })(1)),
    /needs its `end`/,
  ],
  /* 9 */ ['a negative ceiling', ask('a', hour(1, { ceiling: -1 })), /ceiling of `hour`/],
  /* 10 */ ['a settlement below 0', settle('a', 2, [[hour, -1]]), /settlement of/],
  /* 11 */ [
    'a counter settled twice',
    settle('a', 2, [
      [hour, 1],
      [hour, 1],
    ]),
    /is settled twice/,
  ],
  /* 12 */ ['a rank below 0', settle('a', -1, [[hour, 1]]), /rank must be an integer ≥ 0, got `-1`/],
  /* 13 */ ['a delta that is none', adjust('a', hour, 0.5), /delta must be a safe integer, got `0.5`/],
];

/** Runs the contract over a store. */
export function limitStoreContract(name: string, open: OpenStore): void {
  const defaults: ContractOptions = { settleWithinMs: SETTLE_WITHIN_MS, countersMax: 1000, closedMax: 1000 };
  describe(`limit store: ${name}`, () => {
    for (const story of stories) {
      it(story.name, async () => {
        const opened = await open({ ...defaults, ...story.options });
        try {
          for (const [index, [at, act, answer, after]] of story.rows.entries()) {
            opened.setNow(T0 + at);
            const said = await act(opened, T0 + at);
            const states: string[] = [];
            for (const each of story.lines) states.push(await stateOf(opened, each, T0 + at));
            assert.deepEqual([said, states.join(' ')], [answer, after], `row ${index + 1}`);
          }
        } finally {
          await opened.close?.();
        }
      });
    }

    for (const [index, [what, act, message]] of faults.entries()) {
      it(`fault ${index + 1}: ${what}`, async () => {
        const opened = await open(defaults);
        try {
          opened.setNow(T0);
          await assert.rejects(
            async () => act(opened, T0),
            (error: Error) => {
              assert.ok(error instanceof TypeError);
              assert.match(error.message, message);
              return true;
            },
          );
        } finally {
          await opened.close?.();
        }
      });
    }
  });
}
