/** The tokens of roles as their files say now. */
import { readFile } from 'node:fs/promises';
import { type KnownToken, readTokens } from '../../admin/tokens.ts';
import { type AdminRole, TOKEN_CHARS_MAX, TOKEN_CHARS_MIN } from '../../core/admin-role.ts';
import { systemCodeOf, TollgateError } from '../../core/errors.ts';
import { secretFileFault } from '../../policy/secret-file.ts';
import { type AdminSettings, TOKEN_FILE } from '../../policy/settings-admin.ts';
import type { EventLog } from '../../telemetry/log.ts';

const LOOK_MS = 2_000;

/**
 * Reads the files of `roles`, and again every 2 s. A file that cannot be used any more proves nobody: taking it away is how
 * a token is revoked. At the start it is `secret_unreadable`.
 */
export class RoleTokens {
  readonly #roles: AdminSettings['roles'];
  readonly #events: EventLog;
  readonly #told = new Map<AdminRole, string>();
  /** One look after the other, so that an older one never counts for a newer. */
  #looking: Promise<void> | undefined;
  #known: readonly KnownToken[] = [];
  #timer: NodeJS.Timeout | undefined;

  static async open(roles: AdminSettings['roles'], events: EventLog): Promise<RoleTokens> {
    const tokens = new RoleTokens(roles, events);
    await tokens.refresh();
    const fault = [...tokens.#told].map(([role, found]) => `token file of role \`${role}\`: ${found}`)[0];
    if (fault !== undefined) throw new TollgateError('secret_unreadable', fault);
    if (roles.size > 0) tokens.#timer = setInterval(() => void tokens.refresh(), LOOK_MS).unref();
    return tokens;
  }

  private constructor(roles: AdminSettings['roles'], events: EventLog) {
    this.#roles = roles;
    this.#events = events;
  }

  known(): readonly KnownToken[] {
    return this.#known;
  }

  /** Never rejects. A fault is told once, until it is another one. What asks while a look runs shares it. */
  refresh(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const found: KnownToken[] = [];
    for (const [role, { token }] of this.#roles) {
      if (token === undefined) continue;
      const read = await readTokenFile(token, role);
      if (typeof read !== 'string') found.push(...read);
      this.#tell(role, typeof read === 'string' ? read : undefined);
    }
    this.#known = found;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tell(role: AdminRole, fault: string | undefined): void {
    if (this.#told.get(role) === fault) return;
    if (fault === undefined) this.#told.delete(role);
    else {
      this.#told.set(role, fault);
      this.#events.write('error', 'admin_role_closed', { role, found: fault }, role);
    }
  }
}

/** Looked at before it is opened: a pipe in its place would keep a thread of the whole process for good. */
async function readTokenFile(file: string, role: AdminRole): Promise<readonly KnownToken[] | string> {
  const fault = await secretFileFault(file, TOKEN_FILE);
  if (fault !== undefined) return `found ${fault}`;
  try {
    const tokens = readTokens(await readFile(file, 'latin1'), role);
    const form = `${TOKEN_CHARS_MIN} to ${TOKEN_CHARS_MAX} characters of [A-Za-z0-9._~+/-]`;
    return tokens ?? `expected one or two tokens of ${form}, a line each`;
  } catch (cause) {
    return `cannot be read (${systemCodeOf(cause) ?? 'unknown error'})`;
  }
}
