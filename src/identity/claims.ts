/** From the claims of a token that was proved to whom it stands for. */
import { hash } from 'node:crypto';
import { isAccountPath } from '../policy/forms.ts';
import type { Issuer } from '../policy/issuer.ts';
import type { IdentityRefusal, Principal } from './principal.ts';

/** What a claim may put into an account: one whole part, as the bundle writes them. No case is folded, nothing is trimmed. */
const PART = /^[a-z0-9._-]{1,64}$/;
/** OpenID Connect Core section 2 bounds `sub` to 255 ASCII characters; ours are the visible ones and spaces. */
const NAME = /^[\x20-\x7e]{1,255}$/;
/** 16 characters of base64url, 96 bits: it tells subjects apart and does not name them. */
const SUBJECT_CHARS = 16;

/**
 * The principal that `claims` mean for `issuer`. The credential id is `<issuer's name>:<digest of sub>`: the same for all
 * tokens of one subject, so that limits and blocks hold for whoever fetches a new one.
 */
export function principalOf(issuer: Issuer, claims: object): Principal | IdentityRefusal {
  const sub = claimOf(claims, 'sub', NAME);
  if (sub === undefined) return refuse(issuer, 'sub');
  const parts: string[] = [];
  for (const part of issuer.account) {
    const text = 'literal' in part ? part.literal : claimOf(claims, part.claim, PART);
    if (text === undefined) return refuse(issuer, 'claim' in part ? part.claim : '');
    parts.push(text);
  }
  const account = parts.join('/');
  if (!isAccountPath(account)) return { reason: 'credential_claims', detail: `issuer \`${issuer.name}\`: no account` };
  const actor = issuer.actor === undefined ? undefined : claimOf(claims, issuer.actor, NAME);
  if (issuer.actor !== undefined && actor === undefined) return refuse(issuer, issuer.actor);
  const subject = hash('sha256', `${issuer.issuer}\n${sub}`, 'base64url').slice(0, SUBJECT_CHARS);
  return Object.freeze({
    account,
    credential: `${issuer.name}:${subject}`,
    kind: issuer.kind,
    proof: 'jwt',
    actor,
    class: issuer.class,
    confidence: 'exact',
  });
}

function claimOf(claims: object, name: string, form: RegExp): string | undefined {
  const value: unknown = Object.hasOwn(claims, name) ? (claims as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' && form.test(value) ? value : undefined;
}

function refuse(issuer: Issuer, claim: string): IdentityRefusal {
  return {
    reason: 'credential_claims',
    detail: `issuer \`${issuer.name}\`: claim \`${claim}\` is missing or does not fit`,
  };
}
