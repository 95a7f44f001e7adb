import type { Clock } from '../core/clock.ts';
import { mintDecisionId } from '../core/ids.ts';
import type { Awaitable } from '../core/units.ts';
import type { Call } from '../decision/call.ts';
import type { Decision } from '../decision/decision.ts';
import { serveAccessLog } from '../envoy/access-log-service.ts';
import { type CheckFault, serveCheck } from '../envoy/check-service.ts';
import type { Health } from '../envoy/health.ts';
import type { UnaryCall } from '../envoy/rpc.ts';
import { type Listener, listen } from '../envoy/transport.ts';
import { holdToFields } from '../ledger/fields.ts';
import type { SqliteLedger } from '../ledger/sqlite-ledger.ts';
import type { Meter } from '../metering/meter.ts';
import type { Policy } from '../policy/policy.ts';
import type { Settings } from '../policy/settings.ts';
import { BODY_BYTES_MAX } from '../policy/traffic.ts';
import type { EventLog } from '../telemetry/log.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Observer } from './observer.ts';
import type { Doors } from './secrets.ts';

/** Beside Envoy's `max_request_bytes`: headers and metadata of a Check. */
const CHECK_EXTRA_BYTES = 1024 * 1024;
/** An access-log message holds one batch; Envoy's buffer is 1 MiB in the sample. */
const ACCESS_LOG_BYTES_MAX = 4 * 1024 * 1024;

/** What the servers of Envoy's protocols stand on. */
export interface Parts {
  policy(): Policy | undefined;
  readonly settings: Settings;
  readonly doors: Doors;
  decide(call: Call, rpc: UnaryCall): Awaitable<Decision>;
  /** Told of each Check that did not end as decided. */
  checkFault(fault: CheckFault): void;
  readonly meter: Meter;
  /** Undefined: no bundle is observed. */
  readonly observer: Observer | undefined;
  readonly ledger: SqliteLedger;
  readonly health: Health;
  readonly lifecycle: Lifecycle;
  readonly events: EventLog;
  readonly clock: Clock;
}

/** Check and access log on servers of their own, so that a flood of log entries never fills the window of decisions. */
export async function listenAll(parts: Parts): Promise<readonly [check: Listener, accessLog: Listener]> {
  const { policy, settings, doors, decide, meter, observer, ledger, health, lifecycle, events, clock } = parts;
  const check = serveCheck({
    decide,
    withdraw: (hold) => void meter.withdraw(hold),
    holdToFields,
    clock,
    random: Math.random,
    mintId: () => mintDecisionId(ledger.id, clock.nowMs()),
    policyVersion: () => policy()?.version ?? '',
    isStopped: () => lifecycle.state === 'stopped',
    onFault: (fault, cause) => {
      parts.checkFault(fault);
      events.write('warn', `check_${fault}`, { cause });
    },
  });
  const accessLog = serveAccessLog({
    take: (entries) => {
      // Its counters are its own, and nobody waits for them.
      void observer?.take(entries);
      return meter.takeAll(entries);
    },
    onFault: (fault, cause) => events.write('warn', `access_log_${fault}`, { cause }),
  });
  const first = await listen({
    endpoint: settings.listen.check,
    door: doors.check,
    methods: [check, health.check, health.watch],
    // Of any bundle: a reload may raise `body_max`. What a route takes is looked at when its call is decided.
    receiveBytesMax: BODY_BYTES_MAX + CHECK_EXTRA_BYTES,
    deadlineMs: settings.deadlineMs,
    clock,
  });
  try {
    const second = await listen({
      endpoint: settings.listen.accessLog,
      door: doors.accessLog,
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
