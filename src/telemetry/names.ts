/** The one file of names that telemetry and its readers share. Every room may import it. */

/** Levels of the log, the loudest first; `silent` writes nothing. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
