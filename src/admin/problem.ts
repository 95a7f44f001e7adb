/** Errors of the admin port: application/problem+json (RFC 9457), lower case, values in backticks, no internals. */
import { STATUS_CODES } from 'node:http';
import { type ErrorCode, TollgateError } from '../core/errors.ts';

/** What a problem is, for machines, and its status. A word once published is never renamed. */
const STATUSES = {
  request_malformed: 400,
  credential_missing: 401,
  credential_unknown: 401,
  role_forbidden: 403,
  origin_foreign: 403,
  not_found: 404,
  method_wrong: 405,
  conflict: 409,
  body_too_large: 413,
  media_type_wrong: 415,
  host_unknown: 421,
  too_many_failures: 429,
  internal_error: 500,
  unavailable: 503,
} as const satisfies Readonly<Record<string, number>>;
export type ProblemCode = keyof typeof STATUSES;

/** What a failure of a use case is on the wire; the others are ours to mend. Their words are written for operators. */
const OF_FAILURES: Readonly<Partial<Record<ErrorCode, ProblemCode>>> = {
  usage: 'request_malformed',
  not_found: 'not_found',
  bundle_invalid: 'conflict',
  bundle_read_only: 'conflict',
  settings_invalid: 'conflict',
  secret_unreadable: 'conflict',
  audit_unavailable: 'unavailable',
  ledger_unavailable: 'unavailable',
};

export interface AdminProblem {
  readonly status: number;
  readonly code: ProblemCode;
  /** What was expected and found, and what to do. */
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function problem(
  code: ProblemCode,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): AdminProblem {
  const challenge = STATUSES[code] === 401 ? { 'www-authenticate': 'Bearer realm="tollgate"' } : {};
  return { status: STATUSES[code], code, detail, headers: { ...challenge, ...headers } };
}

/** What a thrown error is; the words of one that is not a TollgateError are for the log alone. */
export function problemOf(error: unknown): AdminProblem {
  if (error instanceof TollgateError) {
    const code = OF_FAILURES[error.code];
    if (code !== undefined) return problem(code, error.message);
  }
  return problem('internal_error', 'the request failed for a reason of ours; the log has it');
}

/** The body of a problem; one line. */
export function problemText({ status, code, detail }: AdminProblem): string {
  return `${JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, code, detail })}\n`;
}

export const PROBLEM_TYPE = 'application/problem+json';
