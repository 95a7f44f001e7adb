/** The composition root: the only place that builds adapters from settings, and that owns timers and the end. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type Clock, systemClock } from './core/clock.ts';
import { mintDecisionId } from './core/ids.ts';
import { Decider } from './decision/check.ts';
import { amountText } from './decision/words.ts';
import { ACCESS_LOG, serveAccessLog } from './envoy/access-log-service.ts';
import { AUTHORIZATION, serveCheck } from './envoy/check-service.ts';
import { Health } from './envoy/health.ts';
import { type Listener, listen } from './envoy/transport.ts';
import { CredentialIdentifier } from './identity/identify.ts';
import { fetchKeySet } from './identity/key-fetch.ts';
import { peppersOf } from './identity/peppers.ts';
import { TokenProver } from './identity/token-prover.ts';
import { holdToFields } from './ledger/fields.ts';
import type { Recovered } from './ledger/ledger.ts';
import { openSqliteLedger, type SqliteLedger } from './ledger/sqlite-ledger.ts';
import { ownerOf, unitOf } from './limits/counter.ts';
import { MemoryLimitStore } from './limits/memory-store.ts';
import type { Crossing } from './limits/store.ts';
import { Meter } from './metering/meter.ts';
import { restoredOf } from './metering/restore.ts';
import type { Endpoint } from './policy/endpoint.ts';
import type { Policy, PriceTables } from './policy/policy.ts';
import type { Settings } from './policy/settings.ts';
import { anomalyWatch } from './telemetry/anomalies.ts';
import { EventLog } from './telemetry/log.ts';

/** Sweeps of reservations that are overdue. design/limits.md: each second. */
const SWEEP_MS = 1_000;
/** How long the end waits for calls that are under way, before what is left is cut. */
const DRAIN_MS = 5_000;
/** Five flushes of the sample's Envoy without an entry: nothing that ended is left. Entries that go on coming: 3 s at most. */
const LAST_QUIET_MS = 500;
const LAST_MS = 3_000;
const LAST_POLL_MS = 20;
/** One line each, unless a limit that renews each second warns for thousands of callers. */
const CROSSINGS_PER_MINUTE = 1_000;
/** Beside Envoy's `max_request_bytes`: headers and metadata of a Check. */
const CHECK_EXTRA_BYTES = 1024 * 1024;
/** An access-log message holds one batch; Envoy's buffer is 1 MiB in the sample. */
const ACCESS_LOG_BYTES_MAX = 4 * 1024 * 1024;

export interface AppOptions {
  readonly policy: Policy;
  readonly settings: Settings;
  readonly log: Logger;
}

/** A running Tollgate. */
export interface App {
  readonly ledgerId: string;
  readonly check: Endpoint;
  readonly accessLog: Endpoint;
  /** What a restart found: calls without an end, and counters. */
  readonly recovered: { readonly holds: number; readonly counters: number };
  /** Stops taking calls, finishes what is under way, flushes the ledger. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts: ledger (with its lock), counters as they were, then the listeners. Throws TollgateError, and leaves nothing
 * running, where a part cannot start.
 */
export async function startApp(options: AppOptions): Promise<App> {
  const { policy, settings, log } = options;
  const clock = systemClock;
  const events = new EventLog(log, clock);
  const store = new MemoryLimitStore(clock, {
    countersMax: settings.countersMax,
    settleWithinMs: settings.settleWithinMs,
    isDurable: true,
  });
  const tokens = new TokenProver({
    clock,
    fetch: fetchKeySet,
    onFault: (fault, about) => events.write('warn', `issuer_keys_${fault}`, about),
  });
  const identifier = new CredentialIdentifier(peppersOf(settings.peppers), tokens);
  const ledger = await openSqliteLedger({
    file: settings.ledger.path,
    commitMs: settings.commitMs,
    queueMax: settings.queueMax,
    changedCounters: () => store.changes(),
    onFailure: (message) => events.write('error', 'ledger_commit_failed', { detail: message }),
  });
  try {
    const prices = new Map<string, PriceTables>([[policy.priceVersion, policy.prices]]);
    await ledger.keepPrices(policy.priceVersion, policy.prices);
    const recovered = await recover({ ledger, prices, sinceMs: clock.nowMs() - settings.settleWithinMs });
    const crossed = crossingLog(log, { clock, policy });
    for (const crossing of store.restore(restoredOf(recovered))) crossed(crossing);
    const meter = new Meter({
      store,
      ledger,
      clock,
      prices: (version) => prices.get(version),
      policy: () => policy,
      crossed,
      settings: { settleWithinMs: settings.settleWithinMs },
    });
    meter.resume(recovered);
    const decider = new Decider({
      policy: () => policy,
      identifier,
      store,
      clock,
      ledgerId: ledger.id,
      admit: (hold, requestId) => meter.admit(hold, requestId),
      withdraw: (hold) => meter.withdraw(hold),
      expire: (customer) => meter.expire(customer),
      refuse: (refusal) => ledger.refuse(refusal),
      turnedAway: ({ reason, detail }, decisionId) =>
        events.write('warn', 'credential_refused', { reason, detail, decision_id: decisionId }, reason),
      expiryGraceMs: settings.expiryGraceMs,
    });
    const health = new Health([AUTHORIZATION, ACCESS_LOG]);
    const [check, accessLog] = await listenAll(options, { decider, meter, ledger, health, events, clock });
    const tellAnomalies = anomalyWatch(events, () => anomaliesOf(meter, ledger));
    const sweeper = setInterval(() => {
      void sweep(meter, clock, events);
      tellAnomalies();
    }, SWEEP_MS);
    // Not waited for: an issuer that is down keeps nobody waiting but its own callers.
    void tokens.prepare(policy);
    health.set(true);
    return {
      ledgerId: ledger.id,
      check: check.endpoint,
      accessLog: accessLog.endpoint,
      recovered: { holds: recovered.holds.length, counters: recovered.counters.length },
      stop: once(async () => {
        health.set(false);
        clearInterval(sweeper);
        await check.close({ deadlineMs: DRAIN_MS });
        await lastEntries(meter);
        await accessLog.close({ deadlineMs: DRAIN_MS });
        await ledger.close();
        tellAnomalies();
      }),
    };
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

/** Counters and reservations as they stand in the ledger, and the prices of every version that an open hold may still be priced by. */
async function recover({
  ledger,
  prices,
  sinceMs,
}: {
  ledger: SqliteLedger;
  prices: Map<string, PriceTables>;
  sinceMs: number;
}): Promise<Recovered> {
  const recovered = await ledger.recover(sinceMs);
  for (const { hold } of recovered.holds) {
    if (prices.has(hold.priceVersion)) continue;
    const tables = (await ledger.prices(hold.priceVersion)) as PriceTables | undefined;
    if (tables !== undefined) prices.set(hold.priceVersion, tables);
  }
  return recovered;
}

interface Parts {
  readonly decider: Decider;
  readonly meter: Meter;
  readonly ledger: SqliteLedger;
  readonly health: Health;
  readonly events: EventLog;
  readonly clock: Clock;
}

/** Check and access log on servers of their own, so that a flood of log entries never fills the window of decisions. */
async function listenAll(
  { policy, settings }: AppOptions,
  parts: Parts,
): Promise<readonly [check: Listener, accessLog: Listener]> {
  const { decider, meter, ledger, health, events, clock } = parts;
  const check = serveCheck({
    decide: (call) => decider.decide(call),
    withdraw: (hold) => void meter.withdraw(hold),
    holdToFields,
    clock,
    random: Math.random,
    mintId: () => mintDecisionId(ledger.id, clock.nowMs()),
    policyVersion: () => policy.version,
    onFault: (fault, cause) => events.write('warn', `check_${fault}`, { cause }),
  });
  const accessLog = serveAccessLog({
    take: (entries) => meter.takeAll(entries),
    onFault: (fault, cause) => events.write('warn', `access_log_${fault}`, { cause }),
  });
  const bodyMax = Math.max(0, ...[...policy.routes.values()].map((route) => route.bodyMaxBytes));
  const first = await listen({
    endpoint: settings.listen.check,
    methods: [check, health.check, health.watch],
    receiveBytesMax: bodyMax + CHECK_EXTRA_BYTES,
    deadlineMs: settings.deadlineMs,
    clock,
  });
  try {
    const second = await listen({
      endpoint: settings.listen.accessLog,
      methods: [accessLog, health.check, health.watch],
      receiveBytesMax: ACCESS_LOG_BYTES_MAX,
      rotate: false,
      clock,
    });
    return [first, second];
  } catch (error) {
    await first.close({ deadlineMs: 0 });
    throw error;
  }
}

/**
 * Waits for the entries of calls that have just ended, which Envoy sends with its next flush: until nothing is open, or none
 * has come for `LAST_QUIET_MS`. Streams that go on longer are settled by the process that comes after.
 */
async function lastEntries(meter: Meter): Promise<void> {
  let before = meter.counts().open;
  for (let waited = 0, quiet = 0; waited < LAST_MS && quiet < LAST_QUIET_MS; waited += LAST_POLL_MS) {
    if (before === 0) return;
    await delay(LAST_POLL_MS);
    const { open } = meter.counts();
    quiet = open === before ? quiet + LAST_POLL_MS : 0;
    before = open;
  }
}

/** Logs each threshold of a limit that was crossed, in words for who set it. */
function crossingLog(
  log: Logger,
  { clock, policy }: { readonly clock: Clock; readonly policy: Policy },
): (crossing: Crossing) => void {
  const events = new EventLog(log, clock, { perMinute: CROSSINGS_PER_MINUTE });
  return ({ counter, limit, threshold, spent }) => {
    const unit = unitOf(counter) ?? 'requests';
    const [at, now] = [threshold, spent].map((amount) => amountText(amount, unit, policy));
    events.write('warn', 'limit_threshold', { limit, account: ownerOf(counter), threshold: at, spent: now, counter });
  };
}

/** What finance or the operator must see: all of it is 0 where everything is well. */
function anomaliesOf(meter: Meter, ledger: SqliteLedger): Record<string, number> {
  const { orphans, faulty, differing, unsettled, evicted, storeFailed } = meter.counts();
  const { turnedAway, lost, rejected, conflicts } = ledger.counts();
  return {
    orphans,
    usage_faulty: faulty,
    hold_differs: differing,
    counters_unsettled: unsettled,
    holds_evicted: evicted,
    store_failed: storeFailed,
    rows_turned_away: turnedAway,
    ends_lost: lost,
    rows_rejected: rejected,
    conflicts,
  };
}

async function sweep(meter: Meter, clock: Clock, events: EventLog): Promise<void> {
  try {
    await meter.sweep(clock.nowMs());
  } catch (cause) {
    events.write('error', 'sweep_failed', { cause });
  }
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}
