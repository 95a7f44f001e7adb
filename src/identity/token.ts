/** The text of a token (JWS compact serialization, RFC 7515 section 7.1), read strictly. Proves nothing. */
import type { Reason } from '../core/reasons.ts';
import type { IdentityRefusal } from './principal.ts';
import { strictObject } from './strict-json.ts';

/** What a token says of itself. All of it is a stranger's word until the signature is verified. */
export interface UnverifiedToken {
  readonly text: string;
  readonly algorithm: string;
  /** Names a key of the issuer's set; used as a key of a map and for nothing else. */
  readonly kid: string | undefined;
  readonly issuer: string;
  readonly audiences: readonly unknown[];
}

/** Header parameters that change what is signed or how it is read; we understand none of them. */
const REFUSED_PARAMETERS = ['crit', 'b64', 'zip'] as const;

/**
 * Reads a text of three segments of base64url, as `presentedCredential` passes them on. Every segment must be spelled in the
 * one canonical way (no padding, no spare bits), so that one signature has one text. `jku`, `jwk`, `x5u`, `x5c` are not
 * looked at: keys come from the policy alone.
 */
export function readToken(text: string): UnverifiedToken | IdentityRefusal {
  const segments = text.split('.').map(canonicalBytes);
  const [headerBytes, payloadBytes, signature] = segments;
  if (segments.length !== 3 || headerBytes === undefined || payloadBytes === undefined || signature === undefined) {
    return refuse('credential_malformed', 'a segment of the token is not canonical base64url');
  }
  const header = strictObject(headerBytes);
  if (header === undefined) return refuse('credential_malformed', 'the header is no JSON object with every key once');
  const claims = strictObject(payloadBytes);
  if (claims === undefined) return refuse('credential_malformed', 'the payload is no JSON object with every key once');
  for (const name of REFUSED_PARAMETERS) {
    if (Object.hasOwn(header, name)) return refuse('credential_unsupported', `the header has \`${name}\``);
  }
  const { algorithm, kid } = { algorithm: own(header, 'alg'), kid: own(header, 'kid') };
  if (typeof algorithm !== 'string') return refuse('credential_algorithm', 'the header has no `alg`');
  if (kid !== undefined && typeof kid !== 'string') return refuse('credential_malformed', '`kid` is no text');
  const issuer = own(claims, 'iss');
  if (typeof issuer !== 'string') return refuse('credential_issuer', 'the token has no `iss`');
  const audience = own(claims, 'aud');
  return { text, algorithm, kid, issuer, audiences: Array.isArray(audience) ? audience : [audience] };
}

/** Undefined: not base64url, or another spelling of the same bytes. */
function canonicalBytes(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, 'base64url');
  return bytes.toString('base64url') === segment ? bytes : undefined;
}

function own(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function refuse(reason: Reason, detail: string): IdentityRefusal {
  return { reason, detail };
}
