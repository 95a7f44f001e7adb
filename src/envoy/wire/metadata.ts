/** Our struct in ext_authz's dynamic metadata: it travels with the request and comes back in its access-log entry. */
import type { Deny } from '../../decision/decision.ts';

/** Key of our struct in the namespace of ext_authz. Two writers merge per key, hence one key of ours. */
export const METADATA_KEY = 'tollgate';

/** A struct of strings, in order. */
export type Fields = readonly (readonly [key: string, value: string])[];

/**
 * What of a denial the access log shows: the fields of an allow in their order (ledger/fields.ts), every one present, empty
 * where nothing is known.
 */
export function denialFields(deny: Deny): Fields {
  const { principal, route } = deny;
  return [
    ['decision_id', deny.decisionId],
    ['outcome', 'deny'],
    ['reason', deny.reason],
    ['account', principal?.account ?? ''],
    ['credential', principal?.credential ?? ''],
    ['actor', principal?.actor ?? ''],
    ['kind', principal?.kind ?? ''],
    ['proof', principal?.proof ?? ''],
    ['confidence', principal?.confidence ?? ''],
    ['class', principal?.class ?? ''],
    ['run', ''],
    ['route', route?.name ?? ''],
    ['dialect', route?.dialect ?? ''],
    ['requested_model', deny.requestedModel ?? ''],
    ['model', ''],
    ['downgraded_by', ''],
    ['stream', ''],
    ['plan', ''],
    ['tags', ''],
    ['policy_version', deny.policyVersion],
    ['price_version', ''],
    ['price_list', ''],
    ['provider', ''],
    ['bill_estimated', ''],
    ['decided_at_ms', String(deny.decidedAtMs)],
    ['expires_at_ms', ''],
    ['spends', ''],
    ['spends_omitted', 'false'],
    ['estimate', ''],
    ['mode', ''],
  ];
}
