import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import type { EndedReservation, HeldReservation, Snapshot } from '../../src/limits/restore.ts';
import { type CounterRow, RESERVATION, readReservation } from '../../src/limits/rows.ts';
import type { Expired, LimitStore, ReserveAnswer, SettleAnswer } from '../../src/limits/store.ts';
import { RANK } from '../../src/limits/store.ts';
import { aHistory, type Op, Player, SETTLE_WITHIN_MS } from './history.ts';

/** As much of a ledger as a restart reads: last rows by name, holds, and ends of rank 0, 2 and up. */
class Book {
  readonly #rows = new Map<string, CounterRow>();
  readonly #holds = new Map<string, HeldReservation>();
  readonly #ends = new Map<string, NonNullable<EndedReservation['ended']>>();

  write(rows: readonly CounterRow[]): void {
    for (const row of rows) this.#rows.set(row.counter, row);
  }

  /** Books what an op did, as decision and metering do. */
  book(player: Player, op: Op, answer: unknown): void {
    if (op.op === 'reserve') this.#hold(player, op, answer as ReserveAnswer);
    if (op.op === 'settle' && isMeasured(op)) this.#end(String(op.id), op.rank, answer as SettleAnswer);
    if (op.op === 'expire') {
      for (const { id, charged } of answer as Expired[]) this.#endAs(id, { rank: RANK.expired, charged });
    }
  }

  #hold(player: Player, op: Extract<Op, { op: 'reserve' }>, answer: ReserveAnswer): void {
    if (answer.outcome !== 'admitted' || op.mode === 'dry') return;
    const { id, mintedAt, expiresAt, customer, candidates } = player.askOf(op);
    const states = answer.states[answer.candidate]!;
    const spends = candidates[answer.candidate]!.filter((_, i) => states[i] !== undefined).map((spend) => {
      return { ...spend, reserved: spend.amount };
    });
    this.#holds.set(id, { id, mintedAt, expiresAt, customer, spends });
  }

  #end(id: string, rank: number, { outcome, charged }: SettleAnswer): void {
    // Stream-done moves counters, never the ledger.
    if (outcome === 'changed' && rank !== RANK.streamDone) this.#endAs(id, { rank, charged });
  }

  #endAs(id: string, ended: NonNullable<EndedReservation['ended']>): void {
    if ((this.#ends.get(id)?.rank ?? -1) <= ended.rank) this.#ends.set(id, ended);
  }

  /** What a start is given: nothing of what has ended. */
  snapshot(): Snapshot {
    const open = [...this.#holds.values()].filter(({ id }) => this.#isOpen(id));
    const ofEnded = ({ counter }: CounterRow): boolean => {
      return counter.startsWith(RESERVATION) && !open.some(({ id }) => counter === RESERVATION + id);
    };
    return { counters: [...this.#rows.values()].filter((row) => !ofEnded(row)), reservations: open, isWhole: true };
  }

  /** A settlement that leaves something unmeasured ends nothing; metering makes none. */
  #isOpen(id: string): boolean {
    const row = this.#rows.get(RESERVATION + id);
    return row === undefined ? !this.#ends.has(id) : readReservation(row)!.isOpen;
  }

  find(id: string): EndedReservation {
    const row = this.#rows.get(RESERVATION + id);
    return { hold: this.#holds.get(id), ended: this.#ends.get(id), states: row === undefined ? [] : [row] };
  }

  /** Rows that may be forgotten. */
  prune(now: number): void {
    for (const [name, { dropAtMs }] of this.#rows) if (dropAtMs < now) this.#rows.delete(name);
  }
}

function open(nowMs: () => number): MemoryLimitStore {
  const options = { settleWithinMs: SETTLE_WITHIN_MS, isDurable: true };
  return new MemoryLimitStore({ nowMs, monotonicMs: nowMs }, options);
}

/** Asks the book of each id that it is asked about, as metering does of those that memory does not know. */
function recalling(store: MemoryLimitStore, book: Book): LimitStore {
  const recall = (id: string): void => store.readmit(id, book.find(id));
  return {
    reserve: (ask, options) => {
      // Ids are minted for each decision; only here are they asked again after a restart.
      if (options?.dry !== true) recall(ask.id);
      return store.reserve(ask, options);
    },
    settle: (id, ...rest) => {
      recall(id);
      return store.settle(id, ...rest);
    },
    extend: (id, expiresAt) => store.extend(id, expiresAt),
    expire: (...of) => store.expire(...of),
    adjust: (...of) => store.adjust(...of),
  };
}

/** Plays the same history with a restart after each of `cuts` and without; all answers must be the same. */
function playBoth(history: readonly Op[], cuts: ReadonlySet<number>): void {
  const steady = new Player(open);
  const restarted = new Player(open);
  const book = new Book();
  let store = restarted.store as MemoryLimitStore;
  for (const [index, op] of history.entries()) {
    const expected = steady.play(op);
    const answer = restarted.play(op);
    assert.deepEqual(answer, expected, JSON.stringify(op));
    book.book(restarted, op, answer);
    if (cuts.has(index)) {
      book.write(store.changes());
      store = restart(restarted, book);
    }
    assert.deepEqual(restarted.look(), steady.look(), JSON.stringify(op));
  }
}

/** An end has amounts. */
function isMeasured(op: Extract<Op, { op: 'settle' }>): boolean {
  return op.amounts.every(({ actual }) => actual !== 'unmeasured');
}

function restart(player: Player, book: Book): MemoryLimitStore {
  book.prune(player.now);
  const store = open(() => player.now);
  store.restore(book.snapshot());
  Object.assign(player, { store: recalling(store, book) });
  return store;
}

describe('a restart', () => {
  const cuts = fc.array(fc.nat(59), { minLength: 1, maxLength: 4 }).map((places) => new Set(places));

  it('changes no answer, whenever it comes', () => {
    fc.assert(
      fc.property(aHistory({ opsMax: 60, adjusted: true }), cuts, (history, places) => playBoth(history, places)),
      { seed: 31, numRuns: 400 },
    );
  });

  it('after the rows of no counter were kept, counts what the holds still hold', () => {
    const now = 1_000_000;
    const store = open(() => now);
    const ref = { unit: 'tokens', onExpiry: 'keep', limit: 'x', reserved: 5 } as const;
    const spends = [
      { ...ref, counter: 'acme|w', kind: 'window' as const, end: now + 60_000 },
      { ...ref, counter: 'acme|b', kind: 'bucket' as const, n: 1, p: 10 },
      { ...ref, counter: 'acme|s', kind: 'slots' as const },
    ];
    const hold = { mintedAt: now, expiresAt: now + 1000, customer: 'acme', spends };
    store.restore({
      counters: [],
      reservations: [
        { id: 'a', ...hold },
        { id: 'b', ...hold },
      ],
    });
    const asked = spends.map((spend) => ({ ...spend, amount: 0, ceiling: 100, observe: false }));
    const ask = { id: 'c', mintedAt: now, expiresAt: now, customer: 'acme', from: 0, until: now + 1 };
    const answer = store.reserve({ ...ask, candidates: [asked] }, { dry: true });
    assert.ok(answer.outcome === 'admitted');
    assert.deepEqual(
      answer.states[0]!.map((state) => [state!.used, state!.spent]),
      [
        [10, 0],
        [10, 0],
        [10, 0],
      ],
    );
  });

  it('gives back what nobody holds any more: a decision whose end is booked, though the store was not told', () => {
    const now = 1_000_000;
    const before = open(() => now);
    const ref = { unit: 'tokens', onExpiry: 'keep', limit: 'x' } as const;
    const spends = [
      { ...ref, counter: 'acme|w', kind: 'window' as const, end: now + 60_000 },
      { ...ref, counter: 'acme|b', kind: 'bucket' as const, n: 1, p: 10_000 },
      { ...ref, counter: 'acme|s', kind: 'slots' as const },
    ];
    const held = (id: string, reserved: number): HeldReservation => {
      const of = spends.map((spend) => ({ ...spend, reserved }));
      return { id, mintedAt: now, expiresAt: now + 1000, customer: 'acme', spends: of };
    };
    for (const { spends: of, ...rest } of [held('open', 5), held('ended', 2)]) {
      const candidate = of.map(({ reserved, ...spend }) => ({
        ...spend,
        amount: reserved,
        ceiling: 9,
        observe: false,
      }));
      assert.equal(before.reserve({ ...rest, from: 0, until: now + 1, candidates: [candidate] }).outcome, 'admitted');
    }

    const store = open(() => now);
    store.restore({ counters: before.changes(), reservations: [held('open', 5)], isWhole: true });
    const look = () => spends.map((spend) => Object.values(store.peek(spend)));
    assert.deepEqual(look(), [
      [7, 5],
      [5, 5],
      [5, 5],
    ]);
    const kept = store.changes().filter(({ counter }) => counter !== 'acme|w');
    assert.deepEqual(kept.map(({ counter }) => counter).sort(), ['acme|b', 'acme|s']);

    // Its entry comes again, with other amounts than were booked first: the window follows, and no slot goes twice.
    store.readmit('ended', { hold: held('ended', 2), ended: { rank: 2, charged: [] }, states: [] });
    const settlements = spends.map((spend) => ({ ref: spend, actual: 1 }));
    store.settle('ended', { mintedAt: now, rank: 2, customer: 'acme' }, settlements);
    assert.deepEqual(look(), [
      [6, 5],
      [6, 5],
      [5, 5],
    ]);
  });

  it('knows a decision without a row by its end', () => {
    const now = 1_000_000;
    const store = open(() => now);
    const ref = { counter: 'acme|w', kind: 'window', end: now + 60_000, unit: 'tokens', onExpiry: 'keep' } as const;
    store.adjust('as it stood', [{ ref, delta: 30 }]);
    const hold = {
      id: 'a',
      mintedAt: now,
      expiresAt: now,
      customer: 'acme',
      spends: [{ ...ref, limit: 'x', reserved: 9 }],
    };
    store.readmit('a', { hold, ended: { rank: 2, charged: [{ counter: ref.counter, amount: 4 }] }, states: [] });
    const settle = (rank: number, actual: number) => {
      const { outcome } = store.settle('a', { mintedAt: now, rank, customer: 'acme' }, [{ ref, actual }]);
      return [outcome, store.peek(ref).used];
    };
    assert.deepEqual(settle(2, 4), ['same', 30]);
    assert.deepEqual(settle(2, 5), ['conflict', 30]);
    assert.deepEqual(settle(3, 7), ['changed', 33]);
  });

  it('takes up again neither what it knows nor what is too late', () => {
    let now = 1_000_000;
    const store = open(() => now);
    const ref = { counter: 'acme|w', kind: 'window', end: now + 600_000, unit: 'tokens', onExpiry: 'keep' } as const;
    const found = (charged: number): EndedReservation => {
      const hold = { id: 'a', mintedAt: 1_000_000, expiresAt: now, customer: 'acme', spends: [] };
      return { hold, ended: { rank: 2, charged: [{ counter: ref.counter, amount: charged }] }, states: [] };
    };
    const settle = (rank: number, actual: number) => {
      return store.settle('a', { mintedAt: 1_000_000, rank, customer: 'acme' }, [{ ref, actual }]).outcome;
    };
    assert.equal(settle(2, 5), 'changed');
    store.readmit('a', found(1));
    assert.equal(settle(2, 5), 'same');
    now += SETTLE_WITHIN_MS;
    store.expire(undefined, 1);
    store.readmit('a', found(1));
    assert.equal(settle(3, 5), 'too_late');
    assert.equal(store.counts().closed, 0);
  });

  it('takes only an empty store', () => {
    const store = open(() => 0);
    const ask = { id: 'a', mintedAt: 0, expiresAt: 1, customer: 'acme', from: 0, until: 1, candidates: [[]] };
    assert.equal(store.reserve(ask).outcome, 'admitted');
    assert.throws(() => store.restore({ counters: [], reservations: [] }), /only an empty store can be restored/);
  });

  it('is not prepared for unless asked', () => {
    const store = new MemoryLimitStore({ nowMs: () => 0, monotonicMs: () => 0 });
    store.settle('a', { mintedAt: 0, rank: 2, customer: 'acme' }, []);
    assert.deepEqual(store.changes(), []);
  });
});
