/** The composition root: the only place that builds adapters from settings, and that owns timers and the end. */
import type { Logger } from 'pino';
import { type AdminListener, startAdmin } from './app/admin/listener.ts';
import { ServingAudit, secretReloads } from './app/audit.ts';
import type { Endable } from './app/ending.ts';
import { Lifecycle } from './app/lifecycle.ts';
import { listenAll } from './app/listeners.ts';
import { watchLoad } from './app/load.ts';
import { startObserving } from './app/observing.ts';
import { type FirstBundle, PolicyInForce } from './app/policy-in-force.ts';
import { PolicyNews } from './app/policy-news.ts';
import { PriceShelf } from './app/price-shelf.ts';
import { recall, recover } from './app/recovery.ts';
import { openSecrets } from './app/secrets.ts';
import { stopInOrder } from './app/stop.ts';
import { sweep } from './app/sweep.ts';
import { takeLedger } from './app/take-over.ts';
import { startTelemetry } from './app/telemetry.ts';
import { versionText } from './app/version.ts';
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
import { RESERVATION } from './limits/rows.ts';
import type { Crossing } from './limits/store.ts';
import { Meter } from './metering/meter.ts';
import { restoredOf } from './metering/restore.ts';
import type { Endpoint } from './policy/endpoint.ts';
import type { Settings } from './policy/settings.ts';
import { anomalyWatch } from './telemetry/anomalies.ts';
import { EventLog } from './telemetry/log.ts';

/** Sweeps of reservations that are overdue. design/limits.md: each second. */
const SWEEP_MS = 1_000;

export interface AppOptions {
  /** What was found when the bundle was read at the start; later ones come from its directory. */
  readonly first: FirstBundle;
  readonly settings: Settings;
  readonly log: Logger;
  /** A bundle that decides beside it and never answers. */
  readonly observe?: FirstBundle | undefined;
  /** Waits for the ledger of a process that is about to end, in place of failing. Default false. */
  readonly takesOver?: boolean;
}

/** A running Tollgate. */
export interface App extends Endable {
  readonly lifecycle: Lifecycle;
  readonly ledgerId: string;
  readonly check: Endpoint;
  readonly accessLog: Endpoint;
  /** Undefined: there is none. */
  readonly admin: Endpoint | undefined;
  /** What a restart found: calls without an end, and counters. */
  readonly recovered: { readonly holds: number; readonly counters: number };
  readonly policy: PolicyInForce;
}

/**
 * Starts: ledger (with its lock), counters as they were, then the listeners. Throws TollgateError, and leaves nothing
 * running, where a part cannot start.
 */
export async function startApp(options: AppOptions): Promise<App> {
  const { first, settings, log } = options;
  const clock = systemClock;
  const telemetry = await startTelemetry({
    settings: settings.telemetry,
    clock,
    onFailure: (signal, why) => events.write('warn', 'telemetry_export_failed', { signal, detail: why }, signal),
  });
  const events = new EventLog(log, clock, { sink: telemetry.events });
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
  const audit = new ServingAudit({ file: settings.audit.path, clock, log });
  const secrets = await openSecrets(settings, {
    clock,
    events,
    onReload: secretReloads(audit),
    onTurnedAway: (connection) => telemetry.turnedAway(connection),
  });
  const identifier = new CredentialIdentifier(secrets.peppers, tokens);
  const openLedger = () =>
    openSqliteLedger({
      file: settings.ledger.path,
      commitMs: settings.commitMs,
      queueMax: settings.queueMax,
      changedCounters: () => store.changes(),
      decisionStates: RESERVATION,
      onFailure: (message) => events.write('error', 'ledger_commit_failed', { detail: message }),
    });
  const ledger = await takeLedger(openLedger, {
    waits: options.takesOver ?? false,
    waiting: () => events.write('info', 'waiting_for_ledger', { ledger: settings.ledger.path }),
  });
  const health = new Health([AUTHORIZATION, ACCESS_LOG]);
  let admin: AdminListener | undefined;
  try {
    const prices = new PriceShelf(settings.settleWithinMs);
    const nowMs = clock.nowMs();
    if (first.policy !== undefined) {
      const { priceVersion, prices: tables } = first.policy;
      await ledger.keepPrices(priceVersion, tables);
      prices.enforce(priceVersion, tables, { before: undefined, nowMs });
    }
    const shelved = { ledger, prices, nowMs: () => clock.nowMs() };
    const recovered = await recover(shelved, nowMs - settings.settleWithinMs);
    const lifecycle = new Lifecycle(health);
    const inForce = new PolicyInForce({
      first,
      settings,
      clock,
      news: new PolicyNews(log, { audit }),
      prices,
      keepPrices: (version, tables) => ledger.keepPrices(version, tables),
      prepare: (policy) => tokens.prepare(policy),
      reloadable: {
        log: ({ log: level }) => {
          log.level = level;
        },
        peppers: ({ peppers }) => void secrets.follow(peppers),
      },
      onLoaded: () => {
        lifecycle.update();
        telemetry.policyLoaded(inForce.current());
      },
      onRefused: () => telemetry.policyRefused(),
      onMended: () => telemetry.policyMended(),
      onReaderDied: () => telemetry.policyReaderDied(),
    });
    const policy = () => inForce.current();
    lifecycle.needs(() => (policy() === undefined ? 'there is no valid policy' : undefined));
    telemetry.policyLoaded(first.policy);
    const logCrossing = crossingLog(log, { clock, policy, sink: telemetry.events });
    const crossed = (crossing: Crossing) => {
      logCrossing(crossing);
      telemetry.crossed(crossing);
    };
    store.restore(restoredOf(recovered));
    const meter = new Meter({
      store,
      ledger,
      clock,
      prices: (version) => prices.get(version),
      policy,
      recall: (decisionId) => recall(decisionId, { store, ...shelved }),
      crossed,
      ended: (end) => telemetry.ended(end),
      settings: { settleWithinMs: settings.settleWithinMs },
    });
    meter.resume(recovered);
    const load = watchLoad({ clock, events, classes: () => policy()?.classes ?? [], random: Math.random });
    const decider = new Decider({
      policy,
      identifier,
      store,
      clock,
      ledgerId: ledger.id,
      admit: (hold, requestId) => meter.admit(hold, requestId),
      withdraw: (hold) => meter.withdraw(hold),
      expire: (customer) => meter.expire(customer),
      refuse: (refusal) => {
        telemetry.refused(refusal);
        return ledger.refuse(refusal);
      },
      shed: load.shed,
      turnedAway: ({ reason, detail }, decisionId) =>
        events.write('warn', 'credential_refused', { reason, detail, decision_id: decisionId }, reason),
      expiryGraceMs: settings.expiryGraceMs,
    });
    const observing =
      options.observe &&
      startObserving({
        first: options.observe,
        settings,
        clock,
        log,
        peppers: secrets.peppers,
        recovered,
        prices: (version) => prices.get(version),
        differ: (difference) => ledger.differ(difference),
      });
    const decide = telemetry.watched((call, steps) => load.during(() => decider.decide(call, steps)));
    // Before the listeners of Envoy: a probe is told what it waits for.
    admin = await startAdmin({
      dir: first.dir,
      settings,
      clock,
      events,
      audit,
      lifecycle,
      policy: inForce,
      store,
      peppers: secrets.peppers,
      version: { version: versionText(), node: process.version, ledger: ledger.id },
      metrics: () => telemetry.metrics(),
      door: secrets.doors.admin,
    });
    const [check, accessLog] = await listenAll({
      policy,
      settings,
      decide: observing?.watched(decide) ?? decide,
      observer: observing?.observer,
      checkFault: (fault) => telemetry.checkFault(fault),
      meter,
      ledger,
      health,
      lifecycle,
      events,
      clock,
      doors: secrets.doors,
    });
    telemetry.show({ store, meter, ledger, load, settings });
    const unwatch = secrets.watch();
    const tellAnomalies = anomalyWatch(events, () => anomaliesOf(meter, ledger, observing?.observer));
    const sweeper = setInterval(() => {
      void sweep(meter, clock, events);
      if (observing !== undefined) void sweep(observing.observer, clock, events);
      tellAnomalies();
    }, SWEEP_MS);
    // Not waited for: an issuer that is down keeps nobody waiting but its own callers.
    if (first.policy !== undefined) void tokens.prepare(first.policy);
    inForce.watch();
    lifecycle.enter('serving');
    audit.tell('serve_start', first.version);
    const closeLedger = once(async () => {
      await Promise.all([observing?.close(), ledger.close()]);
    });
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
        await Promise.all([inForce.close(), telemetry.close(), admin?.close()]);
        await audit.end(inForce.status().version);
      },
    };
    let stopped: Promise<void> | undefined;
    return {
      lifecycle,
      ledgerId: ledger.id,
      check: check.endpoint,
      accessLog: accessLog.endpoint,
      admin: admin?.endpoint,
      recovered: { holds: recovered.holds.length, counters: recovered.counters.length },
      policy: inForce,
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
    await admin?.close();
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
