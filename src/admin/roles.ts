/** What the admin port can do, and which roles may do it. A verb that is not here does not exist. */
import type { AdminRole } from '../core/admin-role.ts';

/**
 * Who owns a matter may change it: platform cannot make keys. Reading is wide, so that nobody has to borrow a token to
 * answer a question. `viewer` sees neither keys nor who changed what.
 */
export const VERBS = {
  metrics_read: ['security', 'finance', 'platform', 'viewer', 'metrics'],
  policy_read: ['security', 'finance', 'platform', 'viewer'],
  policy_reload: ['security', 'platform'],
  config_read: ['security', 'platform'],
  accounts_read: ['security', 'finance', 'platform', 'viewer'],
  limits_read: ['security', 'finance', 'platform', 'viewer'],
  decisions_read: ['security', 'finance', 'platform', 'viewer'],
  keys_read: ['security', 'finance', 'platform'],
  keys_create: ['security'],
  keys_revoke: ['security'],
  audit_read: ['security', 'finance', 'platform'],
} as const satisfies Readonly<Record<string, readonly AdminRole[]>>;
export type Verb = keyof typeof VERBS;

/** The role by which one who holds `held` may do it, the first that is listed; undefined: none. */
export function roleFor(verb: Verb, held: ReadonlySet<AdminRole>): AdminRole | undefined {
  return VERBS[verb].find((role) => held.has(role));
}
