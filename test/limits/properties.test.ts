/** The five properties that limits.md ends with. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { evaluate, type Reading } from '../../src/limits/evaluate.ts';
import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import type { Ask, CounterRef, ReserveAnswer, SettleAnswer, Spend } from '../../src/limits/store.ts';
import { aHistory, LIMITS, type LimitName, Player, SETTLE_WITHIN_MS, spendOfOp, T0 } from './history.ts';

function memory(nowMs: () => number, isDurable = false): MemoryLimitStore {
  return new MemoryLimitStore({ nowMs, monotonicMs: nowMs }, { settleWithinMs: 10 * SETTLE_WITHIN_MS, isDurable });
}

function usedBy(look: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    look.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1).split('/')[0])];
    }),
  );
}

describe('1: no admission passes a ceiling', () => {
  it('at every admission, for every enforced spend: used + amount ≤ ceiling', () => {
    let admissions = 0;
    fc.assert(
      fc.property(aHistory({ opsMax: 60, adjusted: true }), (history) => {
        const player = new Player(memory);
        for (const op of history) {
          const before = usedBy(player.look());
          const answer = player.play(op);
          if (op.op !== 'reserve' || op.mode !== 'ask') continue;
          const { outcome, candidate } = answer as ReserveAnswer & { candidate: number };
          if (outcome !== 'admitted') continue;
          const after = usedBy(player.look());
          const spends = player.askOf(op).candidates[candidate]!;
          for (const spend of spends) {
            const isAsked = after.get(spend.counter) !== before.get(spend.counter);
            if (spend.observe || !isAsked) continue;
            admissions++;
            assert.ok(before.get(spend.counter)! + spend.amount <= spend.ceiling, JSON.stringify(spend));
            assert.equal(after.get(spend.counter), before.get(spend.counter)! + spend.amount);
          }
        }
      }),
      { seed: 1, numRuns: 250 },
    );
    assert.ok(admissions > 1000);
  });

  it('used passes it later only by what was used beyond what was charged', () => {
    const limit = (name: LimitName) =>
      spendOfOp({ limit: name, amount: 1, observe: false, yieldsAt: undefined }, undefined);
    const step = fc.record({
      id: fc.nat(20),
      isReserve: fc.boolean(),
      amount: fc.integer({ min: 1, max: 40 }),
      rank: fc.integer({ min: 0, max: 4 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom('hour' as const, 'day' as const),
        fc.array(step, { minLength: 10, size: 'max', maxLength: 80 }),
        (name, steps) => {
          const player = new Player(memory);
          const spend = limit(name);
          const charged = new Map<number, number>();
          let beyond = 0;
          for (const { id, isReserve, amount, rank } of steps) {
            player.now += 7;
            if (isReserve) {
              const answer = player.store.reserve(
                askFor(String(id), [[{ ...spend, amount }]], player.now),
              ) as ReserveAnswer;
              if (answer.outcome === 'admitted') charged.set(id, amount);
            } else {
              const { outcome } = player.store.settle(String(id), { mintedAt: T0, rank, customer: 'acme' }, [
                { ref: spend, actual: amount },
              ]) as SettleAnswer;
              if (outcome !== 'changed') continue;
              beyond += Math.max(0, amount - (charged.get(id) ?? 0));
              charged.set(id, amount);
            }
            assert.ok(usedBy(player.look()).get(spend.counter)! <= spend.ceiling + beyond);
          }
        },
      ),
      { seed: 2, numRuns: 300 },
    );
  });
});

describe('2: refused, known, moved and dry change nothing', () => {
  it('neither a counter, nor what would be kept, nor a later answer', () => {
    let asked = 0;
    fc.assert(
      fc.property(aHistory({ opsMax: 50, adjusted: true }), (history) => {
        const stores: MemoryLimitStore[] = [];
        const make = (nowMs: () => number) => {
          const store = memory(nowMs, true);
          stores.push(store);
          return store;
        };
        const player = new Player(make);
        const without = new Player(make);
        const store = stores[0]!;
        for (const op of history) {
          store.changes();
          const before = player.look();
          const answer = player.play(op) as ReserveAnswer | undefined;
          const isVoid = op.op === 'reserve' && (op.mode === 'dry' || answer?.outcome !== 'admitted');
          if (!isVoid) {
            assert.deepEqual(without.play(op), answer);
            continue;
          }
          without.askOf(op);
          asked++;
          assert.deepEqual(player.look(), before);
          // A run that has ended may be taken out on the way: that changes no answer.
          assert.deepEqual(
            store.changes().filter(({ state }) => state !== ''),
            [],
          );
        }
        assert.deepEqual(player.look(), without.look());
      }),
      { seed: 3, numRuns: 250 },
    );
    assert.ok(asked > 500);
  });
});

describe('3: the order of events does not matter', () => {
  type Event = 'reserve' | 'expire' | { readonly rank: number };
  const names = ['hour', 'day', 'total'] as const;

  it('windows and totals end at one value for every order and repetition', () => {
    const amounts = fc.record(
      Object.fromEntries(names.map((name) => [name, fc.nat(9)])) as Record<
        (typeof names)[number],
        fc.Arbitrary<number>
      >,
    );
    const decision = fc.record({
      reserved: fc.record({
        hour: fc.integer({ min: 1, max: 9 }),
        day: fc.integer({ min: 1, max: 9 }),
        total: fc.integer({ min: 1, max: 9 }),
      }),
      settles: fc.uniqueArray(
        fc.record({ rank: fc.integer({ min: 1, max: 4 }), amounts, names: fc.subarray([...names]) }),
        {
          selector: ({ rank }) => rank,
          maxLength: 4,
        },
      ),
    });
    const orders = (count: number) => fc.tuple(shuffled(count), shuffled(count));
    fc.assert(
      fc.property(
        fc.tuple(decision, decision).chain((decisions) => {
          const events = decisions.flatMap(({ settles }, index) =>
            [...(['reserve', 'expire'] as Event[]), ...settles.map(({ rank }) => ({ rank }))].map((event) => ({
              index,
              event,
            })),
          );
          return fc.tuple(fc.constant(decisions), fc.constant(events), orders(events.length));
        }),
        ([decisions, events, [one, other]]) => {
          const ends = [one, other].map((order) => {
            const player = new Player(memory);
            for (const place of order) {
              const { index, event } = events[place]!;
              const { reserved, settles } = decisions[index]!;
              player.now += 3;
              if (event === 'reserve') {
                const spends = names.map((name) =>
                  spendOfOp({ limit: name, amount: reserved[name], observe: false, yieldsAt: undefined }, 'r'),
                );
                const ask = askFor(String(index), [spends], player.now, { mintedAt: T0, expiresAt: T0 });
                player.store.reserve({ ...ask, run: { marker: 'r', idleMs: 1_000_000 } });
              } else if (event === 'expire') {
                player.store.expire('acme', 100);
              } else {
                const settle = settles.find(({ rank }) => rank === event.rank)!;
                const settlements = settle.names.map((name) => ({
                  ref: refOf(name, 'r'),
                  actual: settle.amounts[name],
                }));
                player.store.settle(String(index), { mintedAt: T0, rank: event.rank, customer: 'acme' }, settlements);
              }
            }
            // The sweep runs each second: what is due is ended at last.
            player.store.expire('acme', 100);
            return player.look();
          });
          assert.deepEqual(ends[0], ends[1]);
        },
      ),
      { seed: 4, numRuns: 1500 },
    );
  });

  /** Every place at least once, some again, in any order. */
  function shuffled(count: number): fc.Arbitrary<number[]> {
    const places = Array.from({ length: count }, (_, place) => place);
    return fc
      .tuple(
        fc.shuffledSubarray(places, { minLength: count }),
        fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count)), { maxLength: count }),
      )
      .map(([order, again]) => {
        const all = [...order];
        for (const [place, at] of again) all.splice(at, 0, place);
        return all;
      });
  }
});

describe('4: a bucket sells its rate and its burst, and no more', () => {
  interface Sold {
    readonly at: number;
    actual: number;
    beyond: number;
  }
  const n = 3;
  const p = 700;
  const capacity = 60;
  const ref = { counter: 'acme|b|bucket|', kind: 'bucket', onExpiry: 'keep', n, p } as const;

  for (const unit of ['tokens', 'requests'] as const) {
    it(`${unit}: over any time, admitted actual ≤ burst + rate · time + Σ max(0, actual − charged)`, () => {
      const step = fc.record({
        waitMs: fc.oneof(fc.nat(60), fc.nat(4000)),
        id: fc.nat(30),
        what: fc.constantFrom(
          'reserve' as const,
          'reserve' as const,
          'settle' as const,
          'settle' as const,
          'expire' as const,
        ),
        amount: fc.integer({ min: 1, max: unit === 'tokens' ? 50 : 2 }),
        rank: fc.integer({ min: 0, max: 4 }),
      });
      fc.assert(
        fc.property(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), (steps) => {
          const player = new Player(memory);
          const sold = new Map<number, Sold>();
          for (const { waitMs, id, what, amount, rank } of steps) {
            player.now += waitMs;
            const mine = sold.get(id);
            if (what === 'reserve') {
              const spend = { ...ref, unit, limit: 'b', amount, ceiling: capacity, observe: false };
              const answer = player.store.reserve(askFor(String(id), [[spend]], player.now)) as ReserveAnswer;
              if (answer.outcome === 'admitted') sold.set(id, { at: player.now, actual: amount, beyond: 0 });
            } else if (what === 'expire') {
              player.store.expire(undefined, 3);
            } else if (mine !== undefined) {
              const actual = rank === 0 ? 0 : amount;
              const answer = player.store.settle(String(id), { mintedAt: mine.at, rank, customer: 'acme' }, [
                { ref: { ...ref, unit }, actual },
              ]) as SettleAnswer;
              if (answer.outcome !== 'changed') continue;
              mine.beyond += Math.max(0, actual - mine.actual);
              mine.actual = actual;
            }
          }
          const all = [...sold.values()];
          for (const { at: from } of all) {
            for (const { at: until } of all) {
              const within = all.filter(({ at }) => from <= at && at <= until);
              const actual = within.reduce((sum, each) => sum + each.actual, 0);
              const beyond = all.reduce((sum, each) => sum + each.beyond, 0);
              assert.ok(
                (actual - capacity - beyond) * p <= n * Math.max(0, until - from),
                `${actual} in ${until - from} ms`,
              );
            }
          }
        }),
        { seed: 5, numRuns: 600 },
      );
    });
  }

  it('a client inside its rate gets at least 95 % of it, whatever it reserves, while its estimates fit the burst', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 10, maxLength: 10 }),
        fc.boolean(),
        (actual, overestimate, callMs, jitter, isStreamDone) => {
          // It asks for `actual` as often as the rate allows; calls last up to `callMs`, as many run at once as that needs.
          const everyMs = Math.ceil((actual * p) / n);
          const atOnce = Math.ceil(callMs / everyMs) + 1;
          const estimate = actual * overestimate;
          const burst = atOnce * (estimate + actual);
          const player = new Player(memory);
          const events: { at: number; id: number; isEnd: boolean }[] = [];
          const count = 200;
          for (let id = 0; id < count; id++) {
            const at = T0 + id * everyMs;
            const lastsMs = Math.max(1, Math.floor(callMs * jitter[id % jitter.length]!));
            events.push({ at, id, isEnd: false }, { at: at + lastsMs, id, isEnd: true });
          }
          events.sort((a, b) => a.at - b.at || Number(b.isEnd) - Number(a.isEnd));
          const admitted = new Set<number>();
          for (const { at, id, isEnd } of events) {
            player.now = at;
            if (!isEnd) {
              const spend: Spend = {
                ...ref,
                unit: 'tokens',
                limit: 'b',
                amount: estimate,
                ceiling: burst,
                observe: false,
              };
              const ask = askFor(String(id), [[spend]], at, { expiresAt: at + 100_000 });
              if ((player.store.reserve(ask) as ReserveAnswer).outcome === 'admitted') admitted.add(id);
            } else if (admitted.has(id)) {
              const tell = (rank: number, amount: number | 'unmeasured') =>
                player.store.settle(String(id), { mintedAt: T0 + id * everyMs, rank, customer: 'acme' }, [
                  { ref: { ...ref, unit: 'tokens' }, actual: amount },
                ]);
              if (isStreamDone) tell(1, 'unmeasured');
              tell(2, actual);
            }
          }
          assert.ok(admitted.size >= 0.95 * count, `${admitted.size} of ${count}`);
        },
      ),
      { seed: 6, numRuns: 60 },
    );
  });

  it('a client that waits as it is told, and no longer, gets its whole rate', () => {
    const player = new Player(memory);
    const spend: Spend = { ...ref, unit: 'requests', limit: 'b', amount: 1, ceiling: capacity, observe: false };
    let admitted = 0;
    for (let id = 0; player.now < T0 + 700_000; ) {
      const answer = player.store.reserve(askFor(String(id), [[spend]], player.now)) as ReserveAnswer;
      if (answer.outcome === 'admitted') {
        admitted++;
        id++;
      } else {
        assert.ok(answer.outcome === 'refused' && typeof answer.waitMs === 'number');
        player.now += answer.waitMs;
      }
    }
    // 60 at once, then 3 each 700 ms, the last before 700 s.
    assert.equal(admitted, capacity + (3 * 700_000) / 700 - 1);
  });
});

describe('5: a refusal blames only limits whose freeing would admit', () => {
  const aReading = fc.record({ spent: fc.nat(100), held: fc.nat(60) });
  const line = fc.record({
    name: fc.constantFrom('hour' as const, 'rate' as const, 'slots' as const, 'total' as const),
    amount: fc.integer({ min: 1, max: 60 }),
    observe: fc.boolean(),
    yieldsAt: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
    reading: aReading,
  });

  it('all it blames, and each of it', () => {
    let refusals = 0;
    fc.assert(
      fc.property(
        fc.array(fc.uniqueArray(line, { selector: ({ name }) => name, minLength: 1 }), { minLength: 1, maxLength: 3 }),
        (lines) => {
          const candidates = lines.map((spends, candidate) =>
            spends.map(({ name, amount, observe, yieldsAt }) => ({
              ...spendOfOp({ limit: name, amount, observe, yieldsAt }, 'r'),
              counter: `${candidate} ${name}`,
            })),
          );
          const verdict = judge(candidates, lines, new Set());
          if (verdict.admitted) return;
          const last = candidates[verdict.candidate]!;
          const couldFit = verdict.blocked.every(
            (i) => verdict.states[verdict.candidate]![i]!.waitMs !== 'never' || last[i]!.kind === 'total',
          );
          const most = (spend: Spend) => Math.min(spend.ceiling, spend.yields?.spentMax ?? spend.ceiling);
          if (!couldFit || verdict.blocked.some((i) => last[i]!.amount > most(last[i]!))) return;
          refusals++;
          const free = (freed: readonly number[]) => {
            const names = new Set(freed.map((i) => last[i]!.counter));
            return judge([last], [lines[verdict.candidate]!], names).admitted;
          };
          assert.ok(verdict.blocked.length > 0);
          assert.ok(free(verdict.blocked), 'all freed');
          for (const one of verdict.blocked)
            assert.ok(!free(verdict.blocked.filter((i) => i !== one)), 'one not freed');
          assert.ok(verdict.blocked.every((i) => !last[i]!.observe));
        },
      ),
      { seed: 7, numRuns: 2000 },
    );
    assert.ok(refusals > 200);
  });

  it('and tells how long: then it fits, 1 ms before it does not', () => {
    let waits = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.nat(3000)), { minLength: 3, maxLength: 30 }),
        (calls) => {
          const player = new Player(memory);
          const spendsAt = (amount: number) => {
            // Each window is a counter of its own.
            const window = Math.floor((player.now - T0) / 5000);
            const rate = spendOfOp({ limit: 'rate', amount, observe: false, yieldsAt: undefined }, undefined);
            const hour = spendOfOp({ limit: 'hour', amount, observe: false, yieldsAt: undefined }, undefined);
            return [rate, { ...hour, ceiling: 60, counter: `${hour.counter}${window}`, end: T0 + 5000 * (window + 1) }];
          };
          for (const [id, [amount, pauseMs]] of calls.entries()) {
            player.now += pauseMs;
            const ask = () => player.store.reserve(askFor(String(id), [spendsAt(amount)], player.now)) as ReserveAnswer;
            let answer = ask();
            if (answer.outcome === 'refused') {
              assert.ok(typeof answer.waitMs === 'number');
              waits++;
              player.now += answer.waitMs - 1;
              assert.equal(ask().outcome, 'refused');
              player.now += 1;
              answer = ask();
            }
            assert.equal(answer.outcome, 'admitted');
            const settlements = spendsAt(amount).map((ref) => ({ ref, actual: amount }));
            player.store.settle(String(id), { mintedAt: player.now, rank: 2, customer: 'acme' }, settlements);
          }
        },
      ),
      { seed: 8, numRuns: 200 },
    );
    assert.ok(waits > 200);
  });

  function judge(
    candidates: readonly (readonly Spend[])[],
    lines: readonly (readonly { readonly reading: { readonly spent: number; readonly held: number } }[])[],
    freed: ReadonlySet<string>,
  ) {
    const readings = new Map<string, Reading>();
    for (const [candidate, spends] of candidates.entries()) {
      for (const [i, spend] of spends.entries()) {
        const { spent, held } = freed.has(spend.counter) ? { spent: 0, held: 0 } : lines[candidate]![i]!.reading;
        const level = { units: spent, parts: 0, at: T0, p: spend.p ?? 1 };
        readings.set(spend.counter, { used: spent + held, spent, level });
      }
    }
    return evaluate(candidates, { read: (spend) => readings.get(spend.counter) }, T0, undefined);
  }
});

function askFor(id: string, candidates: readonly (readonly Spend[])[], now: number, extra: Partial<Ask> = {}): Ask {
  return {
    id,
    mintedAt: now,
    expiresAt: now + 2000,
    customer: 'acme',
    from: 0,
    until: Number.MAX_SAFE_INTEGER,
    candidates,
    ...extra,
  };
}

function refOf(limit: LimitName, run: string): CounterRef {
  return {
    ...LIMITS[limit],
    counter: spendOfOp({ limit, amount: 1, observe: false, yieldsAt: undefined }, run).counter,
  };
}
