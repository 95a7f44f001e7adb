/** What the stories of the limit store are told in: limits of a small world, acts on a store, and what it answers. */
import assert from 'node:assert/strict';
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
/** Of the stores under test. */
export const SETTLE_WITHIN_MS = 25 * 60_000;

/** A limit of a story: makes spends of one counter. */
export interface Line {
  (amount: number, extra?: Partial<Spend>): Spend;
  readonly limit: string;
}

/** A limit with one counter of customer `acme`. */
export function line(limit: string, kind: SpendKind, rest: { unit: Unit; ceiling: number } & Partial<Spend>): Line {
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
export const burst = line('burst', 'bucket', { unit: 'requests', ceiling: 2, n: 1, p: 50 });
/** 60 tokens per minute, burst 100: one per second. */
export const rate = line('rate', 'bucket', { unit: 'tokens', ceiling: 100, n: 1, p: 1000 });
/** 1000 tokens, in a window that ends an hour from 0. */
export const hour = line('hour', 'window', { unit: 'tokens', ceiling: 1000, end: T0 + 3_600_000 });
export const team = line('team', 'window', { unit: 'charge', ceiling: 100, end: T0 + 7_200_000 });
export const mini = line('mini', 'window', { unit: 'tokens', ceiling: 50, end: T0 + 3_600_000 });
export const slots = line('slots', 'slots', { unit: 'requests', ceiling: 2 });
export const total = line('total', 'total', { unit: 'charge', ceiling: 10 });
export const runs = line('runs', 'window', { unit: 'runs', ceiling: 2, end: T0 + 3_600_000, once: true });

export type Act = (context: ContractStore, nowMs: number) => Awaitable<string>;
type Row = readonly [now: number, act: Act, answer: string, after: string];
export interface Story {
  readonly name: string;
  readonly lines: readonly Line[];
  readonly options?: Partial<ContractOptions>;
  /** Of stores with bounds of their own. */
  readonly isOfBounds?: boolean;
  readonly rows: readonly Row[];
}

export type AskExtra = Partial<Ask> & { readonly dry?: boolean; readonly force?: number };

/** A question of one candidate or several; minted now, expires 10 s later. */
export function asks(
  id: string,
  candidates: readonly (readonly Spend[])[],
  { dry, force, ...extra }: AskExtra = {},
): Act {
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

/** A question of one candidate. */
export function ask(id: string, ...spends: Spend[]): Act {
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
export function settle(id: string, rank: number, amounts: Amounts, mintedAt = 0): Act {
  return async ({ store }) => {
    const settlements = amounts.map(([spend, actual]): Settlement => ({ ref: spend(1), actual }));
    const answer = await store.settle(id, { mintedAt: T0 + mintedAt, rank, customer: 'acme' }, settlements);
    return showSettle(answer);
  };
}

function showSettle({ outcome, crossed }: SettleAnswer): string {
  return [outcome, ...crossed.map(({ limit, threshold }) => `${limit}>${threshold}`)].join(' ');
}

/** Shows what ended: `id:charged+charged`. */
export function expire(customer: string | undefined, max = 100): Act {
  return async ({ store }) => {
    const expired = await store.expire(customer, max);
    return expired.map(({ id, charged }) => `${id}:${charged.map(({ amount }) => amount).join('+')}`).join(' ');
  };
}

/** `expiresAt` counts from T0. */
export function extend(id: string, expiresAt: number): Act {
  return ({ store }) => store.extend(id, T0 + expiresAt, 'acme');
}

/** Shows `used` after it. */
export function adjust(op: string, spend: Line, change: number | 'reset'): Act {
  return async ({ store }) => {
    const ref = spend(1);
    return String(await store.adjust(op, [change === 'reset' ? { ref, reset: true } : { ref, delta: change }]));
  };
}

/** Nothing: only the counters are looked at. */
export const look: Act = () => '';

/** The ladder's step out of the candidate names the limit, at this many units. */
export function yieldsAt(spentMax: number): Partial<Spend> {
  return { yields: { spentMax } };
}

/** In a run that ends after 1 s without anything open. */
export function inRun(marker: string): AskExtra {
  return { run: { marker, idleMs: 1000 } };
}

/** A counter as `name used/spent`, read by a dry question for 0. */
export async function stateOf({ store }: ContractStore, spend: Line, now: number): Promise<string> {
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
