/** The end of a process: in which order its parts stop, and how long each may take. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Meter } from '../metering/meter.ts';

/** Five flushes of the sample's Envoy without an entry: nothing that ended is left. Entries that go on coming: 3 s at most. */
const LAST_QUIET_MS = 500;
const LAST_MS = 3_000;
const LAST_POLL_MS = 20;

/**
 * Waits for the entries of calls that have just ended, which Envoy sends with its next flush: until nothing is open, or none
 * has come for `LAST_QUIET_MS`. Streams that go on longer are settled by the process that comes after.
 */
export async function lastEntries(meter: Meter): Promise<void> {
  let before = meter.counts().open;
  for (let waited = 0, quiet = 0; waited < LAST_MS && quiet < LAST_QUIET_MS; waited += LAST_POLL_MS) {
    if (before === 0) return;
    await delay(LAST_POLL_MS);
    const { open } = meter.counts();
    quiet = open === before ? quiet + LAST_POLL_MS : 0;
    before = open;
  }
}
