/** The log: JSON lines on stderr, without secrets, bounded per field and per event. */
import { LRUCache } from 'lru-cache';
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Clock } from '../core/clock.ts';
import type { LogLevel } from './names.ts';
import { redact } from './redact.ts';

/** Text waiting for a reader of stderr that is slow; beyond it lines are dropped, so that a log never stops a decision. */
const BACKLOG_CHARS_MAX = 4 * 1024 * 1024;

/**
 * Makes the log. Lines go to stderr without blocking, or to `stream`. Every line passes `redact`, whichever way its parts
 * came in (fields, message, error, bindings of a child).
 */
export function createLog(options: { readonly level?: LogLevel; readonly stream?: DestinationStream } = {}): Logger {
  const stream = options.stream ?? destination({ dest: 2, sync: false, maxLength: BACKLOG_CHARS_MAX });
  return pino(
    {
      level: options.level ?? 'info',
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: {
        level: (level) => ({ level }),
        log: (fields) => redact(fields) as Record<string, unknown>,
      },
      // The only place that sees bindings and messages too. Lines are few: decisions do not log.
      hooks: { streamWrite: (line) => `${JSON.stringify(redact(JSON.parse(line)))}\n` },
    },
    stream,
  );
}

/** Events of one code per window; the rest is counted and told with the next one that is written. */
const EVENTS_PER_WINDOW = 5;
const WINDOW_MS = 60_000;
/** Codes and kinds are closed sets of ours; the bound is for the day one is built from input by mistake. */
const CODES_MAX = 256;

interface Window {
  startedMs: number;
  written: number;
  suppressed: number;
}

/**
 * Logs events that traffic can cause, at most `perMinute` (default 5) of one code and kind, so that a flood of them is a few
 * lines and a number.
 */
export class EventLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #windows = new LRUCache<string, Window>({ max: CODES_MAX });

  constructor(log: Logger, clock: Clock, { perMinute = EVENTS_PER_WINDOW }: { readonly perMinute?: number } = {}) {
    this.#log = log;
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /**
   * Writes the event, or counts it; returns whether it was written. `code` is a constant in the code, never text from outside;
   * so is `kind`, for a code whose many common events would hide the few that matter.
   */
  write(
    level: Exclude<LogLevel, 'silent'>,
    code: string,
    fields: Readonly<Record<string, unknown>> = {},
    kind = '',
  ): boolean {
    const window = this.#windowOf(`${code} ${kind}`);
    if (window.written >= this.#perMinute) {
      window.suppressed++;
      return false;
    }
    const suppressed = window.suppressed > 0 ? { suppressed: window.suppressed } : {};
    window.written++;
    window.suppressed = 0;
    this.#log[level]({ ...fields, ...suppressed, code }, code);
    return true;
  }

  /** A window that is over keeps what it suppressed until it has been told. */
  #windowOf(name: string): Window {
    const nowMs = this.#clock.monotonicMs();
    const window = this.#windows.get(name) ?? { startedMs: nowMs, written: 0, suppressed: 0 };
    if (nowMs - window.startedMs >= WINDOW_MS) {
      window.startedMs = nowMs;
      window.written = 0;
    }
    this.#windows.set(name, window);
    return window;
  }
}
