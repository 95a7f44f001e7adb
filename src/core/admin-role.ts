/** Who may do what on the admin port is a matter of roles; what each may do stands in src/admin/roles.ts. */

/** `viewer` reads and changes nothing; `metrics` reads metrics alone. */
export const ADMIN_ROLES = ['security', 'finance', 'platform', 'viewer', 'metrics'] as const;
export type AdminRole = (typeof ADMIN_ROLES)[number];

/** Characters of a role's token, padding apart: long enough not to be guessed. */
export const TOKEN_CHARS_MIN = 32;
export const TOKEN_CHARS_MAX = 256;
