/** Finds the one credential that a request carries. Reads header text only; proves nothing. */
import type { Reason } from '../core/reasons.ts';
import type { HeaderView, IdentityRefusal } from './principal.ts';

/** Headers that SDKs put a key into: OpenAI and Anthropic tokens, Anthropic, Azure, Gemini. */
const CARRIERS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'] as const;
export type Carrier = (typeof CARRIERS)[number];

/** Bytes of one credential. Larger ones are refused before anything is computed from them. */
const CREDENTIAL_CHARS_MAX = 8 * 1024;

/** RFC 9110 section 11.2. Excludes `!`, to which Envoy maps bytes it cannot represent, and all beyond visible ASCII. */
const TOKEN68 = /^[A-Za-z0-9._~+/-]+=*$/;
/** JWS compact serialization, RFC 7515 section 7.1. No API key of ours contains a dot. */
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

/** JWE compact serialization, RFC 7516 section 7.1: five segments, of which some may be empty. */
const JWE = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){4}$/;

export interface Presented {
  readonly carrier: Carrier;
  readonly kind: 'opaque' | 'jwt';
  /** Exact text, token68. A secret. */
  readonly token: string;
}

/** Which headers carry a credential, good or not: what must be removed before the request goes on. Lower case. */
export function credentialHeaders(headers: HeaderView): readonly string[] {
  return CARRIERS.filter((carrier) => headers.get(carrier).length > 0);
}

/**
 * The one credential of a request, or why there is none to prove. Two, one twice, or two joined by a comma are ambiguous
 * (which one counts would depend on who reads them); nothing is trimmed, split or guessed.
 */
export function presentedCredential(headers: HeaderView): Presented | IdentityRefusal {
  let carrier: Carrier | undefined;
  let value: string | undefined;
  for (const name of CARRIERS) {
    const values = headers.get(name);
    if (values.length === 0) continue;
    if (value !== undefined) return refuse('credentials_ambiguous', `both ${carrier} and ${name}`);
    if (values.length > 1) return refuse('credentials_ambiguous', `${name} stands ${values.length} times`);
    carrier = name;
    value = values[0]!;
  }
  if (value === undefined || carrier === undefined) return noHeader(headers);
  if (value.length > CREDENTIAL_CHARS_MAX) {
    return refuse('credential_malformed', `${carrier} has ${value.length} bytes, at most ${CREDENTIAL_CHARS_MAX}`);
  }
  if (value.includes(',')) return refuse('credentials_ambiguous', `${carrier} holds a comma`);
  return carrier === 'authorization' ? bearer(value) : token(value, carrier);
}

/** A client certificate is a credential only where no header is one. Envoy shows it in x-forwarded-client-cert. */
function noHeader(headers: HeaderView): IdentityRefusal {
  if (headers.get('x-forwarded-client-cert').length > 0) {
    return refuse('credential_unsupported', 'client certificates are not served yet');
  }
  return refuse('credential_missing', `none of ${CARRIERS.join(', ')}`);
}

/** RFC 6750 section 2.1: the scheme in any case, exactly one space, token68. */
function bearer(value: string): Presented | IdentityRefusal {
  const space = value.indexOf(' ');
  if (space < 0) return refuse('credential_malformed', 'authorization has no scheme');
  const scheme = value.slice(0, space);
  if (!/^[A-Za-z]+$/.test(scheme)) return refuse('credential_malformed', 'authorization has no scheme');
  if (scheme.toLowerCase() !== 'bearer') return refuse('credential_unsupported', 'authorization is not Bearer');
  return token(value.slice(space + 1), 'authorization');
}

function token(text: string, carrier: Carrier): Presented | IdentityRefusal {
  if (!TOKEN68.test(text)) return refuse('credential_malformed', `${carrier} is not one token68`);
  if (JWE.test(text)) return refuse('credential_unsupported', `${carrier} is an encrypted token`);
  return { carrier, kind: JWT.test(text) ? 'jwt' : 'opaque', token: text };
}

function refuse(reason: Reason, detail: string): IdentityRefusal {
  return { reason, detail };
}
