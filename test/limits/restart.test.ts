import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import type { HeldReservation } from '../../src/limits/restore.ts';
import type { CounterRow } from '../../src/limits/rows.ts';
import { counterRefOf } from '../../src/limits/spend.ts';
import type { Expired, ReserveAnswer, SettleAnswer } from '../../src/limits/store.ts';
import { RANK } from '../../src/limits/store.ts';
import { aHistory, type Op, Player, SETTLE_WITHIN_MS } from './history.ts';

/** As much of a ledger as a restart reads: last rows by name, holds, and ends of rank 0, 2 and up. */
class Book {
  readonly #rows = new Map<string, CounterRow>();
  readonly #holds = new Map<string, HeldReservation>();

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
      return { ...counterRefOf(spend), limit: spend.limit, reserved: spend.amount };
    });
    this.#holds.set(id, { id, mintedAt, expiresAt, customer, spends });
  }

  #end(id: string, rank: number, { outcome, charged }: SettleAnswer): void {
    // Stream-done moves counters, never the ledger.
    if (outcome === 'changed' && rank !== RANK.streamDone) this.#endAs(id, { rank, charged });
  }

  #endAs(id: string, ended: NonNullable<HeldReservation['ended']>): void {
    const hold = this.#holds.get(id);
    if (hold === undefined || (hold.ended?.rank ?? -1) > ended.rank) return;
    this.#holds.set(id, { ...hold, ended });
  }

  snapshot(): { counters: CounterRow[]; reservations: HeldReservation[] } {
    return { counters: [...this.#rows.values()], reservations: [...this.#holds.values()] };
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

/** Plays the same history with a restart after each of `cuts` and without; all answers must be the same. */
function playBoth(history: readonly Op[], cuts: ReadonlySet<number>, isLate: boolean): void {
  const steady = new Player(open);
  const restarted = new Player(open);
  const book = new Book();
  let store = restarted.store as MemoryLimitStore;
  for (const [index, op] of history.entries()) {
    const expected = steady.play(op);
    const isSettle = op.op === 'settle' && op.rank >= RANK.accessLog;
    if (isLate && cuts.has(index) && isSettle) {
      // The end is committed and the process dies before it settles: the restart settles it.
      restarted.settlementsOf(op);
      book.write(store.changes());
      if (!canReplay(book, op.id, op, expected as SettleAnswer)) {
        assert.deepEqual(restarted.play(op), expected);
        book.book(restarted, op, expected);
        continue;
      }
      book.book(restarted, op, expected);
      store = restart(restarted, book);
    } else {
      const answer = restarted.play(op);
      assert.deepEqual(answer, expected, JSON.stringify(op));
      book.book(restarted, op, answer);
      if (cuts.has(index)) {
        book.write(store.changes());
        store = restart(restarted, book);
      }
    }
    assert.deepEqual(restarted.look(), steady.look(), JSON.stringify(op));
  }
}

/** An end has amounts. */
function isMeasured(op: Extract<Op, { op: 'settle' }>): boolean {
  return op.amounts.every(({ actual }) => actual !== 'unmeasured');
}

/** Ends of decisions without a hold, of counters beyond the hold, and without an amount are not booked as they are settled. */
function canReplay(
  book: Book,
  id: number,
  op: Extract<Op, { op: 'settle' }>,
  { outcome, charged }: SettleAnswer,
): boolean {
  const hold = book.snapshot().reservations.find((each) => each.id === String(id));
  const names = new Set(hold?.spends.map(({ counter }) => counter));
  const isMeasured = op.amounts.every(({ actual }) => actual !== 'unmeasured');
  return (
    hold !== undefined && outcome === 'changed' && isMeasured && charged.every(({ counter }) => names.has(counter))
  );
}

function restart(player: Player, book: Book): MemoryLimitStore {
  book.prune(player.now);
  const store = open(() => player.now);
  store.restore(book.snapshot());
  Object.assign(player, { store });
  return store;
}

describe('a restart', () => {
  const cuts = fc.array(fc.nat(59), { minLength: 1, maxLength: 4 }).map((places) => new Set(places));

  it('changes no answer, whenever it comes', () => {
    fc.assert(
      fc.property(aHistory({ opsMax: 60, adjusted: true }), cuts, (history, places) =>
        playBoth(history, places, false),
      ),
      { seed: 31, numRuns: 250 },
    );
  });

  it('settles what was booked and not settled', () => {
    fc.assert(
      fc.property(aHistory({ opsMax: 60, adjusted: true }), cuts, (history, places) => playBoth(history, places, true)),
      { seed: 32, numRuns: 250 },
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
