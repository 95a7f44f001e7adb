/** Refusals in the words of each API: one table from the kind of a reason to status, type and code. */
import { kindOf, type ReasonKind } from '../core/reasons.ts';
import type { ErrorAnswer, Problem } from './dialect.ts';

/** How one kind of refusal reads. `code: undefined` is the reason itself; a fixed code hides which of several it was. */
export interface Row {
  readonly status: number;
  readonly openai: { readonly type: string; readonly code?: string };
  readonly anthropic: { readonly type: string; readonly status?: number };
  /** google.rpc.Code. */
  readonly google: string;
  readonly bedrock: { readonly type: string; readonly status?: number };
  readonly title: string;
}

/**
 * reference/domain.md 3.1 and 3.2. A spent budget is 429 `insufficient_quota` for OpenAI's SDKs, which know no 402, and
 * 402 `billing_error` for Anthropic's; Bedrock's know it as 400, and would try a 429 again, whatever its type. Credentials that fail and models that are hidden answer as unknown ones do.
 */
const ROWS = {
  credential: {
    status: 401,
    openai: { type: 'invalid_request_error', code: 'invalid_api_key' },
    anthropic: { type: 'authentication_error' },
    google: 'UNAUTHENTICATED',
    bedrock: { type: 'UnrecognizedClientException' },
    title: 'Credential not accepted',
  },
  malformed: {
    status: 400,
    openai: { type: 'invalid_request_error' },
    anthropic: { type: 'invalid_request_error' },
    google: 'INVALID_ARGUMENT',
    bedrock: { type: 'ValidationException' },
    title: 'Malformed request',
  },
  too_large: {
    status: 413,
    openai: { type: 'invalid_request_error' },
    anthropic: { type: 'request_too_large' },
    google: 'INVALID_ARGUMENT',
    bedrock: { type: 'ValidationException' },
    title: 'Request too large',
  },
  unsupported_media: {
    status: 415,
    openai: { type: 'invalid_request_error' },
    anthropic: { type: 'invalid_request_error' },
    google: 'INVALID_ARGUMENT',
    bedrock: { type: 'ValidationException' },
    title: 'Unsupported media type',
  },
  route_not_found: {
    status: 404,
    openai: { type: 'invalid_request_error' },
    anthropic: { type: 'not_found_error' },
    google: 'NOT_FOUND',
    bedrock: { type: 'ResourceNotFoundException' },
    title: 'Route not found',
  },
  model_not_found: {
    status: 404,
    openai: { type: 'invalid_request_error', code: 'model_not_found' },
    anthropic: { type: 'not_found_error' },
    google: 'NOT_FOUND',
    bedrock: { type: 'ResourceNotFoundException' },
    title: 'Model not found',
  },
  forbidden: {
    status: 403,
    openai: { type: 'invalid_request_error' },
    anthropic: { type: 'permission_error' },
    google: 'PERMISSION_DENIED',
    bedrock: { type: 'AccessDeniedException' },
    title: 'Not allowed',
  },
  model_forbidden: {
    status: 403,
    openai: { type: 'invalid_request_error' },
    anthropic: { type: 'permission_error' },
    google: 'PERMISSION_DENIED',
    bedrock: { type: 'AccessDeniedException' },
    title: 'Model not allowed',
  },
  rate: {
    status: 429,
    openai: { type: 'requests', code: 'rate_limit_exceeded' },
    anthropic: { type: 'rate_limit_error' },
    google: 'RESOURCE_EXHAUSTED',
    bedrock: { type: 'ThrottlingException' },
    title: 'Rate limit reached',
  },
  budget: {
    status: 429,
    openai: { type: 'insufficient_quota', code: 'insufficient_quota' },
    anthropic: { type: 'billing_error', status: 402 },
    google: 'RESOURCE_EXHAUSTED',
    bedrock: { type: 'ServiceQuotaExceededException', status: 400 },
    title: 'Budget spent',
  },
  unavailable: {
    status: 503,
    openai: { type: 'server_error' },
    anthropic: { type: 'api_error' },
    google: 'UNAVAILABLE',
    bedrock: { type: 'ServiceUnavailableException' },
    title: 'Cannot decide now',
  },
} as const satisfies Record<ReasonKind, Row>;

const TOKEN_UNITS: ReadonlySet<string> = new Set(['tokens', 'input_tokens', 'output_tokens']);
const MODEL_KINDS: ReadonlySet<ReasonKind> = new Set<ReasonKind>(['model_not_found', 'model_forbidden']);

/** How the kind of this refusal reads. */
export function rowOf(problem: Problem): Row {
  return ROWS[kindOf(problem.reason)];
}

/** The published code of a refusal: its reason, unless its kind hides that. */
export function codeOf(problem: Problem): string {
  return rowOf(problem).openai.code ?? problem.reason;
}

/** `{"error": {message, type, param, code}}`, all four always there. */
export function openaiError(problem: Problem): ErrorAnswer {
  const { status, openai } = rowOf(problem);
  const kind = kindOf(problem.reason);
  const isTokens = kind === 'rate' && problem.limitUnit !== undefined && TOKEN_UNITS.has(problem.limitUnit);
  const isOfModel = MODEL_KINDS.has(kind) || problem.reason === 'model_invalid' || problem.reason === 'model_conflict';
  return json(status, {
    error: {
      message: problem.message,
      type: isTokens ? 'tokens' : openai.type,
      param: isOfModel ? 'model' : null,
      code: codeOf(problem),
    },
  });
}

/** `{"type": "error", "error": {type, message, details}, "request_id"}`; `details.error_code` is what its SDKs show as code. */
export function anthropicError(problem: Problem): ErrorAnswer {
  const { status, anthropic } = rowOf(problem);
  const details = { error_code: codeOf(problem), ...(problem.limit === undefined ? {} : { limit: problem.limit }) };
  return json(anthropic.status ?? status, {
    type: 'error',
    error: { type: anthropic.type, message: problem.message, details },
    request_id: problem.decisionId,
  });
}

/** `{"error": {code, message, status, details}}` of google.rpc.Status, with the decision in an ErrorInfo. */
export function googleError(problem: Problem): ErrorAnswer {
  const { status, google } = rowOf(problem);
  const { message, decisionId: decision, limit } = problem;
  const info = {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: codeOf(problem).toUpperCase(),
    domain: 'tollgate',
    metadata: { decision, ...(limit === undefined ? {} : { limit }) },
  };
  return json(status, { error: { code: status, message, status: google, details: [info] } });
}

/** `{"message"}` of AWS's JSON over REST; `__type` is what its SDKs make the exception from. */
export function bedrockError(problem: Problem): ErrorAnswer {
  const { status, bedrock } = rowOf(problem);
  return json(bedrock.status ?? status, { __type: bedrock.type, message: problem.message });
}

function json(status: number, body: object): ErrorAnswer {
  return { status, contentType: 'application/json', body: JSON.stringify(body) };
}
