/** Who may do what on the admin port is a matter of roles; what each may do stands in src/admin/roles.ts. */

/** `viewer` reads and changes nothing; `metrics` reads metrics alone. */
export const ADMIN_ROLES = ['security', 'finance', 'platform', 'viewer', 'metrics'] as const;
export type AdminRole = (typeof ADMIN_ROLES)[number];
