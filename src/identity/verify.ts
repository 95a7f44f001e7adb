/** Proves a token with a key of its issuer: signature, then claims. The cryptography is jose's. */
import { type CryptoKey, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Reason } from '../core/reasons.ts';
import type { Issuer, Signature } from '../policy/issuer.ts';
import type { IdentityRefusal } from './principal.ts';

/** Clocks of issuers and ours may differ by this. */
const TOLERANCE_SECONDS = 60;
/** Last second of the year 9999. */
const SECONDS_MAX = 253_402_300_799;

/** Claims of a token that was proved, and the first instant at which it is no longer good. */
export interface ProvedClaims {
  readonly claims: JWTPayload;
  readonly untilMs: number;
}

/**
 * Verifies `text` with `key` under `algorithm` and holds its claims to what `issuer` demands at `nowMs`: `iss`, `aud`, `typ`,
 * `exp`, `iat`, `sub`, and an age of at most `ageMaxMs`. Never throws.
 */
export async function verifyToken(
  text: string,
  { issuer, algorithm, key }: { readonly issuer: Issuer; readonly algorithm: Signature; readonly key: CryptoKey },
  nowMs: number,
): Promise<ProvedClaims | IdentityRefusal> {
  try {
    const { payload } = await jwtVerify(text, key, {
      algorithms: [algorithm],
      issuer: issuer.issuer,
      audience: issuer.audience,
      typ: issuer.type,
      requiredClaims: ['exp', 'iat', 'sub'],
      maxTokenAge: issuer.ageMaxMs / 1000,
      clockTolerance: TOLERANCE_SECONDS,
      currentDate: new Date(nowMs),
    });
    return timed(payload, issuer);
  } catch (error) {
    return { reason: reasonOf(error), detail: `issuer \`${issuer.name}\`: ${textOf(error)}` };
  }
}

/** jose takes any number for a time, also those beyond the calendar. */
function timed(claims: JWTPayload, issuer: Issuer): ProvedClaims | IdentityRefusal {
  const { exp, iat, nbf } = claims;
  if (!isTime(exp) || !isTime(iat) || (nbf !== undefined && !isTime(nbf))) {
    return { reason: 'credential_claims', detail: `issuer \`${issuer.name}\`: a time is out of range` };
  }
  return { claims, untilMs: Math.min(exp * 1000, iat * 1000 + issuer.ageMaxMs) };
}

/** Fractions of a second are allowed (RFC 7519 section 2, NumericDate). */
function isTime(value: number | undefined): value is number {
  return value !== undefined && value >= 0 && value <= SECONDS_MAX;
}

function reasonOf(error: unknown): Reason {
  if (error instanceof errors.JWTExpired) return 'credential_expired';
  if (error instanceof errors.JWTClaimValidationFailed) return reasonOfClaim(error);
  if (error instanceof errors.JOSEAlgNotAllowed) return 'credential_algorithm';
  const isForm = error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid;
  return isForm ? 'credential_malformed' : 'credential_signature';
}

function reasonOfClaim({ claim, reason }: errors.JWTClaimValidationFailed): Reason {
  if (claim === 'typ') return 'credential_type';
  if (claim === 'aud') return 'credential_audience';
  if (claim === 'iss') return 'credential_issuer';
  const isEarly = (claim === 'nbf' || claim === 'iat') && reason === 'check_failed';
  return isEarly ? 'credential_not_yet_valid' : 'credential_claims';
}

/** Texts of jose name claims and never their values; those of anybody else are not passed on. */
function textOf(error: unknown): string {
  return error instanceof errors.JOSEError ? error.message : 'the signature cannot be verified';
}
