/** The end of a process: in which order its parts stop, and how long each may take. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Listener } from '../envoy/transport.ts';
import type { Meter } from '../metering/meter.ts';
import type { Lifecycle } from './lifecycle.ts';

/** A Check takes at most its deadline, a fifth of a second; what is not finished by then is cut. */
const CHECKS_MS = 2_000;
/** Access-log streams have no end of their own: they are ended, and cut where a peer does not see it. */
const STREAMS_MS = 1_000;
/** Two and a half flushes of the sample's Envoy without an entry: nothing that ended is left. */
const LAST_QUIET_MS = 250;
/** Entries that go on coming. Callers wait for the next process meanwhile. */
const LAST_MS = 1_000;
const LAST_POLL_MS = 20;
/** For the ledger's last commit, and for whatever is slow: reference P1, 12 s with the default `drain` of 3 s. */
const REST_MS = 5_000;

/** Longest that an end may take which waits `drainMs` first; a process that is there after that is ended by force. */
export function endsWithinMs(drainMs: number): number {
  return drainMs + CHECKS_MS + LAST_MS + STREAMS_MS + REST_MS;
}

export interface Stopping {
  readonly lifecycle: Lifecycle;
  readonly check: Listener;
  readonly accessLog: Listener;
  readonly meter: Meter;
  readonly ledger: { close(): Promise<void> };
  /** Parts that need neither order nor the ledger: timers, the admin port, telemetry. Each has a deadline of its own. */
  readonly others: () => Promise<void>;
}

/**
 * Not ready → still answering for `drainMs`, so that whoever balances or probes sees it → no new calls, and those under way
 * finish → the last entries of the access log → its streams end → everything is on disk.
 */
export async function stopInOrder(parts: Stopping, { drainMs }: { readonly drainMs: number }): Promise<void> {
  const { lifecycle, check, accessLog, meter, ledger, others } = parts;
  lifecycle.enter('draining');
  if (drainMs > 0) await delay(drainMs);
  await check.close({ deadlineMs: CHECKS_MS });
  lifecycle.enter('stopped');
  await lastEntries(meter);
  await accessLog.close({ deadlineMs: STREAMS_MS });
  await Promise.all([ledger.close(), others()]);
}

/**
 * Waits for the entries of calls that have just ended, which Envoy sends with its next flush: until nothing is open, or none
 * has come for `LAST_QUIET_MS`. Streams that go on longer are settled by the process that comes after.
 */
async function lastEntries(meter: Pick<Meter, 'counts'>): Promise<void> {
  let before = meter.counts().open;
  for (let waited = 0, quiet = 0; waited < LAST_MS && quiet < LAST_QUIET_MS; waited += LAST_POLL_MS) {
    if (before === 0) return;
    await delay(LAST_POLL_MS);
    const { open } = meter.counts();
    quiet = open === before ? quiet + LAST_POLL_MS : 0;
    before = open;
  }
}
