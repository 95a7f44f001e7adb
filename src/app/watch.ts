/** What finance and the operator are told in the log without asking. */

import type { Logger } from 'pino';
import type { Clock } from '../core/clock.ts';
import { amountText } from '../decision/words.ts';
import type { SqliteLedger } from '../ledger/sqlite-ledger.ts';
import { ownerOf, unitOf } from '../limits/counter.ts';
import type { Crossing } from '../limits/store.ts';
import type { Meter } from '../metering/meter.ts';
import type { Policy } from '../policy/policy.ts';
import { EventLog, type EventSink } from '../telemetry/log.ts';
import type { Observer } from './observer.ts';

/** One line each, unless a limit that renews each second warns for thousands of callers. */
const CROSSINGS_PER_MINUTE = 1_000;

/** Logs each threshold of a limit that was crossed, in words for who set it. */
export function crossingLog(
  log: Logger,
  { clock, policy, sink }: { readonly clock: Clock; policy(): Policy | undefined; readonly sink?: EventSink },
): (crossing: Crossing) => void {
  const events = new EventLog(log, clock, { perMinute: CROSSINGS_PER_MINUTE, sink });
  return ({ counter, limit, threshold, spent }) => {
    const unit = unitOf(counter) ?? 'requests';
    const inForce = policy();
    const [at, now] = [threshold, spent].map((amount) =>
      inForce === undefined ? String(amount) : amountText(amount, unit, inForce),
    );
    events.write('warn', 'limit_threshold', { limit, account: ownerOf(counter), threshold: at, spent: now, counter });
  };
}

/** What finance or the operator must see: all of it is 0 where everything is well. */
export function anomaliesOf(meter: Meter, ledger: SqliteLedger, observer?: Observer): Record<string, number> {
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
    observer_skipped: observer?.counts().skipped ?? 0,
    observer_failed: observer?.counts().failed ?? 0,
  };
}
