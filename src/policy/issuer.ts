/** An issuer of tokens, as access.yaml's entry is compiled. */
import type { Kind } from './policy.ts';

/** Signature algorithms of JWS that a token may use: asymmetric ones only. */
export const SIGNATURES = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;
export type Signature = (typeof SIGNATURES)[number];

/** Where an issuer's public keys are. `path` is absolute. */
export type KeySetPlace =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string };

/** Whose tokens (JWT) are let in, and whom they stand for. */
export interface Issuer {
  /** Its name in access.yaml. */
  readonly name: string;
  /** Exact value of `iss`. */
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly Signature[];
  /** The header's `typ`, as RFC 7515 compares it: `at+jwt` and `application/at+jwt` are one. */
  readonly type: string;
  /** Longest time since `iat`. */
  readonly ageMaxMs: number;
  readonly keys: KeySetPlace;
  /** Parts of the account: the first is always literal, a claim fills one whole part. */
  readonly account: readonly ({ readonly literal: string } | { readonly claim: string })[];
  /** Claim that names the actor; undefined: nobody but the credential. */
  readonly actor: string | undefined;
  readonly kind: Kind;
  readonly class: string;
}
