/** How a process ends: by a signal, by a second one, by a fault of ours, or because its end takes too long. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { endsWithinMs } from './stop.ts';

/** What is ended. */
export interface Endable {
  /** The end in order. Idempotent: a second call waits for the first. */
  stop(options: { readonly drainMs: number }): Promise<void>;
  /** Decides nothing more, and brings to disk what was decided. */
  abandon(): Promise<void>;
}

/** Longest wait for the disk where nothing else is waited for, ms. */
const FLUSH_MS = 2_000;

export interface EndingOptions {
  readonly log: Logger;
  /** How long a signal other than SIGINT leaves it answering: setting `drain`. At a desk nobody balances. */
  readonly drainMs: number;
  readonly signals?: readonly NodeJS.Signals[];
}

/**
 * Resolves when the process has stopped as it was told to. Ends it itself, after a flush, at a second signal (code 0), at an
 * exception nobody caught (code 1: it never goes on), and where stopping takes too long (code 1).
 */
export async function ended(
  app: Endable,
  { log, drainMs, signals = ['SIGTERM', 'SIGINT'] }: EndingOptions,
): Promise<void> {
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ code: 'uncaught', cause: error, origin }, 'a fault of ours: ending');
    void flushAndExit(app, { log, code: 1 });
  });
  const signal = await firstOf(signals, (again) => {
    log.warn({ code: 'stopping_now', signal: again }, 'second signal: ending at once');
    void flushAndExit(app, { log, code: 0 });
  });
  const waitMs = signal === 'SIGINT' ? 0 : drainMs;
  log.info({ code: 'stopping', signal, drain_ms: waitMs }, 'stopping');
  const late = setTimeout(() => {
    log.fatal({ code: 'stop_timed_out', within_ms: endsWithinMs(waitMs) }, 'stopping takes too long: ending');
    void flushAndExit(app, { log, code: 1 });
  }, endsWithinMs(waitMs));
  try {
    await app.stop({ drainMs: waitMs });
  } catch (cause) {
    log.fatal({ code: 'stop_failed', cause }, 'stopping failed: ending');
    await flushAndExit(app, { log, code: 1 });
  }
  clearTimeout(late);
  log.info({ code: 'stopped' }, 'stopped');
}

/** The first of the signals; `again` is told of each that comes after it. */
function firstOf(signals: readonly NodeJS.Signals[], again: (signal: NodeJS.Signals) => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isFirst = true;
    for (const signal of signals) {
      process.on(signal, () => {
        if (isFirst) resolve(signal);
        else again(signal);
        isFirst = false;
      });
    }
  });
}

async function flushAndExit(
  app: Endable,
  { log, code }: { readonly log: Logger; readonly code: number },
): Promise<void> {
  try {
    const isFlushed = await Promise.race([app.abandon().then(() => true), delay(FLUSH_MS, false)]);
    if (!isFlushed)
      log.fatal({ code: 'flush_timed_out', within_ms: FLUSH_MS }, 'the ledger could not be flushed in time');
    process.exit(isFlushed ? code : 1);
  } catch (cause) {
    log.fatal({ code: 'flush_failed', cause }, 'the ledger could not be flushed');
    process.exit(1);
  }
}
