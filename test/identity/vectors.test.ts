/** Published attacks on tokens, at the real door: issuer's entry, key set, signature. Sources: test/testdata/jws/README.md. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { kindOf } from '../../src/core/reasons.ts';
import { readKeySet } from '../../src/identity/key-set.ts';
import { hasRocaFingerprint } from '../../src/identity/roca.ts';
import { readToken } from '../../src/identity/token.ts';
import { verifyToken } from '../../src/identity/verify.ts';
import { type Issuer, SIGNATURES } from '../../src/policy/issuer.ts';
import { keyServer, type Members, segment, testKey, tokenOf } from '../support/issuer.ts';
import { fileScope } from '../support/scope.ts';
import { CLAIMS, doorOf, issuerEntry, NOW_MS, type TokenDoor } from './token-door.ts';
import { expectationsOf, FILES, type FileName, NOT_APPLICABLE, type Stage, type Vector, vectorsOf } from './vectors.ts';

const scope = fileScope();
/** Stands in every key set beside the vector's keys, so that the set is one, and the door is seen to open. */
const OURS = testKey('EdDSA', 'ours');
const PAYLOAD = segment(CLAIMS);

/** The vector with claims for its payload: what refuses it then is not that it says nothing. Only where its payload is well spelled. */
function withClaims(jws: string): string {
  const [header, payload, signature, ...more] = jws.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return jws;
  if (Buffer.from(payload, 'base64url').toString('base64url') !== payload) return jws;
  return `${header}.${PAYLOAD}.${signature}`;
}

/** The steps of the prover, over the published bytes: their payload is mostly no JSON, which is looked at before the key. */
async function stageOf(keys: readonly Members[], jws: string, issuer: Issuer): Promise<Stage> {
  const token = readToken(withClaims(jws));
  if ('reason' in token) return token.reason;
  const algorithm = SIGNATURES.find((name) => name === token.algorithm);
  if (algorithm === undefined) return 'credential_algorithm';
  const read = await readKeySet(Buffer.from(JSON.stringify({ keys })), SIGNATURES);
  const key = read?.set.find(token.kid, algorithm);
  if (key === undefined) return 'no key';
  const proved = await verifyToken(jws, { issuer, algorithm, key }, NOW_MS);
  if (!('reason' in proved)) assert.fail('no vector is a good token');
  return /JWT Claims Set must be|top-level JSON object/.test(proved.detail) ? 'signed' : proved.reason;
}

async function openDoor(keys: readonly Members[]): Promise<TokenDoor> {
  const server = await keyServer(scope, [...keys, OURS.jwk]);
  return doorOf(scope, [issuerEntry(server.url, { algorithms: SIGNATURES })]);
}

function issuerOf(door: TokenDoor): Issuer {
  return door.policy.issuers.get(String(CLAIMS['iss']))![0]!;
}

for (const file of FILES) {
  describe(`published vectors, ${file}`, () => {
    const { numberOfTests, testGroups } = vectorsOf(file);
    const expected = expectationsOf(file);
    const run: Vector[] = [];
    let refusedFace: string;

    before(async () => {
      refusedFace = await (await openDoor([])).faceOf('no-key-of-ours');
      assert.match(refusedFace, /401/);
    });

    for (const { comment, keys, tests } of testGroups) {
      test(`${comment} ${tests[0]!.tcId} to ${tests.at(-1)!.tcId}`, async () => {
        const door = await openDoor(keys);
        assert.equal(await door.reasonOf(tokenOf(OURS, CLAIMS)), 'let in');
        for (const vector of tests) {
          await meets(door, { file, vector, keys, refusedFace, stage: expected.get(vector.tcId)! });
          run.push(vector);
        }
      });
    }

    after(() => {
      assert.equal(run.length, numberOfTests);
      assert.deepEqual(
        run.map(({ tcId }) => tcId),
        [...expected.keys()].sort((a, b) => a - b),
      );
    });
  });
}

interface Meeting {
  readonly file: FileName;
  readonly vector: Vector;
  readonly keys: readonly Members[];
  readonly refusedFace: string;
  readonly stage: Stage;
}

async function meets(door: TokenDoor, { file, vector, keys, refusedFace, stage }: Meeting): Promise<void> {
  const { tcId, comment, jws, result } = vector;
  const name = `${file} ${tcId} ${comment}`;
  assert.equal(await stageOf(keys, jws, issuerOf(door)), stage, name);
  const isPast = stage === 'signed' || stage === 'credential_type';
  assert.equal(isPast, result === 'valid' && !NOT_APPLICABLE[file].has(tcId), name);
  // A list is what a header with a comma is: the one vector in JSON serialization never comes as far as to be read.
  if (jws.includes(',')) {
    assert.equal(await door.reasonOf(jws), 'credentials_ambiguous', name);
    return assert.match(await door.faceOf(jws), /"denied_response":\{"status":\{"code":400/, name);
  }
  for (const text of [jws, withClaims(jws)]) {
    const reason = await door.reasonOf(text);
    assert.ok(reason !== 'let in' && kindOf(reason) === 'credential', `${name}: ${reason}`);
    assert.equal(await door.faceOf(text), refusedFace, name);
  }
  // With claims it comes as far as it would, but that no signature is one of these claims.
  const isSigned = isPast || stage === 'no key';
  assert.equal(await door.reasonOf(withClaims(jws)), isSigned ? 'credential_signature' : stage, name);
}

test('J23 ROCA: only the published key has its fingerprint', () => {
  const keys = FILES.flatMap((file) => vectorsOf(file).testGroups).flatMap((group) => group.keys);
  const moduli = keys.filter(({ kty, n }) => kty === 'RSA' && n !== undefined);
  const weak = moduli.filter(({ n }) => hasRocaFingerprint(Buffer.from(String(n), 'base64url')));
  assert.deepEqual([...new Set(weak.map(({ kid }) => kid))], ['kid-rsa-roca-sign']);
  assert.ok(moduli.length > 5);
});
