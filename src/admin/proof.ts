/** Who asks: a bearer token, or the name in a client certificate that the listener has verified. */
import type { AdminRole } from '../core/admin-role.ts';
import type { FailureBrake } from './brake.ts';
import { type AdminProblem, problem } from './problem.ts';
import { type KnownToken, rolesOf, tokenDigest, tokenName } from './tokens.ts';

/** What a request shows of who asks. */
export interface Shown {
  readonly authorization: string | undefined;
  /** Names in the verified client certificate; empty: there is none. */
  readonly names: readonly string[];
  /** Of the other side; one and the same for all on a Unix socket. */
  readonly address: string;
}

export interface Proved {
  readonly who: string;
  readonly roles: ReadonlySet<AdminRole>;
}

export interface ProofOptions {
  /** Read anew for each request: files may have changed. */
  tokens(): readonly KnownToken[];
  readonly roleNames: ReadonlyMap<AdminRole, readonly string[]>;
  readonly brake: FailureBrake;
  /** Monotonic, ms. */
  nowMs(): number;
  /** Told of each token that nobody holds. */
  onFailure(address: string): void;
}

const BEARER = /^bearer ([A-Za-z0-9._~+/-]{1,512}={0,2})$/i;

const SET_UP =
  'nobody has a role: name a token file for one in tollgate.yaml, like `admin: { roles: { security: { token: ../admin-security } } }`';
const HOW =
  'expected `authorization: Bearer TOKEN` of a role in tollgate.yaml, or a client certificate with a name of one';

/** Proves who asks. A token that is shown counts alone: a wrong one is not made good by a certificate. */
export function proverOf(options: ProofOptions): (shown: Shown) => Proved | AdminProblem {
  const { roleNames, brake, nowMs } = options;
  return ({ authorization, names, address }) => {
    const tokens = options.tokens();
    if (authorization === undefined) return ofNames(names, roleNames) ?? missing(tokens, roleNames);
    if (brake.isBraked(address, nowMs())) {
      return problem('too_many_failures', 'too many unknown tokens; try again in a second', { 'retry-after': '1' });
    }
    const token = BEARER.exec(authorization)?.[1];
    const digest = tokenDigest(token ?? '');
    const roles = rolesOf(digest, tokens);
    if (token !== undefined && roles.size > 0) return { who: tokenName(digest), roles };
    brake.failed(address, nowMs());
    options.onFailure(address);
    return problem('credential_unknown', HOW);
  };
}

function ofNames(names: readonly string[], roleNames: ReadonlyMap<AdminRole, readonly string[]>): Proved | undefined {
  for (const who of names) {
    const roles = [...roleNames].filter(([, known]) => known.includes(who)).map(([role]) => role);
    if (roles.length > 0) return { who, roles: new Set(roles) };
  }
  return undefined;
}

function missing(tokens: readonly KnownToken[], roleNames: ReadonlyMap<AdminRole, readonly string[]>): AdminProblem {
  const isSetUp = tokens.length > 0 || [...roleNames.values()].some((names) => names.length > 0);
  return problem('credential_missing', isSetUp ? HOW : SET_UP);
}
