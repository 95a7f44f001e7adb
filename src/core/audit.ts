/** The port of the audit: who changed what, or tried to. Every room may emit through it. */
import type { AdminRole } from './admin-role.ts';

/** `operator`: whoever runs a command on the machine. `system`: the process itself. `nobody`: could not be proved. */
export type AuditRole = AdminRole | 'operator' | 'system' | 'nobody';

/** Everything that leaves a record. A word once published is never renamed. */
export type AuditVerb =
  | 'serve_start'
  | 'serve_stop'
  | 'key_create'
  | 'key_revoke'
  | 'policy_reload'
  | 'secret_reload'
  | 'admin_refused';

/** `done`: it is so now. `refused`: by a rule of ours, nothing changed. `failed`: something broke, nothing is known to have changed. */
export type AuditOutcome = 'done' | 'refused' | 'failed';

/** Plain data. Never a secret, nor a digest of one. */
export type AuditValue =
  | string
  | number
  | boolean
  | null
  | readonly AuditValue[]
  | { readonly [name: string]: AuditValue | undefined };

export interface AuditEvent {
  /** Token id, name in a certificate, user of the operating system, or `tollgate` for `system`. */
  readonly who: string;
  readonly role: AuditRole;
  readonly verb: AuditVerb;
  /** What it was done to: a key's public id, a policy version, a path of the admin port. */
  readonly object: string;
  readonly before?: AuditValue;
  readonly after?: AuditValue;
  readonly outcome: AuditOutcome;
  /** Why it was refused or failed, in words for an operator. */
  readonly why?: string;
  /** Version in force when it happened. */
  readonly policyVersion?: string;
}

export interface Audit {
  /**
   * Appends one record; resolves when it is on disk. Texts are redacted and bounded, so that a record has at most 16 KiB;
   * what was cut says so. Rejects with `audit_unavailable` where it cannot be written, within 2 s.
   */
  append(event: AuditEvent): Promise<void>;
}
