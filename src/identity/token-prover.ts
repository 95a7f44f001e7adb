/** Token → principal: the issuer that its `iss` names, a key of that issuer's, the proof, the claims. */
import type { Reason } from '../core/reasons.ts';
import type { Awaitable } from '../core/units.ts';
import type { Issuer } from '../policy/issuer.ts';
import type { Policy } from '../policy/policy.ts';
import { principalOf } from './claims.ts';
import { type KeyRingPorts, KeyRings } from './key-ring.ts';
import type { IdentityRefusal, Principal } from './principal.ts';
import { readToken, type UnverifiedToken } from './token.ts';
import { verifyToken } from './verify.ts';

/** Whom a token stands for, and the first instant at which that is no longer so. */
export interface ProvedToken {
  readonly principal: Principal;
  readonly untilMs: number;
}

/** Why a token is refused. */
export interface RefusedToken extends IdentityRefusal {
  /**
   * Version of the key sets under which its exact bytes are refused again; undefined: it may be good the next time, or
   * saying so cost little.
   */
  readonly keysVersion?: number | undefined;
}

/** Proves tokens (JWT) of the policy's issuers. */
export class TokenProver {
  readonly #rings: KeyRings;
  #policy: Policy | undefined;

  constructor(ports: KeyRingPorts) {
    this.#rings = new KeyRings(ports);
  }

  /** Another one as soon as keys were fetched anew, with which a refused token may be good. */
  get keysVersion(): number {
    return this.#rings.version;
  }

  /** Fetches the key sets of `policy` before the first token asks for them, be it in force yet or not. Never rejects. */
  async prepare(policy: Policy): Promise<void> {
    await this.#rings.prepare(policy);
  }

  /**
   * Proves `text`, which is three segments of base64url. What is wrong on its face is answered at once. A refusal of kind
   * `unavailable` means that nothing can be said of the token now. Never throws, never rejects.
   */
  prove(text: string, policy: Policy, nowMs: number): Awaitable<ProvedToken | RefusedToken> {
    this.#adopt(policy);
    const token = readToken(text);
    if ('reason' in token) return token;
    const issuer = issuerOf(token, policy);
    return 'reason' in issuer ? issuer : this.#verified(token, issuer, nowMs);
  }

  #adopt(policy: Policy): void {
    if (this.#policy === policy) return;
    this.#rings.adopt(policy);
    this.#policy = policy;
  }

  async #verified(token: UnverifiedToken, issuer: Issuer, nowMs: number): Promise<ProvedToken | RefusedToken> {
    const algorithm = issuer.algorithms.find((name) => name === token.algorithm);
    if (algorithm === undefined) return refuse('credential_algorithm', issuer, 'the algorithm is not of its list');
    // From before the look-up, so that no verdict of an older key passes for one of these sets.
    const keysVersion = this.keysVersion;
    const key = await this.#rings.key(issuer, token.kid, algorithm);
    if (key === 'unavailable')
      return refuse('keys_unavailable', issuer, 'its key set was never had, or too many wait for it');
    if (key === 'unknown') return refuse('credential_signature', issuer, 'it has no key for this `kid` and algorithm');
    const proved = await verifyToken(token.text, { issuer, algorithm, key }, nowMs);
    if ('reason' in proved) return proved.reason === 'credential_not_yet_valid' ? proved : { ...proved, keysVersion };
    const principal = principalOf(issuer, proved.claims);
    return 'reason' in principal ? { ...principal, keysVersion } : { principal, untilMs: proved.untilMs };
  }
}

/** The unverified `iss` chooses nothing but the entry whose keys then prove or refute it; so does `aud` among entries of one issuer. */
function issuerOf({ issuer, audiences }: UnverifiedToken, policy: Policy): Issuer | IdentityRefusal {
  const entries = policy.issuers.get(issuer) ?? [];
  if (entries.length === 0) return { reason: 'credential_issuer', detail: 'no issuer of access.yaml has this `iss`' };
  if (entries.length === 1) return entries[0]!;
  const meant = entries.filter(({ audience }) => audiences.includes(audience));
  if (meant.length === 1) return meant[0]!;
  const detail = `\`aud\` means ${meant.length} of ${entries.length} entries, expected one`;
  return refuse('credential_audience', entries[0]!, detail);
}

function refuse(reason: Reason, { name }: Issuer, detail: string): IdentityRefusal {
  return { reason, detail: `issuer \`${name}\`: ${detail}` };
}
