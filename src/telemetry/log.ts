/** The log: JSON lines on stderr, without secrets, bounded per field and per event. */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Clock } from '../core/clock.ts';
import { EventWindows } from './event-windows.ts';
import type { LogLevel } from './names.ts';
import { redact } from './redact.ts';

/** Text waiting for a reader of stderr that is slow; beyond it lines are dropped, so that a log never stops a decision. */
const BACKLOG_CHARS_MAX = 4 * 1024 * 1024;

let dropped = 0;

/** Lines that stderr did not take since the process started, because too many waited for its reader. */
export function droppedLines(): number {
  return dropped;
}

function stderrStream(): DestinationStream {
  const stream = destination({ dest: 2, sync: false, maxLength: BACKLOG_CHARS_MAX });
  stream.on('drop', () => {
    dropped++;
  });
  return stream;
}

/**
 * Makes the log. Lines go to stderr without blocking, or to `stream`. Every line passes `redact`, whichever way its parts
 * came in (fields, message, error, bindings of a child).
 */
export function createLog(options: { readonly level?: LogLevel; readonly stream?: DestinationStream } = {}): Logger {
  const stream = options.stream ?? stderrStream();
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

/** Events of one code per minute; the rest is counted and told with the next one that is written. */
const EVENTS_PER_MINUTE = 5;
/** Codes and kinds are closed sets of ours; the bound is for the day one is built from input by mistake. */
const CODES_MAX = 256;

/** Told of each event that is written, by its level, code and fields. */
export type EventSink = (
  level: Exclude<LogLevel, 'silent'>,
  code: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

export interface EventLogOptions {
  /** Events of one code and kind that are written in a minute. Default 5. */
  readonly perMinute?: number;
  readonly sink?: EventSink | undefined;
}

/**
 * Logs events that traffic can cause, at most `perMinute` of one code and kind, so that a flood of them is a few lines and a
 * number.
 */
export class EventLog {
  readonly #log: Logger;
  readonly #windows: EventWindows;
  readonly #sink: EventSink | undefined;

  constructor(log: Logger, clock: Clock, { perMinute = EVENTS_PER_MINUTE, sink }: EventLogOptions = {}) {
    this.#log = log;
    this.#windows = new EventWindows(clock, { perMinute, namesMax: CODES_MAX });
    this.#sink = sink;
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
    const suppressed = this.#windows.admit(`${code} ${kind}`);
    if (suppressed === undefined) return false;
    const all = suppressed > 0 ? { ...fields, suppressed } : fields;
    this.#log[level]({ ...all, code }, code);
    this.#sink?.(level, code, all);
    return true;
  }
}
