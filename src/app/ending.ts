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

/**
 * Watches over the end of a process from its first moment: make it before anything is opened. Ends the process itself, after a
 * flush, at a second signal (code 0), at an exception that nobody caught (code 1: it never goes on), and where stopping fails
 * or takes too long (code 1).
 */
export class Ending {
  readonly #log: Logger;
  readonly #told: Promise<NodeJS.Signals>;
  /** Undefined: nothing is open yet that an end could lose. */
  #app: Endable | undefined;

  constructor(log: Logger, signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT']) {
    this.#log = log;
    process.on('uncaughtException', (error, origin) => {
      log.fatal({ code: 'uncaught', cause: error, origin }, 'a fault of ours: ending');
      void this.#now(1);
    });
    this.#told = firstOf(signals, (again) => {
      log.warn({ code: 'stopping_now', signal: again }, 'second signal: ending at once');
      void this.#now(0);
    });
  }

  /**
   * Resolves when the app has stopped as it was told to, be it while it started. `drainMs`: how long a signal other than
   * SIGINT leaves it answering (setting `drain`); at a desk nobody balances.
   */
  async of(app: Endable, { drainMs }: { readonly drainMs: number }): Promise<void> {
    this.#app = app;
    const signal = await this.#told;
    const waitMs = signal === 'SIGINT' ? 0 : drainMs;
    const withinMs = endsWithinMs(waitMs);
    this.#log.info({ code: 'stopping', signal, drain_ms: waitMs }, 'stopping');
    const late = setTimeout(() => {
      this.#log.fatal({ code: 'stop_timed_out', within_ms: withinMs }, 'stopping takes too long: ending');
      void this.#now(1);
    }, withinMs);
    try {
      await app.stop({ drainMs: waitMs });
    } catch (cause) {
      this.#log.fatal({ code: 'stop_failed', cause }, 'stopping failed: ending');
      await this.#now(1);
    }
    clearTimeout(late);
    this.#log.info({ code: 'stopped' }, 'stopped');
  }

  async #now(code: number): Promise<void> {
    try {
      const flushed = this.#app?.abandon().then(() => true) ?? true;
      const isFlushed = await Promise.race([flushed, delay(FLUSH_MS, false)]);
      if (!isFlushed)
        this.#log.fatal({ code: 'flush_timed_out', within_ms: FLUSH_MS }, 'the ledger could not be flushed in time');
      process.exit(isFlushed ? code : 1);
    } catch (cause) {
      this.#log.fatal({ code: 'flush_failed', cause }, 'the ledger could not be flushed');
      process.exit(1);
    }
  }
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
