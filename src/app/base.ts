import type { Logger } from 'pino';
import { type Clock, systemClock } from '../core/clock.ts';
import { fetchKeySet } from '../identity/key-fetch.ts';
import { TokenProver } from '../identity/token-prover.ts';
import { openSqliteLedger, type SqliteLedger } from '../ledger/sqlite-ledger.ts';
import { MemoryLimitStore } from '../limits/memory-store.ts';
import { RESERVATION } from '../limits/rows.ts';
import type { Settings } from '../policy/settings.ts';
import { EventLog } from '../telemetry/log.ts';
import { ServingAudit, secretReloads } from './audit.ts';
import { openSecrets, type Secrets } from './secrets.ts';
import { takeLedger } from './take-over.ts';
import { startTelemetry, type Telemetry } from './telemetry.ts';

/** What everything else of a process stands on. */
export interface Base {
  readonly settings: Settings;
  readonly log: Logger;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly events: EventLog;
  readonly audit: ServingAudit;
  readonly secrets: Secrets;
  readonly tokens: TokenProver;
  readonly store: MemoryLimitStore;
  readonly ledger: SqliteLedger;
}

/**
 * Opens it from the settings. The ledger, with its lock, comes last: another process may still have it, and with `takesOver`
 * is waited for. Throws TollgateError, and holds no ledger then.
 */
export async function openBase(
  settings: Settings,
  { log, takesOver }: { readonly log: Logger; readonly takesOver: boolean },
): Promise<Base> {
  const clock = systemClock;
  const telemetry = await startTelemetry({
    settings: settings.telemetry,
    clock,
    onFailure: (signal, why) => events.write('warn', 'telemetry_export_failed', { signal, detail: why }, signal),
  });
  const events = new EventLog(log, clock, { sink: telemetry.events });
  const { countersMax, settleWithinMs } = settings;
  const store = new MemoryLimitStore(clock, { countersMax, settleWithinMs, isDurable: true });
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
    waits: takesOver,
    waiting: () => events.write('info', 'waiting_for_ledger', { ledger: settings.ledger.path }),
  });
  return { settings, log, clock, telemetry, events, audit, secrets, tokens, store, ledger };
}
