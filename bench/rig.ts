/** The parts of a Tollgate as app.ts puts them together, without its servers, so that a decision can be looked at alone. */
import type { Telemetry } from '../src/app/telemetry.ts';
import { systemClock } from '../src/core/clock.ts';
import { mintDecisionId } from '../src/core/ids.ts';
import type { Awaitable } from '../src/core/units.ts';
import type { Call } from '../src/decision/call.ts';
import { Decider } from '../src/decision/check.ts';
import { concludeAdmitted } from '../src/decision/conclude.ts';
import type { Decision } from '../src/decision/decision.ts';
import { plan } from '../src/decision/plan.ts';
import type { Subject } from '../src/decision/subject.ts';
import { template } from '../src/decision/template.ts';
import type { BodyFacts } from '../src/dialects/dialect.ts';
import { CredentialIdentifier } from '../src/identity/identify.ts';
import { peppersOf } from '../src/identity/peppers.ts';
import { type HeaderView, isRefusal } from '../src/identity/principal.ts';
import type { Hold } from '../src/ledger/hold.ts';
import { noLedger } from '../src/ledger/no-ledger.ts';
import { openSqliteLedger, type SqliteLedger } from '../src/ledger/sqlite-ledger.ts';
import { MemoryLimitStore } from '../src/limits/memory-store.ts';
import type { LogEntry } from '../src/metering/entry.ts';
import { Meter } from '../src/metering/meter.ts';
import { loadBundle } from '../src/policy/bundle.ts';
import type { Route } from '../src/policy/policy.ts';
import { type BenchBundle, type Nested, writeBenchBundle } from './bundle.ts';
import { removeTemp, tempDir } from './temp.ts';

export interface RigOptions {
  readonly nested: Nested;
  /** `sqlite`: rows go to the real writer in its thread, as in `serve`. `none`: whatever is booked is dropped. */
  readonly ledger: 'sqlite' | 'none';
  /** Lines of traffic.yaml: routes beside `chat`, whose calls are read and refused, because the caller has not bought them. */
  readonly routes?: string;
  /** Is told of decisions, refusals and ends. Default: there is none. */
  readonly telemetry?: Telemetry;
}

export interface Rig {
  readonly bundle: BenchBundle;
  /** Value of the caller's `authorization`. */
  readonly authorization: string;
  readonly store: MemoryLimitStore;
  /** Undefined where there is none. */
  readonly ledger: SqliteLedger | undefined;
  /** The whole decision, body scan included. */
  decide(call: Call): Awaitable<Decision>;
  /** Identify, plan, reserve, conclude and admit alone: all of `decide` but route, claims and body, whose facts are given. */
  decideFacts(headers: HeaderView, facts: BodyFacts): Hold;
  /** Settles and books one end as the access log reports it. */
  take(entry: LogEntry): void;
  /** Gives back what all calls since the last time hold. */
  release(): void;
  /** What was changed since the last time, as the ledger asks for it before each commit. */
  changes(): void;
  /** Closes the ledger and leaves the files, for a `serve` on the same bundle. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** Loads a bundle of its own in a temporary directory. `close` removes it. */
export async function openRig({ nested, ledger: kind, routes, telemetry }: RigOptions): Promise<Rig> {
  const dir = await tempDir();
  const bundle = await writeBenchBundle(dir, nested, routes);
  const { policy, settings, problems } = await loadBundle(bundle.path);
  if (policy === undefined || settings === undefined) {
    throw new Error(`the bundle is bad: ${JSON.stringify(problems[0])}`);
  }
  const clock = systemClock;
  const { countersMax, settleWithinMs, commitMs, queueMax } = settings;
  const store = new MemoryLimitStore(clock, { countersMax, settleWithinMs, isDurable: true });
  const identifier = new CredentialIdentifier(peppersOf(settings.peppers));
  const sqlite =
    kind === 'none'
      ? undefined
      : await openSqliteLedger({ file: bundle.ledger, commitMs, queueMax, changedCounters: () => store.changes() });
  const ledger = sqlite ?? noLedger('benchmrk');
  const meter = new Meter({
    store,
    ledger,
    clock,
    prices: () => policy.prices,
    policy: () => policy,
    ...(telemetry === undefined ? {} : { ended: (end) => telemetry.ended(end) }),
    settings: { settleWithinMs },
  });
  telemetry?.policyLoaded(policy);
  // Their ids alone: whatever else of a hold stays in memory is the meter's choice, and part of what is measured.
  let open: string[] = [];
  let last: Hold | undefined;
  const admit = (hold: Hold): boolean => {
    open.push(hold.decisionId);
    last = hold;
    return meter.admit(hold);
  };
  const decider = new Decider({
    policy: () => policy,
    identifier,
    store,
    clock,
    ledgerId: ledger.id,
    admit,
    withdraw: (hold) => meter.withdraw(hold),
    expire: (customer) => meter.expire(customer),
    refuse: (refusal) => {
      telemetry?.refused(refusal);
      return ledger.refuse(refusal);
    },
    expiryGraceMs: settings.expiryGraceMs,
  });
  const route = policy.routes.get('chat') as Route;
  return {
    bundle,
    authorization: `Bearer ${bundle.key}`,
    store,
    ledger: sqlite,
    decide:
      telemetry === undefined
        ? (call) => decider.decide(call)
        : telemetry.watched((call, steps) => decider.decide(call, steps)),
    decideFacts: (headers, facts) => {
      const decidedAtMs = clock.nowMs();
      const principal = identifier.identify(headers, policy, decidedAtMs);
      if (principal instanceof Promise) throw new Error('a key is proved at once');
      if (isRefusal(principal)) throw new Error(principal.detail);
      const subject: Subject = {
        decisionId: mintDecisionId(ledger.id, decidedAtMs),
        decidedAtMs,
        policy,
        principal,
        account: policy.account(principal.account)!,
        route,
        classes: [principal.class],
        run: undefined,
        facts,
        expiryGraceMs: settings.expiryGraceMs,
      };
      const offered = template({ ...subject, said: facts.model, refuseDowngrade: false });
      if ('reason' in offered) throw new Error(offered.message);
      const planned = plan(subject, offered);
      if ('reason' in planned) throw new Error(planned.message);
      const answer = store.reserve(planned.ask);
      if (answer.outcome !== 'admitted') throw new Error(`the store answered \`${answer.outcome}\``);
      const hold = concludeAdmitted(subject, planned, answer);
      if (!admit(hold)) throw new Error('the ledger is full');
      return hold;
    },
    take: (entry) => void meter.take(entry),
    release: () => {
      for (const decisionId of open) void meter.withdraw({ ...last!, decisionId });
      open = [];
      if (sqlite === undefined) store.changes();
    },
    changes: () => void store.changes(),
    stop: async () => sqlite?.close(),
    close: async () => {
      await sqlite?.close();
      await removeTemp(dir);
    },
  };
}
