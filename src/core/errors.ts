/** Codes of failures (not of denials: those are values, see reasons.ts). Switched on; the text is for people. */
export type ErrorCode =
  | 'audit_unavailable'
  | 'bundle_invalid'
  | 'bundle_read_only'
  | 'ledger_locked'
  | 'ledger_unavailable'
  | 'not_found'
  | 'port_in_use'
  | 'secret_unreadable'
  | 'settings_invalid'
  | 'usage'
  | 'wire_invalid';

/**
 * A failure with a code from a closed union. `message` is lower case, without a full stop, values in backticks,
 * fit to be read by whoever runs the command; the origin goes into `cause` and is for the log only.
 */
export class TollgateError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TollgateError';
    this.code = code;
  }
}

/** The code of a failed system call, such as `ENOENT`; undefined for every other value. */
export function systemCodeOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}
