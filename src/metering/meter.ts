import { parseDecisionId } from '../core/ids.ts';
import type { Awaitable } from '../core/units.ts';
import { dialect } from '../dialects/dialects.ts';
import { type Hold, untraced } from '../ledger/hold.ts';
import type { Charged, End, Recovered } from '../ledger/ledger.ts';
import type { Expired, SettleAnswer } from '../limits/store.ts';
import { type Bill, billOfEntry, billOfExpiry, billOfWithdrawal } from './bill.ts';
import { copyDiffers, copyOf } from './copy.ts';
import { type MeterCounts, noCounts } from './counts.ts';
import type { LogEntry } from './entry.ts';
import { type Held, HeldMap, heldOf } from './held.ts';
import { orphanOf } from './orphan.ts';
import type { MeterPorts } from './ports.ts';
import { type Recalled, Recalls } from './recall.ts';
import { RequestIndex } from './requests.ts';
import { keptOf } from './settlement.ts';

const OPEN_MAX = 200_000;
const ENDED_MAX = 4096;

/** Reservations ended by one sweep, and overdue holds asked of the ledger. */
const SWEEP_MAX = 1000;

/** The ledger's own sweep: how often, and how long after its expiry a hold without an end is taken for lost (docs/money.md). */
const LEDGER_SWEEP_MS = 10_000;
const LEDGER_GRACE_MS = 60_000;

const BOOKED = { booked: true, source: 'hold' } as const;

/**
 * From access-log entries to settled counters and booked ends. Repetition and order change nothing: spends and ledger
 * lines carry ranks. Where the store answers with a value, the end is queued in the same synchronous turn, so that
 * counter changes and rows share one commit.
 */
export class Meter {
  readonly #ports: MeterPorts;
  readonly #held: HeldMap;
  readonly #recalls: Recalls | undefined;
  /** What the store kept of reservations it ended whose hold is not in memory, until the ledger's sweep finds the hold. */
  readonly #kept = new Map<string, Charged>();
  readonly #counts = noCounts();
  #ledgerSweptMs = Number.NEGATIVE_INFINITY;

  constructor(ports: MeterPorts) {
    this.#ports = ports;
    const { openMax = OPEN_MAX, endedMax = ENDED_MAX } = ports.settings;
    const recall = ports.recall?.bind(ports);
    this.#recalls = recall && new Recalls(recall);
    this.#held = new HeldMap(new RequestIndex(() => ports.clock.monotonicMs()), { openMax, endedMax });
  }

  /**
   * Queues a hold in the ledger and remembers it. False: the ledger has no room; the hold is remembered all the same.
   * `requestId`: Envoy's, by which an entry that came without our answer finds the hold.
   */
  admit(hold: Hold, requestId?: string): boolean {
    const booked = this.#ports.ledger.hold(hold);
    // Explain reads a trace from the book: remembered as well, it would be a third of what a busy process holds.
    const held = heldOf(booked ? untraced(hold) : hold, { booked, source: 'hold', requestId });
    if (!this.#held.open(held)) this.withdraw(hold);
    return booked;
  }

  /** Goes on with what a restart found in the ledger. What the store needs of it the store restores itself. */
  resume({ holds }: Recovered): void {
    for (const hold of holds) this.#held.open(heldOf(hold, BOOKED));
  }

  /**
   * Gives back at once all that a hold reserved: its Check was cancelled, answered too late, or refused after all. Its
   * rank is 0: should the request have gone through in spite of that, the access-log entry still counts.
   */
  withdraw(hold: Hold): Awaitable<void> {
    const held = this.#held.openOne(hold.decisionId) ?? heldOf(hold, { booked: false, source: 'hold' });
    const bill = billOfWithdrawal(held.hold, this.#ports.clock.nowMs());
    this.#counts.withdrawn++;
    // What the ledger never took has no end there.
    return held.booked ? this.#finish(held, bill) : this.#settle(bill, () => this.#held.end(held));
  }

  /** Takes entries in their order; settles in one turn what needs no waiting for. Never throws, never rejects. */
  takeAll(entries: readonly LogEntry[]): Awaitable<void> {
    const waits: Promise<void>[] = [];
    for (const entry of entries) {
      const taken = this.take(entry);
      if (taken instanceof Promise) waits.push(taken);
    }
    if (waits.length > 0) return Promise.all(waits).then(() => undefined);
  }

  /** Takes one entry of the access log: settles and books what it ends. Never throws, never rejects. */
  take(entry: LogEntry): Awaitable<void> {
    if (entry.decision === undefined && entry.kind === 'end') return this.#unanswered(entry);
    const id = entry.decision?.get('decision_id');
    if (entry.decision === undefined || id === undefined || entry.decision.get('outcome') !== 'allow') {
      this.#counts.ignored++;
      return;
    }
    if (entry.kind === 'periodic') return this.#heartbeat(id);
    if (entry.kind !== 'end') {
      this.#counts.ignored++;
      return;
    }
    const recalls = this.#recalls;
    const isKnown = this.#held.get(id) !== undefined || parseDecisionId(id)?.ledgerId !== this.#ports.ledger.id;
    if (recalls === undefined || (isKnown && !recalls.has(id))) return this.#takeKnown(entry, id);
    return recalls.ask(id).then((recalled) => this.#takeRecalled(entry, id, recalled));
  }

  /** By the hold in memory, else by the copy. */
  #takeKnown(entry: LogEntry, id: string): Awaitable<void> {
    const held = this.#held.get(id) ?? this.#copied(entry, id);
    if (held !== undefined) return this.#bill(entry, held);
  }

  #takeRecalled(entry: LogEntry, id: string, recalled: Recalled): Awaitable<void> {
    if (recalled === undefined) return this.#bookLate(entry, id);
    const { hold, ended } = recalled;
    if (hold !== undefined && this.#held.get(id) === undefined) {
      if (ended === undefined) this.#held.open(heldOf(hold, BOOKED));
      else this.#held.end(heldOf(hold, BOOKED));
    }
    return this.#takeKnown(entry, id);
  }

  /**
   * Whether it came before is not known. The ledger sees that by itself when it writes; the counters stay as they are, which
   * is right if it did. Not remembered, so that the next entry of the decision asks again, and settles.
   */
  #bookLate(entry: LogEntry, id: string): void {
    const held = this.#held.get(id) ?? this.#copied(entry, id);
    if (held === undefined) return;
    this.#counts.unsettled++;
    this.#tell({ ...this.#billOf(entry, held).end, charged: [] }, this.#held.get(id) === undefined);
  }

  /** The copy of a hold that is nowhere; undefined: it is not ours to book, and is listed. */
  #copied(entry: LogEntry, decisionId: string): Held | undefined {
    const nowMs = this.#ports.clock.nowMs();
    const copy = copyOf(entry.decision!, { decisionId, ledgerId: this.#ports.ledger.id, nowMs });
    if (typeof copy !== 'string') return heldOf(copy, { booked: false, source: 'entry' });
    this.#counts.orphans++;
    this.#ports.ledger.orphan(orphanOf(entry, { decisionId, atMs: nowMs, why: copy }));
    return undefined;
  }

  /** Envoy gave up before it had our answer, and sent nothing upstream: what was decided meanwhile is given back. */
  #unanswered({ requestId, attempts }: LogEntry): Awaitable<void> {
    const held = requestId === undefined || attempts > 0 ? undefined : this.#held.unanswered(requestId);
    if (held !== undefined) return this.withdraw(held.hold);
    this.#counts.ignored++;
  }

  /**
   * Ends what is overdue: in the store, whose answer says what its counters keep, and every ten seconds in the ledger.
   * Both are booked as unreconciled, with their estimate. Throws or rejects where store or ledger cannot be asked.
   */
  sweep(nowMs: number): Awaitable<void> {
    const swept = this.expire(undefined);
    if (nowMs - this.#ledgerSweptMs < LEDGER_SWEEP_MS) return swept;
    this.#ledgerSweptMs = nowMs;
    return then(swept, () => this.#sweepLedger(nowMs - LEDGER_GRACE_MS));
  }

  /**
   * Ends and books what is overdue of one customer, whose slots and estimates may be what a new question lacks; undefined:
   * of anybody. At most 1000 reservations. Throws or rejects where the store cannot be asked.
   */
  expire(customer: string | undefined): Awaitable<void> {
    return then(this.#ports.store.expire(customer, SWEEP_MAX), (ended) => this.#expired(ended));
  }

  counts(): MeterCounts {
    return { ...this.#counts, ...this.#held.counts() };
  }

  #bill(entry: LogEntry, held: Held): Awaitable<void> {
    const { hold, source } = held;
    const bill = this.#billOf(entry, held);
    if (source === 'entry' && entry.decision?.get('spends_omitted') === 'true') {
      // To settle without naming the counters would give all of them back; so they expire with what is reserved.
      this.#counts.unsettled++;
      return this.#booked(held, { ...bill.end, charged: keptOf(hold) });
    }
    if (source === 'entry' || entry.decision === undefined || !copyDiffers(entry.decision, hold)) {
      return this.#finish(held, bill);
    }
    this.#counts.differing++;
    return this.#finish(held, { ...bill, end: { ...bill.end, flags: [...bill.end.flags, 'hold_differs'] } });
  }

  #billOf(entry: LogEntry, { hold, source }: Held): Bill {
    return billOfEntry(entry, hold, {
      dialect: hold.dialect === undefined ? undefined : dialect(hold.dialect),
      source,
      atMs: this.#ports.clock.nowMs(),
      tables: this.#ports.prices(hold.priceVersion),
      models: this.#ports.policy()?.models,
    });
  }

  /** Settles, then books: in this order and, where the store answers with a value, in one turn. */
  #finish(held: Held, bill: Bill): Awaitable<void> {
    return this.#settle(bill, (charged) => this.#booked(held, { ...bill.end, charged }));
  }

  /** A settlement that the store does not take is the store's loss alone: the reservation expires there. */
  #settle({ end, settlements }: Bill, done: (charged: Charged) => void): Awaitable<void> {
    const { decisionId, rank, hold } = end;
    const failed = (): void => {
      this.#counts.storeFailed++;
      done(keptOf(hold));
    };
    const settled = ({ outcome, charged, crossed }: SettleAnswer): void => {
      if (outcome === 'same') this.#counts.repeated++;
      done(charged);
      for (const crossing of crossed) this.#ports.crossed?.(crossing);
    };
    let answer: Awaitable<SettleAnswer>;
    try {
      const { decidedAtMs: mintedAt, customer } = hold;
      answer = this.#ports.store.settle(decisionId, { mintedAt, rank, customer }, settlements);
    } catch {
      return failed();
    }
    return answer instanceof Promise ? answer.then(settled, failed) : settled(answer);
  }

  #booked(held: Held, end: End): void {
    const { decisionId } = held.hold;
    const isFirst = this.#held.openOne(decisionId) !== undefined || this.#held.get(decisionId) === undefined;
    this.#held.end(held);
    this.#tell(end, isFirst);
  }

  #tell(end: End, isFirst: boolean): void {
    this.#ports.ledger.end(end);
    if (isFirst) this.#ports.ended?.(end);
    if (end.kind !== 'corrected') this.#counts[end.kind]++;
    this.#counts[end.source === 'hold' ? 'fromHold' : 'fromEntry']++;
    if (end.flags.includes('usage_faulty')) this.#counts.faulty++;
  }

  /** Moves the expiry as far ahead as it stood when the decision was made. */
  #heartbeat(decisionId: string): Awaitable<void> {
    const held = this.#held.openOne(decisionId);
    if (held === undefined) return;
    const { hold } = held;
    const lastMs = hold.decidedAtMs + this.#ports.settings.settleWithinMs;
    const aheadMs = this.#ports.clock.nowMs() + hold.expiresAtMs - hold.decidedAtMs;
    const expiresAtMs = Math.min(aheadMs, lastMs);
    if (expiresAtMs <= held.expiresAtMs) return;
    this.#counts.heartbeats++;
    const failed = (): void => {
      this.#counts.storeFailed++;
    };
    try {
      const answer = this.#ports.store.extend(decisionId, expiresAtMs);
      this.#held.extend(decisionId, expiresAtMs);
      if (answer instanceof Promise) return answer.then(() => undefined, failed);
    } catch {
      failed();
    }
  }

  #expired(ended: readonly Expired[]): void {
    for (const { id, charged } of ended) {
      const held = this.#held.openOne(id);
      if (held !== undefined) this.#unreconcile(held, charged);
      else if (this.#held.get(id) === undefined && this.#kept.size < SWEEP_MAX) this.#kept.set(id, charged);
    }
  }

  async #sweepLedger(beforeMs: number): Promise<void> {
    for (const hold of await this.#ports.ledger.overdue(beforeMs, SWEEP_MAX)) {
      const held = this.#held.openOne(hold.decisionId) ?? heldOf(hold, BOOKED);
      if (held.expiresAtMs <= beforeMs) this.#unreconcile(held, this.#kept.get(hold.decisionId) ?? keptOf(hold));
      this.#kept.delete(hold.decisionId);
    }
  }

  #unreconcile(held: Held, charged: Charged): void {
    const tables = this.#ports.prices(held.hold.priceVersion);
    this.#booked(held, { ...billOfExpiry(held.hold, { tables, atMs: this.#ports.clock.nowMs() }), charged });
  }
}

/** Goes on with a value in the same turn, with a promise in a later one. */
function then<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
