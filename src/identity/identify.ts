/** Request headers → principal, or why nobody was let in. */
import { hash } from 'node:crypto';
import type { Reason } from '../core/reasons.ts';
import type { Awaitable } from '../core/units.ts';
import type { ApiKey, Policy } from '../policy/policy.ts';
import { parseApiKey } from './api-key.ts';
import { presentedCredential } from './credential.ts';
import { digestMatches } from './digest.ts';
import type { Peppers } from './peppers.ts';
import { type HeaderView, type IdentityRefusal, isRefusal, type Principal } from './principal.ts';
import type { ProvedToken, RefusedToken, TokenProver } from './token-prover.ts';
import { VerdictCache } from './verdict-cache.ts';

/** Binds a request's credential to whom it was given to. */
export interface Identifier {
  /**
   * Exactly one credential, proved against `policy` at `nowMs`, or a refusal; never throws on input. The only side effect
   * is a bounded cache. A promise only for a token that is not remembered, and it never rejects. Which headers carried it:
   * `credentialHeaders`.
   */
  identify(headers: HeaderView, policy: Policy, nowMs: number): Awaitable<Principal | IdentityRefusal>;
}

/** An answer and the first instant at which it may be another one. */
interface Verdict {
  readonly found: Principal | IdentityRefusal;
  readonly untilMs: number;
}

/**
 * Proves API keys, and tokens where there is a prover; client certificates are refused as `credential_unsupported` until
 * they are served.
 * A change of policy (a revoked key, another bundle) or of peppers drops all that was remembered, so it holds from the next
 * request on.
 */
export class CredentialIdentifier implements Identifier {
  readonly #peppers: Peppers;
  readonly #tokens: TokenProver | undefined;
  readonly #cache = new VerdictCache();
  #policy: Policy | undefined;
  #proving: Peppers['byVersion'] | undefined;
  #keysVersion = 0;

  constructor(peppers: Peppers, tokens?: TokenProver) {
    this.#peppers = peppers;
    this.#tokens = tokens;
  }

  identify(headers: HeaderView, policy: Policy, nowMs: number): Awaitable<Principal | IdentityRefusal> {
    const presented = presentedCredential(headers);
    if ('reason' in presented) return presented;
    if (this.#policy !== policy || this.#proving !== this.#peppers.byVersion) {
      this.#cache.clear();
      this.#policy = policy;
      this.#proving = this.#peppers.byVersion;
    }
    const keysVersion = this.#tokens?.keysVersion ?? 0;
    if (this.#keysVersion !== keysVersion) {
      this.#cache.forgetRefusals();
      this.#keysVersion = keysVersion;
    }
    // Over the exact bytes, so that no two spellings share an entry; token68 is ASCII.
    const exact = hash('sha256', presented.token, 'base64');
    const cached = this.#cache.get(exact, nowMs);
    if (cached !== undefined) return cached;
    if (presented.kind === 'jwt') return this.#identifyToken(presented.token, { exact, policy, nowMs });

    const { found, untilMs } = proveApiKey(presented.token, policy, this.#peppers, nowMs);
    if (isRefusal(found)) {
      if (found.reason !== 'credential_malformed') this.#cache.putRefusal(exact, found, { nowMs, untilMs });
    } else {
      this.#cache.putPrincipal(exact, found, { nowMs, untilMs });
    }
    return found;
  }

  #identifyToken(text: string, asked: AskedToken): Awaitable<Principal | IdentityRefusal> {
    if (this.#tokens === undefined) return refuse('credential_unsupported', 'tokens are not served here');
    const proved = this.#tokens.prove(text, asked.policy, asked.nowMs);
    return proved instanceof Promise ? proved.then((late) => this.#keep(late, asked)) : this.#keep(proved, asked);
  }

  /**
   * What was proved against a policy that is gone by now is remembered for nobody. A refusal is kept only where the same
   * keys would refuse the same bytes again, so that a client that repeats a bad token costs no signature each time.
   */
  #keep(proved: ProvedToken | RefusedToken, { exact, policy, nowMs }: AskedToken): Principal | IdentityRefusal {
    const isCurrent = this.#policy === policy;
    if ('reason' in proved) {
      const { reason, detail, keysVersion } = proved;
      const refusal = { reason, detail };
      const isLasting = keysVersion !== undefined && keysVersion === this.#tokens?.keysVersion;
      if (isCurrent && isLasting) this.#cache.putRefusal(exact, refusal, { nowMs, untilMs: Number.POSITIVE_INFINITY });
      return refusal;
    }
    const { principal, untilMs } = proved;
    if (isCurrent) this.#cache.putPrincipal(exact, principal, { nowMs, untilMs });
    return principal;
  }
}

interface AskedToken {
  /** Digest of the token's exact bytes. */
  readonly exact: string;
  readonly policy: Policy;
  readonly nowMs: number;
}

/**
 * Proof first, then state: revoked, expired and the rest are said only of a key that was really held. Unknown id and wrong
 * secret do the same work. All refusals look alike from outside.
 */
function proveApiKey(text: string, policy: Policy, peppers: Peppers, nowMs: number): Verdict {
  const parts = parseApiKey(text);
  if (parts === undefined) return refused('credential_malformed', 'not an api key of ours, or its checksum differs');
  const key = policy.keys.get(parts.id);
  if (!digestMatches(text, key, peppers) || key === undefined) {
    const elsewhere = parts.environment !== policy.environment;
    return elsewhere
      ? refused('credential_other_environment', `key \`${parts.id}\` names environment \`${parts.environment}\``)
      : refused('credential_unknown', unknownDetail(parts.id, key, peppers));
  }
  return judgeState(key, policy.environment, nowMs);
}

/** For the operator: a pepper that was taken away too early looks like a wave of wrong secrets. */
function unknownDetail(id: string, key: ApiKey | undefined, peppers: Peppers): string {
  if (key === undefined || peppers.byVersion.has(key.pepper)) return `key \`${id}\` is unknown, or its secret differs`;
  return `key \`${id}\` needs pepper \`${key.pepper}\`, which the settings do not name`;
}

/** Whom a key that was proved stands for at `nowMs`, or why it is refused: environment, revocation, validity. */
export function judgeKey(key: ApiKey, environment: string, nowMs: number): Principal | IdentityRefusal {
  return judgeState(key, environment, nowMs).found;
}

function judgeState(key: ApiKey, environment: string, nowMs: number): Verdict {
  const name = `key \`${key.id}\``;
  if (key.environment !== environment) {
    return refused('credential_other_environment', `${name} is for environment \`${key.environment}\``);
  }
  if (key.revoked) return refused('credential_revoked', `${name} is revoked`);
  if (nowMs >= key.expiresMs) return refused('credential_expired', `${name} has expired`);
  if (nowMs < key.createdMs) {
    return refused('credential_not_yet_valid', `${name} is not yet valid`, key.createdMs);
  }
  return { found: principalOf(key), untilMs: key.expiresMs };
}

function principalOf(key: ApiKey): Principal {
  return Object.freeze({
    account: key.account,
    credential: key.id,
    kind: key.kind,
    proof: 'api_key',
    actor: undefined,
    class: key.class,
    confidence: key.shared ? 'low' : 'exact',
  });
}

function refused(reason: Reason, detail: string, untilMs = Number.POSITIVE_INFINITY): Verdict {
  return { found: refuse(reason, detail), untilMs };
}

function refuse(reason: Reason, detail: string): IdentityRefusal {
  return { reason, detail };
}
