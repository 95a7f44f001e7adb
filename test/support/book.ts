import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import type { Meter } from '../../src/core/units.ts';
import type { Census } from '../../src/ledger/census.ts';
import type { Hold } from '../../src/ledger/hold.ts';
import { type BookedDecision, type BookedEnd, type LedgerReader, openLedgerReader } from '../../src/ledger/reader.ts';
import { until } from './until.ts';

export type Allowed = Extract<BookedDecision, { outcome: 'allow' }>;

/** The ledger of a Tollgate, read as it stands on disk, whether that Tollgate runs or not. */
export interface Book {
  read<T>(look: (reader: LedgerReader) => T): T;
  /** Undefined: the ledger knows nothing of it, or it was refused. */
  allowed(decisionId: string): Allowed | undefined;
  /** All that was admitted, in the order of the book. */
  everything(): readonly Allowed[];
  /** Waits for the end of a decision; fails if it has none in 10 s, or more than one. */
  ended(decisionId: string): Promise<Ended>;
  /** What a counter stands at. One that nothing is left of is gone from the book, and stands at nothing. */
  counter(counter: string): CounterState;
  census(): Census;
}

export interface Ended {
  readonly hold: Hold;
  readonly end: BookedEnd;
  /** Sums of the lines, by meter. */
  readonly quantities: Readonly<Partial<Record<Meter, number>>>;
  readonly charge: bigint;
  readonly cost: bigint;
  /** What the counter of a limit of this decision stands at. */
  counterOf(limit: string): CounterState;
}

/** Of a window or slots; `used` includes `held`. */
export interface CounterState {
  readonly used: number;
  readonly held: number;
}

export function bookOf(file: string): Book {
  const read = <T>(look: (reader: LedgerReader) => T): T => {
    const reader = openLedgerReader(file);
    try {
      return look(reader);
    } finally {
      reader.close();
    }
  };
  const allowed = (decisionId: string): Allowed | undefined => {
    const found = read((reader) => reader.decision(decisionId));
    return found?.outcome === 'allow' ? found : undefined;
  };
  const everything = (): readonly Allowed[] => {
    const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
    const ids = db.prepare('SELECT decision_id FROM holds ORDER BY seq').all();
    db.close();
    return read((reader) => ids.map((row) => reader.decision(row['decision_id'] as string) as Allowed));
  };
  const counter = (name: string): CounterState => {
    const [row] = read((reader) => reader.counters(name));
    if (row === undefined || row.state === '') return { used: 0, held: 0 };
    const [kind, used, held] = JSON.parse(row.state) as [string, number, number];
    assert.ok(kind === 'window' || kind === 'slots', `${name} is a ${kind}`);
    return { used, held };
  };
  return {
    read,
    allowed,
    everything,
    counter,
    census: () => read((reader) => reader.census({ nowMs: Date.now() })),
    async ended(decisionId) {
      const decision = await until(`end of ${decisionId}`, () => {
        const found = allowed(decisionId);
        return found !== undefined && found.ends.length > 0 ? found : undefined;
      });
      assert.equal(decision.ends.length, 1, `ends of ${decisionId}`);
      return {
        hold: decision.hold,
        end: decision.ends[0]!,
        ...sumsOf(decision),
        counterOf: (limit) => {
          const spend = decision.hold.spends.find((each) => each.limit === limit);
          assert.ok(spend, `${decisionId} holds nothing of ${limit}`);
          return counter(spend.counter);
        },
      };
    },
  };
}

export function sumsOf({ lines }: Allowed): Pick<Ended, 'quantities' | 'charge' | 'cost'> {
  const quantities: Partial<Record<Meter, number>> = {};
  for (const { meter, quantity } of lines) quantities[meter] = (quantities[meter] ?? 0) + quantity;
  return {
    quantities,
    charge: lines.reduce((sum, line) => sum + line.charge, 0n),
    cost: lines.reduce((sum, line) => sum + line.cost, 0n),
  };
}
