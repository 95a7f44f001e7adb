/** What the admin port shows and does. Filled by src/app/admin/ports.ts; nothing behind it is known here. */
import type { AdminRole } from '../core/admin-role.ts';
import type { AuditEvent } from '../core/audit.ts';

/** Who asks, by the role that lets them. */
export interface Caller {
  readonly role: AdminRole;
  /** `token:` and eight digits of its hash, or the name in a certificate. */
  readonly who: string;
}

/** A page of a list: at most `limit` entries behind `after`. */
export interface PageQuery {
  readonly limit: number;
  readonly after: string | undefined;
}

/** Entries, and what to ask for the next page with; undefined: there is none. */
export interface Page<T> {
  readonly entries: readonly T[];
  readonly next: string | undefined;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not, in words of ours; empty if it is. */
  readonly reasons: readonly string[];
  /** In force; undefined: none. */
  readonly policy_version: string | undefined;
}

export interface PolicyView {
  readonly version: string;
  /** When it came into force, ISO 8601. */
  readonly since: string;
  /** The last bundle that was refused, if it came after. */
  readonly refused: { readonly version: string; readonly at: string; readonly problems: readonly string[] } | undefined;
}

export interface ReloadView {
  /** `loaded`: another version is in force. `unchanged`: it says what is in force. `moving`: it is being written. `failed`: not its fault. */
  readonly outcome: 'loaded' | 'unchanged' | 'refused' | 'moving' | 'failed';
  readonly version: string;
  readonly problems: readonly string[];
}

export interface KeyView {
  readonly id: string;
  readonly account: string;
  readonly class: string;
  readonly kind: string;
  readonly owner: string;
  readonly environment: string;
  readonly created: string;
  readonly expires: string;
  readonly revoked: boolean;
  readonly state: string;
}

/** What a new key is for, not judged yet. */
export interface KeyRequest {
  readonly account: string;
  readonly class: string;
  readonly kind: string;
  readonly owner: string;
  readonly expires: string | undefined;
  readonly environment: string | undefined;
}

export interface MintedKeyView {
  /** The secret: shown this once, kept nowhere. */
  readonly key: string;
  readonly id: string;
  readonly expires: string;
  /** Whether it is let in from now on. */
  readonly live: boolean;
}

export interface RevokedKeyView {
  readonly id: string;
  readonly outcome: 'revoked' | 'already';
  /** Whether it is refused from now on. */
  readonly live: boolean;
}

export interface DecisionsQuery extends PageQuery {
  readonly account: string | undefined;
  readonly sinceMs: number | undefined;
}

export interface AuditPageQuery extends PageQuery {
  readonly sinceMs: number | undefined;
  readonly who: string | undefined;
  readonly verb: string | undefined;
}

/** Every method that fails throws a TollgateError whose message an operator may read. Long reading ends within 5 s. */
export interface AdminPorts {
  readonly version: Readonly<Record<string, string>>;
  readiness(): Readiness;
  /** Prometheus text. */
  metrics(): Promise<string>;
  policy(): PolicyView | undefined;
  reload(caller: Caller): Promise<ReloadView>;
  /** The settings in force, secrets as `sha256:` and eight digits. */
  config(): unknown;
  accounts(query: PageQuery): Page<unknown>;
  /** Undefined: there is no such account. */
  account(path: string): unknown;
  limits(account: string): unknown;
  /** JSON text; undefined: no such decision. */
  decision(id: string): Promise<string | undefined>;
  /** JSON text of a page. */
  decisions(query: DecisionsQuery): Promise<string>;
  keys(query: PageQuery & { readonly account: string | undefined }): Page<KeyView>;
  createKey(request: KeyRequest, caller: Caller): Promise<MintedKeyView>;
  revokeKey(id: string, caller: Caller): Promise<RevokedKeyView>;
  /** JSON text of a page. */
  audit(query: AuditPageQuery): Promise<string>;
  /** Tokens that nobody holds, and what a role may not do. Never throws, waits for nothing. */
  refused(event: Pick<AuditEvent, 'who' | 'role' | 'object' | 'why'>): void;
  /** A failure that is ours, for the log. */
  failed(cause: unknown): void;
}
