import type { Clock } from '../core/clock.ts';
import type { Meter } from '../metering/meter.ts';
import type { EventLog } from '../telemetry/log.ts';

/** Ends what is overdue; a store or ledger that cannot be asked is told to the log, and asked again with the next one. */
export async function sweep(meter: Pick<Meter, 'sweep'>, clock: Clock, events: EventLog): Promise<void> {
  try {
    await meter.sweep(clock.nowMs());
  } catch (cause) {
    events.write('error', 'sweep_failed', { cause });
  }
}
