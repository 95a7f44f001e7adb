/** ROCA (CVE-2017-15361): RSA keys of one chip library, whose primes are so regular that their modulus can be factored. */

/** All such primes are a power of this, modulo the product of the first primes. */
const GENERATOR = 65_537;
/** The largest prime that is in that product at every key length that was found. */
const PRIME_MAX = 167;

/** For each small prime the residues that a power of the generator can leave. */
const RESIDUES: readonly (readonly [prime: bigint, residues: ReadonlySet<number>])[] = primes(PRIME_MAX).map(
  (prime) => [BigInt(prime), powers(prime)] as const,
);

/**
 * Whether `modulus` (big-endian) has the fingerprint of such a key (Nemec and others, "The Return of Coppersmith's Attack",
 * CCS 2017, section 3). It finds every one; of honest keys it suspects one in some hundred million.
 */
export function hasRocaFingerprint(modulus: Uint8Array): boolean {
  const value = BigInt(`0x${Buffer.from(modulus).toString('hex') || '0'}`);
  return RESIDUES.every(([prime, residues]) => residues.has(Number(value % prime)));
}

function powers(prime: number): ReadonlySet<number> {
  const residues = new Set<number>();
  for (let residue = 1; !residues.has(residue); residue = (residue * GENERATOR) % prime) residues.add(residue);
  return residues;
}

/** Primes from 3 on; every modulus is odd. */
function primes(max: number): number[] {
  const found: number[] = [];
  for (let number = 3; number <= max; number += 2) if (found.every((prime) => number % prime !== 0)) found.push(number);
  return found;
}
