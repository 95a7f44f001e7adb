/**
 * The composition root: the only place that builds adapters from settings (what all else stands on in app/base.ts), and
 * that owns timers and the end.
 */
import type { Logger } from 'pino';
import { type AdminListener, startAdmin } from './app/admin/listener.ts';
import { type Base, openBase } from './app/base.ts';
import { type Deciding, startDeciding } from './app/deciding.ts';
import type { Endable } from './app/ending.ts';
import { Lifecycle } from './app/lifecycle.ts';
import { listenAll } from './app/listeners.ts';
import { LiveSettings, type Reloadable } from './app/live-settings.ts';
import { type Observing, startObserving } from './app/observing.ts';
import { type FirstBundle, PolicyInForce } from './app/policy-in-force.ts';
import { PolicyNews } from './app/policy-news.ts';
import { PriceShelf } from './app/price-shelf.ts';
import { recover } from './app/recovery.ts';
import { type Stopping, stopInOrder } from './app/stop.ts';
import { sweep } from './app/sweep.ts';
import { versionText } from './app/version.ts';
import { anomaliesOf } from './app/watch.ts';
import { ACCESS_LOG } from './envoy/access-log-service.ts';
import { AUTHORIZATION } from './envoy/check-service.ts';
import { Health } from './envoy/health.ts';
import type { Listener } from './envoy/transport.ts';
import type { Recovered } from './ledger/ledger.ts';
import type { Endpoint } from './policy/endpoint.ts';
import type { Settings } from './policy/settings.ts';
import { anomalyWatch } from './telemetry/anomalies.ts';

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
  const { settings, log, takesOver = false } = options;
  const base = await openBase(settings, { log, takesOver });
  try {
    return await startOn(base, options);
  } catch (error) {
    await base.ledger.close();
    throw error;
  }
}

/** What runs on the base, in the order in which it is started. */
interface Parts {
  readonly lifecycle: Lifecycle;
  readonly health: Health;
  readonly inForce: PolicyInForce;
  readonly deciding: Deciding;
  /** Undefined: no bundle is observed. */
  readonly observing: Observing | undefined;
}

async function startOn(base: Base, { first, observe }: AppOptions): Promise<App> {
  const { settings, ledger, store, telemetry, tokens, audit } = base;
  const { prices, recovered } = await recoverOn(base, first);
  const health = new Health([AUTHORIZATION, ACCESS_LOG]);
  const lifecycle = new Lifecycle(health);
  const inForce = followPolicy(base, { first, prices, lifecycle });
  const deciding = startDeciding(base, { policy: () => inForce.current(), prices, recovered });
  const observing = observe && startObserving(base, { first: observe, prices, recovered });
  const parts: Parts = { lifecycle, health, inForce, deciding, observing };
  const ports = await openPorts(base, parts, first.dir);
  const { meter, load } = deciding;
  const anomalies = () => anomaliesOf(meter, ledger, observing?.observer);
  telemetry.show({ store, meter, ledger, load, settings, anomalies });
  const clockwork = startClockwork(base, parts, anomalies);
  // Not waited for: an issuer that is down keeps nobody waiting but its own callers.
  if (first.policy !== undefined) void tokens.prepare(first.policy);
  inForce.watch();
  lifecycle.enter('serving');
  audit.tell('serve_start', first.version);
  return {
    lifecycle,
    ledgerId: ledger.id,
    check: ports.check.endpoint,
    accessLog: ports.accessLog.endpoint,
    admin: ports.admin?.endpoint,
    recovered: { holds: recovered.holds.length, counters: recovered.counters.length },
    policy: inForce,
    ...endOf(base, { ...parts, ...ports, ...clockwork }),
  };
}

/** What the process goes on from: counters and open calls, and the prices of both the first policy and those calls. */
async function recoverOn(
  { settings, ledger, clock }: Base,
  first: FirstBundle,
): Promise<{ readonly prices: PriceShelf; readonly recovered: Recovered }> {
  const prices = new PriceShelf(settings.settleWithinMs);
  const nowMs = clock.nowMs();
  if (first.policy !== undefined) {
    const { priceVersion, prices: tables } = first.policy;
    await ledger.keepPrices(priceVersion, tables);
    prices.enforce(priceVersion, tables, { before: undefined, nowMs });
  }
  const from = { ledger, prices, nowMs: () => clock.nowMs() };
  return { prices, recovered: await recover(from, nowMs - settings.settleWithinMs) };
}

/** Puts the first policy in force; the directory is not looked at yet. */
function followPolicy(
  { settings, log, clock, audit, ledger, tokens, secrets, telemetry }: Base,
  {
    first,
    prices,
    lifecycle,
  }: { readonly first: FirstBundle; readonly prices: PriceShelf; readonly lifecycle: Lifecycle },
): PolicyInForce {
  const news = new PolicyNews(log, { audit });
  const reloadable: Reloadable = {
    log: ({ log: level }) => {
      log.level = level;
    },
    peppers: ({ peppers }) => void secrets.follow(peppers),
  };
  const inForce = new PolicyInForce({
    first,
    settings: new LiveSettings(settings, { reloadable, news }),
    clock,
    news,
    prices,
    keepPrices: (version, tables) => ledger.keepPrices(version, tables),
    prepare: (policy) => tokens.prepare(policy),
    onLoaded: () => {
      lifecycle.update();
      telemetry.policyLoaded(inForce.current());
    },
    onRefused: () => telemetry.policyRefused(),
    onMended: () => telemetry.policyMended(),
    onReaderDied: () => telemetry.policyReaderDied(),
  });
  lifecycle.needs(() => (inForce.current() === undefined ? 'there is no valid policy' : undefined));
  telemetry.policyLoaded(first.policy);
  return inForce;
}

interface Ports {
  readonly check: Listener;
  readonly accessLog: Listener;
  readonly admin: AdminListener | undefined;
}

/** The admin port comes before the listeners of Envoy: a probe is told what is waited for. */
async function openPorts(base: Base, parts: Parts, dir: string): Promise<Ports> {
  const { settings, clock, events, audit, store, ledger, secrets, telemetry } = base;
  const { lifecycle, health, inForce, deciding, observing } = parts;
  let admin: AdminListener | undefined;
  try {
    admin = await startAdmin({
      dir,
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
      policy: () => inForce.current(),
      settings,
      decide: observing?.watched(deciding.decide) ?? deciding.decide,
      observer: observing?.observer,
      checkFault: (fault) => telemetry.checkFault(fault),
      meter: deciding.meter,
      ledger,
      health,
      lifecycle,
      events,
      clock,
      doors: secrets.doors,
    });
    return { check, accessLog, admin };
  } catch (error) {
    await Promise.all([admin?.close(), observing?.close()]);
    throw error;
  }
}

interface Clockwork {
  tellAnomalies(): void;
  /** Stops it. */
  halt(): void;
}

/** Each second: what is overdue is ended, what should never happen is told. Each 2 s: files of secrets are looked at. */
function startClockwork(
  { clock, events, secrets }: Base,
  { deciding, observing }: Parts,
  anomalies: () => Readonly<Record<string, number>>,
): Clockwork {
  const tellAnomalies = anomalyWatch(events, anomalies);
  const sweeper = setInterval(() => {
    void sweep(deciding.meter, clock, events);
    if (observing !== undefined) void sweep(observing.observer, clock, events);
    tellAnomalies();
  }, SWEEP_MS);
  const unwatch = secrets.watch();
  return {
    tellAnomalies,
    halt: () => {
      clearInterval(sweeper);
      unwatch();
    },
  };
}

/** The end in order, and the one that only saves what was decided. Whichever comes first closes the ledger. */
function endOf({ ledger, telemetry, audit }: Base, running: Parts & Ports & Clockwork): Endable {
  const { lifecycle, inForce, deciding, observing, check, accessLog, admin } = running;
  const closeLedger = once(async () => {
    await Promise.all([observing?.close(), ledger.close()]);
  });
  const stopping: Stopping = {
    lifecycle,
    check,
    accessLog,
    meter: deciding.meter,
    ledger: { close: closeLedger },
    others: async () => {
      running.halt();
      deciding.load.close();
      await Promise.all([inForce.close(), telemetry.close(), admin?.close()]);
      await audit.end(inForce.status().version);
    },
  };
  let stopped: Promise<void> | undefined;
  return {
    stop: (options) => {
      stopped ??= stopInOrder(stopping, options).then(running.tellAnomalies);
      return stopped;
    },
    abandon: () => {
      lifecycle.enter('stopped');
      return closeLedger();
    },
  };
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}
