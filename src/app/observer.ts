/** A whole bundle that decides beside the one in force and never answers: what would happen if it were enforced. */
import type { Clock } from '../core/clock.ts';
import { mintDecisionId } from '../core/ids.ts';
import type { Awaitable } from '../core/units.ts';
import type { Call } from '../decision/call.ts';
import { Decider } from '../decision/check.ts';
import type { Decision } from '../decision/decision.ts';
import type { Identifier } from '../identity/identify.ts';
import type { Difference, Verdict } from '../ledger/difference.ts';
import { DifferenceTally } from '../ledger/difference-tally.ts';
import type { Recovered } from '../ledger/ledger.ts';
import { noLedger } from '../ledger/no-ledger.ts';
import { MemoryLimitStore } from '../limits/memory-store.ts';
import type { LimitStore } from '../limits/store.ts';
import type { LogEntry } from '../metering/entry.ts';
import { Meter } from '../metering/meter.ts';
import { restoredOf } from '../metering/restore.ts';
import type { Policy, PriceTables } from '../policy/policy.ts';
import type { Settings } from '../policy/settings.ts';

/** Calls that wait to be decided again, and bytes of their bodies; beyond them calls are skipped, and counted. */
const CALLS_MAX = 1_000;
const BYTES_MAX = 64 * 1024 * 1024;
/** How long it works before it lets others work, ms. */
const TURN_MS = 1;
/** How often what was found goes to the ledger. A kill loses at most so much of it. */
const TELL_MS = 60_000;
/** Marks ids of decisions that nobody was told; no ledger has it. */
const NOBODY = 'aaaaaaab';
const UNKNOWN = '(unknown)';

export interface ObserverPorts {
  /** The observed bundle. */
  policy(): Policy | undefined;
  readonly identifier: Identifier;
  readonly clock: Clock;
  readonly settings: Pick<Settings, 'countersMax' | 'settleWithinMs' | 'expiryGraceMs'>;
  /** Of the observed bundle, and those that open calls of before were reserved by. */
  prices(version: string): PriceTables | undefined;
  differ(difference: Difference): void;
}

interface Seen {
  readonly call: Call;
  readonly was: Decision;
}

/**
 * Decides each call once more, after it was answered, with counters of its own. They begin as those in force stand, and
 * move by what was really used: of calls that both bundles allow the usage is settled in them, priced by the observed
 * bundle; a call that only one of them allows leaves nothing behind.
 */
export class Observer {
  readonly #ports: ObserverPorts;
  readonly #store: MemoryLimitStore;
  readonly #meter: Meter;
  readonly #tally = new DifferenceTally();
  #queue: Seen[] = [];
  #bytes = 0;
  #isRunning = false;
  #sinceMs: number;
  #skipped = 0;
  #failed = 0;

  constructor(ports: ObserverPorts) {
    const { clock, settings } = ports;
    this.#ports = ports;
    this.#sinceMs = clock.nowMs();
    this.#store = new MemoryLimitStore(clock, settings);
    this.#meter = new Meter({
      store: this.#store,
      ledger: noLedger(NOBODY),
      clock,
      prices: (version) => ports.prices(version),
      policy: () => ports.policy(),
      settings,
    });
  }

  /** Begins with the counters and open calls of the ledger. */
  resume(recovered: Recovered): void {
    this.#store.restore(restoredOf(recovered));
    this.#meter.resume(recovered);
  }

  /**
   * Takes a call that was answered; none before there is a valid bundle to compare with. Never throws; keeps the call's
   * bytes until it was decided again.
   */
  saw(call: Call, was: Decision): void {
    if (this.#ports.policy() === undefined) return;
    if (this.#queue.length >= CALLS_MAX || this.#bytes + call.body.byteLength > BYTES_MAX) {
      this.#skipped++;
      return;
    }
    this.#queue.push({ call, was });
    this.#bytes += call.body.byteLength;
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => this.#run());
  }

  /** Takes entries of the access log, as the meter in force does. Never throws, never rejects: the one in force comes after it. */
  take(entries: readonly LogEntry[]): Awaitable<void> {
    try {
      const taken = this.#meter.takeAll(entries);
      return taken instanceof Promise ? taken.catch(() => this.#fail()) : undefined;
    } catch {
      this.#fail();
    }
  }

  /** Ends what is overdue, and each minute tells the ledger what was found. To be called each second. */
  sweep(nowMs: number): Awaitable<void> {
    if (nowMs - this.#sinceMs >= TELL_MS) this.tell(nowMs);
    return this.#meter.sweep(nowMs);
  }

  /** Tells the ledger what was found up to now. */
  tell(nowMs: number): void {
    for (const difference of this.#tally.drain(this.#sinceMs)) this.#ports.differ(difference);
    this.#sinceMs = Math.max(nowMs, this.#sinceMs + 1);
  }

  /** `skipped`: not compared, for calls came faster than they could be decided again. `failed`: a fault of ours. */
  counts(): { readonly skipped: number; readonly failed: number } {
    return { skipped: this.#skipped, failed: this.#failed };
  }

  #run(): void {
    const untilMs = this.#ports.clock.monotonicMs() + TURN_MS;
    let done = 0;
    while (done < this.#queue.length && this.#ports.clock.monotonicMs() < untilMs) this.#decide(this.#queue[done++]!);
    this.#queue = this.#queue.slice(done);
    this.#isRunning = this.#queue.length > 0;
    if (this.#isRunning) setImmediate(() => this.#run());
  }

  #decide(seen: Seen): void {
    this.#bytes -= seen.call.body.byteLength;
    const failed = (): void => this.#fail();
    try {
      const would = this.#deciderOf(seen).decide({ ...seen.call, deadlineMs: Number.POSITIVE_INFINITY });
      if (would instanceof Promise) would.then((late) => this.#compare(seen, late)).catch(failed);
      else this.#compare(seen, would);
    } catch {
      failed();
    }
  }

  #fail(): void {
    this.#failed++;
  }

  /** Reserves under the id that the call really has, so that its entry in the access log settles both. */
  #deciderOf({ call, was }: Seen): Decider {
    const { clock, identifier, settings, policy } = this.#ports;
    const store: LimitStore = this.#store;
    const served = was.outcome === 'allow' ? was.hold : undefined;
    const id = served?.decisionId ?? mintDecisionId(NOBODY, clock.nowMs());
    return new Decider({
      policy,
      identifier,
      clock,
      ledgerId: NOBODY,
      store: {
        reserve: (ask) => store.reserve({ ...ask, id, mintedAt: served?.decidedAtMs ?? ask.mintedAt }),
        settle: (...of) => store.settle(...of),
        extend: (...of) => store.extend(...of),
        expire: (...of) => store.expire(...of),
        adjust: (...of) => store.adjust(...of),
      },
      admit: (own) => {
        const hold = { ...own, decisionId: id, decidedAtMs: served?.decidedAtMs ?? own.decidedAtMs };
        this.#meter.admit(hold, call.requestId);
        if (served === undefined) void this.#meter.withdraw(hold);
        return true;
      },
      withdraw: (hold) => this.#meter.withdraw(hold),
      expire: (customer) => this.#meter.expire(customer),
      refuse: ({ decisionId }) => decisionId,
      expiryGraceMs: settings.expiryGraceMs,
    });
  }

  #compare({ was }: Seen, would: Decision): void {
    const model = askedOf(was) ?? askedOf(would);
    this.#tally.add({
      policyVersion: versionOf(was),
      observedVersion: versionOf(would),
      account: accountOf(was) ?? accountOf(would) ?? UNKNOWN,
      route: was.outcome === 'allow' ? was.route.name : (was.route?.name ?? UNKNOWN),
      // What a caller may say has no end; the models of a bundle have.
      requestedModel: model === undefined ? '' : (this.#ports.policy()?.models.asked(model)?.name ?? UNKNOWN),
      was: verdictOf(was),
      would: verdictOf(would),
      example: was.outcome === 'allow' ? was.hold.decisionId : was.decisionId,
    });
  }
}

function verdictOf(decision: Decision): Verdict {
  if (decision.outcome === 'deny') {
    return { outcome: 'deny', reason: decision.reason, limit: decision.firedLimit ?? '', model: '' };
  }
  const { downgradedBy, model } = decision.hold;
  return { outcome: 'allow', reason: '', limit: downgradedBy ?? '', model: model ?? '' };
}

function versionOf(decision: Decision): string {
  return decision.outcome === 'allow' ? decision.hold.policyVersion : decision.policyVersion;
}

function accountOf(decision: Decision): string | undefined {
  return decision.outcome === 'allow' ? decision.hold.account : decision.principal?.account;
}

function askedOf(decision: Decision): string | undefined {
  return decision.outcome === 'allow' ? decision.hold.requestedModel : decision.requestedModel;
}
