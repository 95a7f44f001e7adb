/** Our struct in ext_authz's dynamic metadata: it travels with the request and comes back in its access-log entry. */
import type { Deny } from '../../decision/decision.ts';

/** Key of our struct in the namespace of ext_authz. Two writers merge per key, hence one key of ours. */
export const METADATA_KEY = 'tollgate';

/** A struct of strings, in order. */
export type Fields = readonly (readonly [key: string, value: string])[];

/** What of a denial the access log shows: the fields of an allow, every one present, empty where nothing is known. */
export function denialFields(deny: Deny): Fields {
  const { principal, route } = deny;
  return [
    ['decision_id', deny.decisionId],
    ['outcome', 'deny'],
    ['reason', deny.reason],
    ['account', principal?.account ?? ''],
    ['customer', deny.customer ?? ''],
    ['credential', principal?.credential ?? ''],
    ['actor', principal?.actor ?? ''],
    ['class', principal?.class ?? ''],
    ['run', ''],
    ['route', route?.name ?? ''],
    ['dialect', route?.dialect ?? ''],
    ['requested_model', deny.requestedModel ?? ''],
    ['model', ''],
    ['stream', ''],
    ['policy_version', deny.policyVersion],
    ['price_version', ''],
    ['decided_at_ms', String(deny.decidedAtMs)],
    ['expires_at_ms', ''],
    ['limit', deny.limit?.name ?? ''],
    ['spends', ''],
    ['estimate', ''],
    ['mode', ''],
  ];
}
