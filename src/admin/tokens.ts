/** Tokens of roles: files are read into digests, and a token is compared with all of them in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type AdminRole, TOKEN_CHARS_MAX, TOKEN_CHARS_MIN } from '../core/admin-role.ts';

/** A token's digest, and the roles that it proves. */
export interface KnownToken {
  readonly digest: Buffer;
  readonly role: AdminRole;
}

/** RFC 6750's b64token. */
const TOKEN = new RegExp(`^[A-Za-z0-9._~+/-]{${TOKEN_CHARS_MIN},${TOKEN_CHARS_MAX}}={0,2}$`);
/** Two are live while one takes the other's place. */
const TOKENS_MAX = 2;

export function tokenDigest(token: string): Buffer {
  return createHash('sha256').update(token, 'latin1').digest();
}

/** Eight digits of a token's hash: they tell it from others, and say nothing of a token this long. */
export function tokenDigits(digest: Buffer): string {
  return digest.toString('hex').slice(0, 8);
}

/** What a token is called in records. */
export function tokenName(digest: Buffer): string {
  return `token:${tokenDigits(digest)}`;
}

/** Reads the text of a token file: one or two tokens, a line each. Undefined for anything else. The text is not kept. */
export function readTokens(text: string, role: AdminRole): readonly KnownToken[] | undefined {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  if (lines.length > TOKENS_MAX || !lines.every((line) => TOKEN.test(line))) return undefined;
  return lines.map((line) => ({ digest: tokenDigest(line), role }));
}

/** The roles that a digest proves. Looks at every known token, whatever it finds. */
export function rolesOf(digest: Buffer, known: readonly KnownToken[]): ReadonlySet<AdminRole> {
  const roles = new Set<AdminRole>();
  for (const each of known) if (timingSafeEqual(each.digest, digest)) roles.add(each.role);
  return roles;
}
