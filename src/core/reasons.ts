/**
 * Why a request was not served: the one closed list, a value and never an error. Listed in docs/reasons.md (a test holds
 * the two together). A reason once published is never renamed.
 *
 * The kind says what a client is told; a dialect turns it into status and body (dialects/errors). Several reasons of the
 * kind `credential` look alike from outside on purpose.
 */
export const REASONS = {
  // 401
  credential_missing: 'credential',
  credential_malformed: 'credential',
  credential_unknown: 'credential',
  credential_revoked: 'credential',
  credential_expired: 'credential',
  credential_not_yet_valid: 'credential',
  credential_other_environment: 'credential',
  credential_blocked: 'credential',
  credential_unsupported: 'credential',
  credential_issuer: 'credential',
  credential_algorithm: 'credential',
  credential_signature: 'credential',
  credential_type: 'credential',
  credential_audience: 'credential',
  credential_claims: 'credential',
  // 400
  credentials_ambiguous: 'malformed',
  path_not_canonical: 'malformed',
  upgrade_refused: 'malformed',
  header_invalid: 'malformed',
  query_invalid: 'malformed',
  body_malformed: 'malformed',
  body_duplicate_key: 'malformed',
  body_value_invalid: 'malformed',
  body_too_deep: 'malformed',
  model_invalid: 'malformed',
  model_conflict: 'malformed',
  run_required: 'malformed',
  stream_usage_required: 'malformed',
  output_cap_required: 'malformed',
  // 413, 415
  body_too_large: 'too_large',
  body_partial: 'too_large',
  content_encoding_unsupported: 'unsupported_media',
  content_type_unsupported: 'unsupported_media',
  // 404
  route_unknown: 'route_not_found',
  model_unknown: 'model_not_found',
  model_hidden: 'model_not_found',
  // 403
  account_blocked: 'forbidden',
  access_denied: 'forbidden',
  class_not_entitled: 'forbidden',
  model_not_entitled: 'model_forbidden',
  model_denied: 'model_forbidden',
  plan_missing: 'forbidden',
  route_not_entitled: 'forbidden',
  // limits: 429, or a spent budget (402 or 429 by dialect)
  rate_limited: 'rate',
  concurrency_limited: 'rate',
  budget_spent: 'budget',
  // 503
  check_malformed: 'unavailable',
  clock_moved: 'unavailable',
  counters_exhausted: 'unavailable',
  deadline_exceeded: 'unavailable',
  internal_error: 'unavailable',
  keys_unavailable: 'unavailable',
  ledger_full: 'unavailable',
  limits_unavailable: 'unavailable',
  overloaded: 'unavailable',
  policy_missing: 'unavailable',
  price_missing: 'unavailable',
  shutting_down: 'unavailable',
} as const;

export type Reason = keyof typeof REASONS;
export type ReasonKind = (typeof REASONS)[Reason];

export function kindOf(reason: Reason): ReasonKind {
  return REASONS[reason];
}
