/** What every ledger must do, over a factory: SQLite runs it, PostgreSQL will. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Hold } from '../../src/ledger/hold.ts';
import type { CounterRow, End, Ledger, Line } from '../../src/ledger/ledger.ts';
import { anyHold, anyLines, endOf, holdOf, lineOf, NOON_MS, refusalOf } from '../ledger/rows.ts';
import type { Scope } from '../support/scope.ts';

/** A ledger on storage of its own, and a look into what it stored. */
export interface LedgerBench {
  open(options?: {
    readonly queueMax?: number;
    readonly changedCounters?: () => readonly CounterRow[];
  }): Promise<Ledger>;
  /** Sums of a decision's lines, as `meter model quantity charge cost`, sorted; without those of nothing. */
  sums(decisionId: string): Promise<readonly string[]>;
  /** Count of the refusal row with this id; undefined: there is none. */
  refused(decisionId: string): Promise<number | undefined>;
  /** Rows of conflicts and orphans. */
  listed(): Promise<{ readonly conflicts: number; readonly orphans: number }>;
}

export function ledgerContract(name: string, bench: (scope: Scope) => Promise<LedgerBench>): void {
  describe(`ledger contract: ${name}`, { concurrency: 1 }, () => {
    test('an id of its own, for good', async (t) => {
      const { open } = await bench(t);
      const first = await open();
      assert.match(first.id, /^[a-z2-7]{8}$/);
      await first.close();
      const again = await open();
      assert.equal(again.id, first.id);
      await again.close();
    });

    test('a hold comes back as it was, without its trace', async (t) => {
      const { open } = await bench(t);
      const ledger = await open();
      const holds: Hold[] = [];
      fc.assert(
        fc.property(anyHold(ledger.id), (hold) => {
          holds.push(hold);
          return ledger.hold(hold);
        }),
        { seed: 7, numRuns: 60 },
      );
      await ledger.close();
      const again = await open();
      const { holds: found } = await again.recover(0);
      await again.close();
      assert.deepEqual(found, holds.map((hold) => ({ ...hold, trace: [] })).sort(byId));
    });

    /** Ranks in the order they come; which of them is the last that counts; what is counted. */
    const ORDERS: readonly [ranks: readonly number[], stands: number, repeated: number, superseded: number][] = [
      [[2], 2, 0, 0],
      [[2, 2, 2], 2, 2, 0],
      [[0], 0, 0, 0],
      [[0, 2], 2, 0, 0],
      [[2, 0], 2, 0, 1],
      [[0, 2, 3], 3, 0, 0],
      [[0, 3, 2], 3, 0, 1],
      [[2, 0, 3], 3, 0, 1],
      [[2, 3, 0], 3, 0, 1],
      [[3, 0, 2], 3, 0, 2],
      [[3, 2, 0], 3, 0, 2],
      [[0, 2, 0, 2, 3, 0, 2, 3], 3, 5, 0],
      [[0, 0, 2, 2], 2, 2, 0],
    ];
    for (const [index, [ranks, stands, repeated, superseded]] of ORDERS.entries()) {
      test(`order ${index + 1}: ranks ${ranks.join(', ')} leave rank ${stands}`, async (t) => {
        const { open, sums } = await bench(t);
        const ledger = await open();
        const hold = holdOf(ledger.id);
        ledger.hold(hold);
        for (const rank of ranks) ledger.end(endAt(hold, rank));
        await ledger.flush();
        assert.deepEqual(await sums(hold.decisionId), linesAt(stands).map(sumText).sort());
        const counts = ledger.counts();
        assert.deepEqual([counts.repeated, counts.superseded, counts.conflicts], [repeated, superseded, 0]);
        const { ended } = await ledger.find(hold.decisionId);
        assert.deepEqual(ended, { rank: stands, charged: [{ counter: 'c', amount: stands }] });
        await ledger.close();
      });
    }

    test('any order and repetition of any ends leaves the amounts of the highest rank', async (t) => {
      const { open, sums } = await bench(t);
      const ledger = await open();
      const amounts = fc.tuple(anyLines, fc.constant([]), anyLines, anyLines, anyLines);
      const history = fc.array(fc.constantFrom(0, 2, 3, 4), { minLength: 1, maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(amounts, history, async (linesOfRank, ranks) => {
          const hold = holdOf(ledger.id);
          ledger.hold(hold);
          for (const rank of ranks) {
            ledger.end(endOf(hold, { rank, lines: linesOfRank[rank]! }));
          }
          await ledger.flush();
          const last = Math.max(...ranks);
          const expected = linesOfRank[last]!.filter((line) => line.quantity || line.charge || line.cost);
          assert.deepEqual(await sums(hold.decisionId), expected.map(sumText).sort());
        }),
        { seed: 11, numRuns: 40 },
      );
      assert.equal(ledger.counts().conflicts, 0);
      await ledger.close();
    });

    test('the same rank with other amounts is listed once, and changes nothing', async (t) => {
      const { open, sums, listed } = await bench(t);
      const ledger = await open();
      const hold = holdOf(ledger.id);
      ledger.hold(hold);
      ledger.end(endOf(hold));
      const other = endOf(hold, { lines: [lineOf('input', 101, 126_000n)] });
      for (let times = 0; times < 3; times += 1) ledger.end(other);
      await ledger.flush();
      assert.deepEqual(await sums(hold.decisionId), endOf(hold).lines.map(sumText).sort());
      assert.equal(ledger.counts().conflicts, 3);
      assert.deepEqual(await listed(), { conflicts: 1, orphans: 0 });
      await ledger.close();
    });

    test('a correction to another model moves the whole charge there', async (t) => {
      const { open, sums } = await bench(t);
      const ledger = await open();
      const hold = holdOf(ledger.id);
      ledger.hold(hold);
      ledger.end(endOf(hold));
      ledger.end(
        endOf(hold, { rank: 3, kind: 'corrected', pricedModel: 'gpt-5-mini', lines: [lineOf('input', 100, 25_000n)] }),
      );
      await ledger.flush();
      assert.deepEqual(await sums(hold.decisionId), ['input gpt-5-mini 100 25000 20000']);
      await ledger.close();
    });

    test('an end whose hold was lost writes its copy as the hold', async (t) => {
      const { open, sums } = await bench(t);
      const ledger = await open();
      const lost = holdOf(ledger.id);
      const never = holdOf(ledger.id);
      ledger.end(endOf(lost, { source: 'entry' }));
      ledger.end(endOf(never, { source: 'hold' }));
      ledger.end(endOf(never, { source: 'hold', rank: 3 }));
      await ledger.flush();
      for (const { decisionId } of [lost, never]) {
        assert.deepEqual(await sums(decisionId), endOf(lost).lines.map(sumText).sort());
        const { hold, isCopy } = await ledger.find(decisionId);
        assert.deepEqual([hold?.decisionId, isCopy], [decisionId, true]);
      }
      await ledger.close();
    });

    test('money beyond 2^53 is exact', async (t) => {
      const { open, sums } = await bench(t);
      const ledger = await open();
      const hold = holdOf(ledger.id);
      ledger.hold(hold);
      const huge = { meter: 'input', quantity: 2 ** 53 - 1, charge: 2n ** 60n + 1n, cost: 2n ** 53n + 1n } as const;
      ledger.end(endOf(hold, { rank: 0, lines: [huge] }));
      ledger.end(endOf(hold, { lines: [{ ...huge, charge: huge.charge + 2n }] }));
      await ledger.flush();
      assert.deepEqual(await sums(hold.decisionId), [
        'input gpt-5 9007199254740991 1152921504606846979 9007199254740993',
      ]);
      await ledger.close();
    });

    test('recover and overdue list the open ones only, of any age', async (t) => {
      const { open } = await bench(t);
      const ledger = await open();
      const [old, oldEnded, open1, open2, ended] = [-90_000, -80_000, 2, 0, 1].map((offsetMs) =>
        holdOf(ledger.id, { decidedAtMs: NOON_MS + offsetMs }),
      ) as [Hold, Hold, Hold, Hold, Hold];
      for (const hold of [old, oldEnded, open1, open2, ended]) ledger.hold(hold);
      for (const hold of [oldEnded, ended]) ledger.end(endOf(hold));
      await ledger.flush();
      const ids = (holds: readonly Hold[]): readonly string[] => holds.map((hold) => hold.decisionId);
      const { holds } = await ledger.recover(NOON_MS);
      assert.deepEqual(ids(holds), ids([old, open2, open1]));
      assert.deepEqual(ids(await ledger.overdue(NOON_MS + 59_999, 10)), ids([old]));
      assert.deepEqual(ids(await ledger.overdue(NOON_MS + 60_002, 10)), ids([old, open2, open1]));
      assert.deepEqual(ids(await ledger.overdue(NOON_MS + 60_002, 2)), ids([old, open2]));
      await ledger.close();
    });

    test('what is recovered does not grow with what has ended, and each of those is found', async (t) => {
      const { open } = await bench(t);
      let changed: CounterRow[] = [];
      const take = () => {
        const taken = changed;
        changed = [];
        return taken;
      };
      const options = { decisionStates: '~decision|', changedCounters: take };
      const ledger = await open(options);
      const holds = Array.from({ length: 1_200 }, (_, at) => holdOf(ledger.id, { decidedAtMs: NOON_MS + at }));
      const stateOf = ({ decisionId }: Hold) => {
        return { counter: `~decision|${decisionId}`, state: '[1]', dropAtMs: NOON_MS + 1 };
      };
      const others = ['a', 'zz', '~decisio', '~decision}', '~other'].map((counter) => {
        return { counter, state: '[2]', dropAtMs: NOON_MS };
      });
      changed = [...others, ...holds.map(stateOf)];
      for (const hold of holds) ledger.hold(hold);
      const isOpen = (at: number): boolean => at % 2 === 0;
      for (const [at, hold] of holds.entries()) if (!isOpen(at)) ledger.end(endOf(hold));
      await ledger.close();

      const again = await open(options);
      const found = await again.recover(NOON_MS);
      const open1 = holds.filter((_, at) => isOpen(at));
      assert.deepEqual(
        found.holds.map(({ decisionId }) => decisionId),
        open1.map(({ decisionId }) => decisionId),
      );
      assert.deepEqual(
        found.counters.map((row) => ({ ...row })),
        [...others, ...open1.map(stateOf)],
      );
      const [ended] = holds.filter((_, at) => !isOpen(at)) as [Hold];
      const { hold, isCopy, ended: end, states } = await again.find(ended.decisionId);
      assert.equal(isCopy, false);
      assert.deepEqual(hold, { ...ended, trace: [] });
      assert.deepEqual(end, { rank: 2, charged: endOf(ended).charged });
      assert.deepEqual(
        states.map((row) => ({ ...row })),
        [stateOf(ended)],
      );
      await again.close();
    });

    test('find answers by what is queued; of an id that it never saw, nothing', async (t) => {
      const { open } = await bench(t);
      const ledger = await open();
      const hold = holdOf(ledger.id);
      const nothing = { hold: undefined, isCopy: false, ended: undefined, states: [] };
      assert.deepEqual(await ledger.find(hold.decisionId), nothing);
      ledger.hold(hold);
      assert.equal((await ledger.find(hold.decisionId)).hold?.decisionId, hold.decisionId);
      ledger.end(endOf(hold, { rank: 3 }));
      assert.equal((await ledger.find(hold.decisionId)).ended?.rank, 3);
      await ledger.close();
      await assert.rejects(ledger.find(hold.decisionId), { code: 'ledger_unavailable' });
    });

    test('counters: the last state stands, the dead are forgotten', async (t) => {
      const { open } = await bench(t);
      let changed: readonly CounterRow[] = [{ counter: 'a', state: '{"used":1}', dropAtMs: NOON_MS + 5 }];
      const ledger = await open({ changedCounters: () => changed });
      await ledger.flush();
      changed = [
        { counter: 'a', state: '{"used":2}', dropAtMs: NOON_MS + 9 },
        { counter: 'dead', state: '{}', dropAtMs: NOON_MS - 1 },
      ];
      await ledger.close();
      const again = await open();
      const { counters } = await again.recover(NOON_MS);
      assert.deepEqual(
        counters.map((row) => ({ ...row })),
        [{ counter: 'a', state: '{"used":2}', dropAtMs: NOON_MS + 9 }],
      );
      await again.close();
    });

    test('prices stay under their version', async (t) => {
      const { open } = await bench(t);
      const ledger = await open();
      const tables = { currency: 'USD', decimals: 9, charge: { standard: {} }, cost: {} };
      await ledger.keepPrices('v1', tables);
      await ledger.keepPrices('v1', { cost: {}, charge: { standard: {} }, decimals: 9, currency: 'USD' });
      await assert.rejects(ledger.keepPrices('v1', { ...tables, decimals: 6 }), { code: 'bundle_invalid' });
      await ledger.close();
      const again = await open();
      assert.deepEqual(await again.prices('v1'), tables);
      assert.equal(await again.prices('v2'), undefined);
      await again.close();
    });

    test('refusals fold per minute and key, and answer with the row they are folded into', async (t) => {
      const { open, refused } = await bench(t);
      const ledger = await open();
      const first = refusalOf(ledger.id);
      assert.equal(ledger.refuse(first), first.decisionId);
      for (let times = 0; times < 4; times += 1) {
        assert.equal(ledger.refuse(refusalOf(ledger.id, { decidedAtMs: NOON_MS + times })), first.decisionId);
      }
      const apart = [
        refusalOf(ledger.id, { credential: 'other' }),
        refusalOf(ledger.id, { account: 'acme' }),
        refusalOf(ledger.id, { route: 'embeddings' }),
        refusalOf(ledger.id, { requestedModel: undefined }),
        refusalOf(ledger.id, { reason: 'budget_spent' }),
        refusalOf(ledger.id, { limit: undefined }),
        refusalOf(ledger.id, { decidedAtMs: NOON_MS + 60_000 }),
      ];
      for (const refusal of apart) assert.equal(ledger.refuse(refusal), refusal.decisionId);
      await ledger.flush();
      assert.equal(await refused(first.decisionId), 5);
      for (const refusal of apart) assert.equal(await refused(refusal.decisionId), 1);
      assert.equal(ledger.counts().folded, 4);
      await ledger.close();
    });

    test('orphans are kept once', async (t) => {
      const { open, listed } = await bench(t);
      const ledger = await open();
      const orphan = { decisionId: 'zzzzzzzz-1', atMs: NOON_MS, why: 'other_ledger', entry: '{"status":200}' };
      for (let times = 0; times < 3; times += 1) ledger.orphan(orphan);
      ledger.orphan({ ...orphan, decisionId: "'; --" });
      await ledger.flush();
      assert.deepEqual(await listed(), { conflicts: 0, orphans: 2 });
      await ledger.close();
    });

    test('a full queue takes no hold, and every end', async (t) => {
      const { open, sums } = await bench(t);
      const ledger = await open({ queueMax: 3 });
      const holds = [1, 2, 3, 4].map(() => holdOf(ledger.id));
      // All in one turn: nothing can be handed over in between.
      assert.deepEqual(
        holds.map((hold) => ledger.hold(hold)),
        [true, true, true, false],
      );
      for (const hold of holds) ledger.end(endOf(hold));
      assert.equal(ledger.counts().queued, 7);
      await ledger.flush();
      assert.equal(ledger.counts().queued, 0);
      assert.equal(ledger.hold(holdOf(ledger.id)), true);
      for (const hold of holds) {
        assert.deepEqual(await sums(hold.decisionId), endOf(hold).lines.map(sumText).sort());
      }
      await ledger.close();
    });

    test('a closed ledger takes nothing', async (t) => {
      const { open } = await bench(t);
      const ledger = await open();
      await ledger.close();
      await ledger.close();
      assert.equal(ledger.hold(holdOf(ledger.id)), false);
      await assert.rejects(ledger.prices('v1'), { code: 'ledger_unavailable' });
    });
  });
}

function linesAt(rank: number): readonly Line[] {
  return [
    lineOf('input', 10 * (rank + 1), 1000n * BigInt(rank + 1)),
    lineOf(rank === 3 ? 'cache_read' : 'output', 7, 70n),
  ];
}

function endAt(hold: Hold, rank: number): End {
  return endOf(hold, { rank, lines: linesAt(rank), charged: [{ counter: 'c', amount: rank }] });
}

function sumText(line: Line): string {
  return `${line.meter} gpt-5 ${line.quantity} ${line.charge} ${line.cost}`;
}

/** Ids of one ledger are in the order of their time. */
function byId(a: Hold, b: Hold): number {
  return a.decisionId < b.decisionId ? -1 : 1;
}
