/** Published vectors of tokens and key sets (test/testdata/jws), and what each must come to. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Reason } from '../../src/core/reasons.ts';
import type { Members } from '../support/issuer.ts';

export interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly jws: string;
  readonly result: 'valid' | 'invalid';
}

export interface VectorGroup {
  readonly comment: string;
  readonly keys: readonly Members[];
  readonly tests: readonly Vector[];
}

export interface VectorFile {
  readonly numberOfTests: number;
  readonly testGroups: readonly VectorGroup[];
}

/** How far a vector comes: past the signature; refused there; no key of the set is fit for it; or refused before. */
export type Stage = 'signed' | 'no key' | Reason;

export const FILES = ['wycheproof-jws', 'wycheproof-jwk', 'rfc'] as const;
export type FileName = (typeof FILES)[number];

export function vectorsOf(file: FileName): VectorFile {
  const path = fileURLToPath(new URL(`../testdata/jws/${file}.json`, import.meta.url));
  return JSON.parse(readFileSync(path, 'utf8')) as VectorFile;
}

type Expectation = readonly [ids: readonly (number | readonly [first: number, last: number])[], stage: Stage];

const EXPECTED: Readonly<Record<FileName, readonly Expectation[]>> = {
  'wycheproof-jws': [
    [[18, 33, 378], 'signed'],
    // Changed signature, payload; RSA padding of their own making; numbers of ECDSA out of range, psychic ones among them.
    [[19, 20, 22, 23, 32, 34, 35, 37, 38, [46, 60], [379, 401]], 'credential_signature'],
    // Another `kid`; a key for something else, or for another algorithm.
    [[25, 40, 350, 351, [353, 356]], 'no key'],
    // No MAC is ever accepted, nor is `none`: whoever can check one could make one.
    [[1, 2, 3, 5, 6, 8, 16, 31, 352, [357, 359], 367, 370, 376, 377], 'credential_algorithm'],
    [[4, 7, [9, 15], 17, 21, 24, [26, 30], 36, 39, [41, 45], [360, 366], 368, 369, [371, 375]], 'credential_malformed'],
  ],
  'wycheproof-jwk': [
    [[5], 'signed'],
    [
      [
        [6, 9],
        [19, 24],
      ],
      'no key',
    ],
    [[[1, 4], [10, 18], 25, 26], 'credential_algorithm'],
  ],
  rfc: [
    [[[6, 8], 10], 'signed'],
    // Their payload are claims: they are judged after the signature.
    [[2, 3], 'credential_type'],
    [[1, 4], 'credential_algorithm'],
    [[5, 9], 'credential_unsupported'],
  ],
};

/** Vectors that their publisher calls valid, and why they get no further all the same. */
export const NOT_APPLICABLE: Readonly<Record<FileName, ReadonlyMap<number, string>>> = {
  'wycheproof-jws': new Map([
    [1, 'MAC'],
    [350, 'the key says `alg: PS256`, the token PS384 (RFC 7517 section 4.4)'],
    [351, 'the key says `alg: ES521`, which is no algorithm; in wycheproof-jwk 19 the same is called invalid'],
    [352, 'MAC'],
    [357, 'MAC'],
    [358, 'MAC'],
    [359, 'MAC'],
    [372, 'MAC, and a character that is not of base64url'],
    [373, 'MAC, and a character that is not of base64url'],
    [376, 'MAC'],
    [377, 'MAC'],
  ]),
  'wycheproof-jwk': new Map([
    [2, 'MAC'],
    [13, 'MAC'],
    [14, 'MAC'],
    [15, 'MAC'],
  ]),
  rfc: new Map([
    [1, 'MAC'],
    [9, 'MAC, detached payload'],
  ]),
};

/** By `tcId`. A vector that is named twice is a mistake of the table. */
export function expectationsOf(file: FileName): ReadonlyMap<number, Stage> {
  const byId = new Map<number, Stage>();
  for (const [ids, stage] of EXPECTED[file]) {
    for (const entry of ids) {
      const [first, last] = typeof entry === 'number' ? [entry, entry] : entry;
      for (let id = first; id <= last; id++) {
        if (byId.has(id)) throw new Error(`${file} ${id} is expected twice`);
        byId.set(id, stage);
      }
    }
  }
  return byId;
}
