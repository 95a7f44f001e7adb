import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PriceShelf } from '../../src/app/price-shelf.ts';
import { recall, recover } from '../../src/app/recovery.ts';
import type { Clock } from '../../src/core/clock.ts';
import { mintDecisionId } from '../../src/core/ids.ts';
import { holdToFields } from '../../src/ledger/fields.ts';
import type { HeldSpend, Hold } from '../../src/ledger/hold.ts';
import { openSqliteLedger, type SqliteLedger, type SqliteLedgerOptions } from '../../src/ledger/sqlite-ledger.ts';
import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import { RESERVATION } from '../../src/limits/rows.ts';
import type { LimitStore } from '../../src/limits/store.ts';
import type { LogEntry } from '../../src/metering/entry.ts';
import { Meter } from '../../src/metering/meter.ts';
import type { MeterPorts } from '../../src/metering/ports.ts';
import { restoredOf } from '../../src/metering/restore.ts';
import type { Policy } from '../../src/policy/policy.ts';
import type { Scope } from '../support/scope.ts';
import { DECIDED_MS, entryOf, holdOf, MODELS, spendOf, TABLES, usageOf } from './fixtures.ts';

export const SETTLE_WITHIN_MS = 1_500_000;

/** One of each unit, in windows that last the test, and a slot. */
export const SPENDS: readonly HeldSpend[] = [
  spendOf({ unit: 'requests', reserved: 1 }),
  spendOf({ unit: 'tokens', reserved: 300 }),
  spendOf({ unit: 'charge', reserved: 2202 }),
  spendOf({ unit: 'cost', reserved: 1102 }),
  spendOf({ unit: 'requests', reserved: 1, kind: 'slots', limit: 'in-flight' }),
];

/** What the counters of SPENDS have used: of one open hold, of one that `endEntry` settled, of none, of one that expired. */
export const RESERVED = { requests: 1, tokens: 300, charge: 2202, cost: 1102, 'in-flight': 1 };
export const SETTLED = { requests: 1, tokens: 110, charge: 380, cost: 190, 'in-flight': 0 };
export const NOTHING = { requests: 0, tokens: 0, charge: 0, cost: 0, 'in-flight': 0 };
export const EXPIRED = { ...RESERVED, 'in-flight': 0 };

/** A meter over the real memory store and a real SQLite ledger, which keeps its counters, in a directory of its own. */
export class Desk {
  nowMs = DECIDED_MS;
  readonly clock: Clock = { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs };
  readonly #options: SqliteLedgerOptions;
  store!: MemoryLimitStore;
  ledger!: SqliteLedger;
  meter!: Meter;
  recall!: NonNullable<MeterPorts['recall']>;

  constructor(options: SqliteLedgerOptions) {
    this.#options = options;
  }

  /** Opens the ledger and goes on with what it has kept, as a process does that starts. */
  async start(): Promise<void> {
    const store = new MemoryLimitStore(this.clock, { settleWithinMs: SETTLE_WITHIN_MS, isDurable: true });
    this.store = store;
    const ledger = await openSqliteLedger({
      ...this.#options,
      changedCounters: () => store.changes(),
      decisionStates: RESERVATION,
    });
    this.ledger = ledger;
    const shelved = { ledger, prices: new PriceShelf(SETTLE_WITHIN_MS), nowMs: () => this.nowMs };
    const recovered = await recover(shelved, this.nowMs - SETTLE_WITHIN_MS);
    store.restore(restoredOf(recovered));
    this.recall = (decisionId) => recall(decisionId, { store, ...shelved });
    this.meter = this.newMeter({ recall: this.recall });
    this.meter.resume(recovered);
  }

  /** Another meter on the same store and ledger, which remembers nothing; unless it is told how, it asks the ledger of nothing. */
  newMeter(other: Partial<MeterPorts> = {}): Meter {
    return new Meter({
      store: this.store,
      ledger: this.ledger,
      clock: this.clock,
      prices: (version) => (version === holdOf().priceVersion ? TABLES : undefined),
      policy: () => ({ models: MODELS }) as Policy,
      settings: { settleWithinMs: SETTLE_WITHIN_MS },
      ...other,
    });
  }

  /** A hold of this ledger, reserved in the store as a decision does it. Not yet given to the meter. */
  async reserve(some: Partial<Hold> = {}): Promise<Hold> {
    const decisionId = mintDecisionId(this.ledger.id, this.nowMs);
    const hold = holdOf({ decisionId, decidedAtMs: this.nowMs, spends: SPENDS, ...some });
    const answer = await this.store.reserve(this.#askOf(hold));
    if (answer.outcome !== 'admitted') throw new Error(`expected \`admitted\`, got \`${answer.outcome}\``);
    return hold;
  }

  async admit(some: Partial<Hold> = {}): Promise<Hold> {
    const hold = await this.reserve(some);
    this.meter.admit(hold);
    return hold;
  }

  /** What each of SPENDS' counters has used, by limit. */
  async used(): Promise<Record<string, number>> {
    const answer = await this.store.reserve(this.#askOf(holdOf({ spends: SPENDS })), { dry: true });
    if (answer.outcome !== 'admitted' && answer.outcome !== 'refused') throw new Error(answer.outcome);
    return Object.fromEntries(SPENDS.map(({ limit }, index) => [limit, answer.states[0]?.[index]?.used ?? -1]));
  }

  /** Rows of the ledger once all that was queued is on disk. */
  async rows(sql: string, ...values: string[]): Promise<readonly Record<string, unknown>[]> {
    await this.ledger.flush();
    const db = new DatabaseSync(this.#options.file, { readOnly: true });
    try {
      return db
        .prepare(sql)
        .all(...values)
        .map((row) => ({ ...row }));
    } finally {
      db.close();
    }
  }

  /** Ends of a decision, oldest first, as `rank kind source charge cost`. */
  async ends({ decisionId }: Hold): Promise<readonly string[]> {
    const rows = await this.rows(
      'SELECT rank, kind, source, charge, cost FROM ends WHERE decision_id = ? ORDER BY rank',
      decisionId,
    );
    return rows.map((row) => Object.values(row).join(' '));
  }

  /** What is booked for a decision in all. */
  async booked({ decisionId }: Hold): Promise<Record<string, unknown>> {
    const sums =
      'SELECT coalesce(sum(quantity), 0) AS tokens, coalesce(sum(charge), 0) AS charge, coalesce(sum(cost), 0) AS cost';
    return (await this.rows(`${sums} FROM lines WHERE decision_id = ?`, decisionId))[0]!;
  }

  async flags({ decisionId }: Hold): Promise<string> {
    const rows = await this.rows('SELECT flags FROM ends WHERE decision_id = ? ORDER BY rank DESC', decisionId);
    return String(rows[0]?.['flags']);
  }

  #askOf(hold: Hold): Parameters<LimitStore['reserve']>[0] {
    return {
      id: hold.decisionId,
      mintedAt: this.nowMs,
      expiresAt: hold.expiresAtMs,
      customer: hold.customer,
      from: 0,
      until: Number.MAX_SAFE_INTEGER,
      candidates: [
        hold.spends.map(({ reserved, ...ref }) => ({ ...ref, amount: reserved, ceiling: 1e12, observe: false })),
      ],
    };
  }
}

export async function openDesk(scope: Scope, options: Omit<SqliteLedgerOptions, 'file'> = {}): Promise<Desk> {
  const dir = await mkdtemp(join(tmpdir(), 'tg-'));
  const desk = new Desk({ ...options, file: join(dir, 'ledger.sqlite') });
  // One hook, because a test runs its hooks in the order they were made: the ledger has to be closed before it goes.
  scope.after(async () => {
    await desk.ledger.close();
    await rm(dir, { recursive: true, force: true });
  });
  await desk.start();
  return desk;
}

/** The last entry of a request that used 90 tokens of input and 20 of output: charge 380, cost 190. */
export function endEntry(hold: Hold, some: Partial<LogEntry> = {}): LogEntry {
  return entryOf({ decision: new Map<string, string>(holdToFields(hold)), usage: usageOf(90, 20), ...some });
}
