/** The composition root: the only place that builds adapters from settings, and that owns timers and the end. */
import type { Logger } from 'pino';
import type { Endable } from './app/ending.ts';
import { Lifecycle } from './app/lifecycle.ts';
import { listenAll } from './app/listeners.ts';
import { watchLoad } from './app/load.ts';
import { recover } from './app/recovery.ts';
import { openSecrets } from './app/secrets.ts';
import { stopInOrder } from './app/stop.ts';
import { sweep } from './app/sweep.ts';
import { anomaliesOf, crossingLog } from './app/watch.ts';
import { systemClock } from './core/clock.ts';
import { Decider } from './decision/check.ts';
import { ACCESS_LOG } from './envoy/access-log-service.ts';
import { AUTHORIZATION } from './envoy/check-service.ts';
import { Health } from './envoy/health.ts';
import { CredentialIdentifier } from './identity/identify.ts';
import { fetchKeySet } from './identity/key-fetch.ts';
import { TokenProver } from './identity/token-prover.ts';
import { openSqliteLedger } from './ledger/sqlite-ledger.ts';
import { MemoryLimitStore } from './limits/memory-store.ts';
import { Meter } from './metering/meter.ts';
import { restoredOf } from './metering/restore.ts';
import type { Endpoint } from './policy/endpoint.ts';
import type { Policy, PriceTables } from './policy/policy.ts';
import type { Settings } from './policy/settings.ts';
import { anomalyWatch } from './telemetry/anomalies.ts';
import { EventLog } from './telemetry/log.ts';

/** Sweeps of reservations that are overdue. design/limits.md: each second. */
const SWEEP_MS = 1_000;

export interface AppOptions {
  readonly policy: Policy;
  readonly settings: Settings;
  readonly log: Logger;
}

/** A running Tollgate. */
export interface App extends Endable {
  readonly lifecycle: Lifecycle;
  readonly ledgerId: string;
  readonly check: Endpoint;
  readonly accessLog: Endpoint;
  /** What a restart found: calls without an end, and counters. */
  readonly recovered: { readonly holds: number; readonly counters: number };
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
  const secrets = await openSecrets(settings, { clock, events });
  const identifier = new CredentialIdentifier(secrets.peppers, tokens);
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
    const crossed = crossingLog(log, { clock, policy: () => policy });
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
    const load = watchLoad({ clock, events, classes: () => policy.classes, random: Math.random });
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
      shed: load.shed,
      turnedAway: ({ reason, detail }, decisionId) =>
        events.write('warn', 'credential_refused', { reason, detail, decision_id: decisionId }, reason),
      expiryGraceMs: settings.expiryGraceMs,
    });
    const health = new Health([AUTHORIZATION, ACCESS_LOG]);
    const lifecycle = new Lifecycle(health);
    const [check, accessLog] = await listenAll({
      policy: () => policy,
      settings,
      decide: (call) => load.during(() => decider.decide(call)),
      meter,
      ledger,
      health,
      lifecycle,
      events,
      clock,
      doors: secrets.doors,
    });
    const unwatch = secrets.watch();
    const tellAnomalies = anomalyWatch(events, () => anomaliesOf(meter, ledger));
    const sweeper = setInterval(() => {
      void sweep(meter, clock, events);
      tellAnomalies();
    }, SWEEP_MS);
    // Not waited for: an issuer that is down keeps nobody waiting but its own callers.
    void tokens.prepare(policy);
    lifecycle.enter('serving');
    const closeLedger = once(() => ledger.close());
    const stopping = {
      lifecycle,
      check,
      accessLog,
      meter,
      ledger: { close: closeLedger },
      others: async () => {
        clearInterval(sweeper);
        load.close();
        unwatch();
      },
    };
    let stopped: Promise<void> | undefined;
    return {
      lifecycle,
      ledgerId: ledger.id,
      check: check.endpoint,
      accessLog: accessLog.endpoint,
      recovered: { holds: recovered.holds.length, counters: recovered.counters.length },
      stop: (options) => {
        stopped ??= stopInOrder(stopping, options).then(tellAnomalies);
        return stopped;
      },
      abandon: () => {
        lifecycle.enter('stopped');
        return closeLedger();
      },
    };
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}
