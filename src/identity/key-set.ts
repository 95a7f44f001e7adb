/** JSON Web Key Sets (RFC 7517): the public keys of an issuer, of which only those that may verify its tokens are kept. */
import { type CryptoKey, importJWK, type JWK } from 'jose';
import type { Signature } from '../policy/issuer.ts';
import { hasRocaFingerprint } from './roca.ts';
import { strictObject } from './strict-json.ts';

/** Keys of one set; more are no set of signing keys. */
export const KEYS_MAX = 100;
const KID_CHARS_MAX = 256;
/** NIST SP 800-131A; above the upper bound one verification takes milliseconds. */
const RSA_BITS = { min: 2048, max: 8192 } as const;
/** Members of private and symmetric keys, RFC 7518 section 6. Who publishes one has lost it. */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const;
const FAMILY: Readonly<Record<Signature, string>> = {
  RS256: 'RSA',
  RS384: 'RSA',
  RS512: 'RSA',
  PS256: 'RSA',
  PS384: 'RSA',
  PS512: 'RSA',
  ES256: 'EC P-256',
  ES384: 'EC P-384',
  ES512: 'EC P-521',
  EdDSA: 'OKP Ed25519',
};

/** What WebCrypto says of an imported RSA key. */
type RsaAlgorithm = CryptoKey['algorithm'] & { readonly modulusLength: number; readonly publicExponent: Uint8Array };
type Jwk = Readonly<Record<string, unknown>>;

interface VerifyKey {
  readonly kid: string | undefined;
  readonly kty: unknown;
  readonly byAlgorithm: ReadonlyMap<Signature, CryptoKey>;
}

/** Keys that verify, imported once for each algorithm that the issuer may use. */
export class KeySet {
  readonly #keys: readonly VerifyKey[];
  readonly #byKid: ReadonlyMap<string, readonly VerifyKey[]>;

  constructor(keys: readonly VerifyKey[]) {
    this.#keys = keys;
    this.#byKid = Map.groupBy(
      keys.filter(({ kid }) => kid !== undefined),
      ({ kid }) => kid!,
    );
  }

  get size(): number {
    return this.#keys.length;
  }

  /** The key named `kid`; without one, the only key that fits. Undefined where there is none, or not one alone. */
  find(kid: string | undefined, algorithm: Signature): CryptoKey | undefined {
    const named = kid === undefined ? this.#keys : (this.#byKid.get(kid) ?? []);
    const fit = named.flatMap(({ byAlgorithm }) => byAlgorithm.get(algorithm) ?? []);
    return fit.length === 1 ? fit[0] : undefined;
  }
}

/** A set, and why keys that somebody meant to be used were left out; keys for other uses are left out in silence. */
export interface ReadKeySet {
  readonly set: KeySet;
  readonly dropped: readonly string[];
}

/**
 * Reads a set for an issuer that signs with `algorithms`. Symmetric and private keys, weak RSA keys, keys that
 * cannot be imported, and two of one type under one `kid` are dropped. Undefined: no key set, more than 100 keys, or none left.
 */
export async function readKeySet(bytes: Uint8Array, algorithms: readonly Signature[]): Promise<ReadKeySet | undefined> {
  const entries = strictObject(bytes)?.['keys'];
  if (!Array.isArray(entries) || entries.length > KEYS_MAX) return undefined;
  const dropped: string[] = [];
  const found: VerifyKey[] = [];
  for (const [index, jwk] of entries.entries()) {
    const key = await readKey(jwk, algorithms);
    if (typeof key === 'string') dropped.push(`key ${index + 1}: ${key}`);
    else if (key !== undefined) found.push(key);
  }
  const kept = found.filter((key) => !found.some((other) => other !== key && isTwin(key, other)));
  if (kept.length < found.length) dropped.push(`${found.length - kept.length} keys share kid and type`);
  return kept.length === 0 ? undefined : { set: new KeySet(kept), dropped };
}

function isTwin(a: VerifyKey, b: VerifyKey): boolean {
  return a.kid !== undefined && a.kid === b.kid && a.kty === b.kty;
}

/** A text says why it is dropped; undefined: it is for something else. */
async function readKey(jwk: unknown, algorithms: readonly Signature[]): Promise<VerifyKey | string | undefined> {
  if (typeof jwk !== 'object' || jwk === null) return 'no object';
  const members = jwk as Jwk;
  const { kid, kty, crv, use, key_ops: operations, alg } = members;
  if (kty === 'oct') return 'symmetric';
  if (SECRET_MEMBERS.some((name) => Object.hasOwn(members, name))) return 'private';
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > KID_CHARS_MAX)) return '`kid` is no short text';
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined;
  const family = kty === 'RSA' ? 'RSA' : `${String(kty)} ${String(crv)}`;
  const fit = algorithms.filter((name) => FAMILY[name] === family && (alg === undefined || alg === name));
  if (fit.length === 0) return undefined;
  const byAlgorithm = new Map<Signature, CryptoKey>();
  for (const name of fit) {
    const key = await importKey(members, name);
    if (typeof key === 'string') return key;
    byAlgorithm.set(name, key);
  }
  return { kid, kty, byAlgorithm };
}

async function importKey({ kty, crv, x, y, n, e }: Jwk, algorithm: Signature): Promise<CryptoKey | string> {
  const open = kty === 'RSA' ? { kty, n, e } : kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x };
  try {
    const key = await importJWK(open as JWK, algorithm);
    if (key instanceof Uint8Array) return 'symmetric';
    return kty === 'RSA' ? (weaknessOf(key, String(n)) ?? key) : key;
  } catch {
    return 'cannot be imported';
  }
}

function weaknessOf({ algorithm }: CryptoKey, modulus: string): string | undefined {
  const { modulusLength: bits, publicExponent } = algorithm as RsaAlgorithm;
  if (bits < RSA_BITS.min || bits > RSA_BITS.max) {
    return `expected RSA of ${RSA_BITS.min} to ${RSA_BITS.max} bits, found ${bits}`;
  }
  if (hasRocaFingerprint(Buffer.from(modulus, 'base64url'))) return 'the RSA modulus can be factored (ROCA)';
  // With e = 1 a signature is the padded message itself.
  return publicExponent.length === 1 && publicExponent[0]! < 3 ? 'the RSA exponent is 1' : undefined;
}
