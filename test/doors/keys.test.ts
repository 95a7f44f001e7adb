/** Rows K1, K2, K3, K5 of the bad keys: what may be told apart from outside, and what is compared with what. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { digestText } from '../../src/identity/digest.ts';
import { CredentialIdentifier } from '../../src/identity/identify.ts';
import { newPepperText, type Peppers, parsePepper } from '../../src/identity/peppers.ts';
import { isRefusal } from '../../src/identity/principal.ts';
import { parseDigest } from '../../src/policy/digest.ts';
import type { ApiKey, Policy } from '../../src/policy/policy.ts';
import { headersOf } from '../identity/headers.ts';
import { ROOT } from '../support/process.ts';

const PEPPERS: Peppers = { newest: 'v1', byVersion: new Map([['v1', parsePepper(newPepperText())!]]) };
const NOW_MS = Date.UTC(2026, 5, 1);
const MINTED = mintApiKey('prod');

function entry(id: string): ApiKey {
  return {
    id,
    account: 'acme/search',
    ...parseDigest(digestText(MINTED.key, PEPPERS))!,
    kind: 'service',
    class: 'interactive',
    environment: 'prod',
    owner: 'search@acme.example',
    createdMs: NOW_MS - 1,
    expiresMs: NOW_MS + 1,
    revoked: false,
    shared: false,
  };
}

/** A policy, as far as identity reads it, whose keys all have the digest of MINTED. */
function policyOf(ids: readonly string[]): Policy {
  const part: Pick<Policy, 'environment' | 'keys'> = {
    environment: 'prod',
    keys: new Map(ids.map((id) => [id, entry(id)])),
  };
  return part as Policy;
}

function reasonOf(value: string, policy: Policy, identifier = new CredentialIdentifier(PEPPERS)): string {
  const found = identifier.identify(headersOf([['authorization', value]]), policy, NOW_MS);
  assert.ok(!(found instanceof Promise));
  return isRefusal(found) ? found.reason : found.credential;
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!;

test('K1 a known id with another secret and an unknown id do the same work', (t) => {
  const near = Array.from({ length: 4000 }, () => mintApiKey('prod'));
  const far = Array.from({ length: 4000 }, () => mintApiKey('prod'));
  const policy = policyOf(near.map(({ id }) => id));
  const identifier = new CredentialIdentifier(PEPPERS);
  const timesUs: Record<'near' | 'far', number[]> = { near: [], far: [] };
  for (const [index, key] of near.entries()) {
    for (const [which, text] of [
      ['near', key.key],
      ['far', far[index]!.key],
    ] as const) {
      const start = performance.now();
      const reason = reasonOf(`Bearer ${text}`, policy, identifier);
      timesUs[which].push((performance.now() - start) * 1000);
      assert.equal(reason, 'credential_unknown');
    }
  }
  t.diagnostic(`median: near miss ${median(timesUs.near).toFixed(1)} us, unknown ${median(timesUs.far).toFixed(1)} us`);
});

test('K1 no secret is compared as text, and digests in constant time', () => {
  const files = globSync('src/identity/*.ts', { cwd: ROOT });
  assert.ok(files.length > 10);
  // Comparisons with `undefined` and of kinds and lengths are none of a secret.
  const compared = /(?<!typeof )\b(?:token|secret)\s*[!=]==(?!\s*undefined\b)|[!=]==\s*(?:token|secret)\b(?![.(])/;
  for (const file of files) {
    for (const [index, line] of readFileSync(join(ROOT, file), 'utf8').split('\n').entries()) {
      assert.doesNotMatch(line, compared, `${file}:${index + 1}`);
    }
  }
  assert.match(readFileSync(join(ROOT, 'src/identity/digest.ts'), 'utf8'), /timingSafeEqual\(hmac\(/);
});

test('K2 the public id, whole or cut, and a stretch of the key let nobody in', () => {
  const policy = policyOf([MINTED.id]);
  assert.equal(reasonOf(`Bearer ${MINTED.key}`, policy), MINTED.id);
  const [head, environment, id, secret] = MINTED.key.split('_');
  const other = mintApiKey('prod').key.split('_')[3]!;
  for (const text of [id!, `${head}_${environment}_${id}`, secret!, MINTED.key.slice(0, -1), MINTED.key.slice(1)]) {
    assert.equal(reasonOf(`Bearer ${text}`, policy), 'credential_malformed', text.slice(0, 12));
  }
  // Right id, the secret of another key, whose checksum covers the id too.
  assert.equal(reasonOf(`Bearer ${head}_${environment}_${id}_${other}`, policy), 'credential_malformed');
});

test('K3 ten thousand guesses with a wrong checksum cost no look-up', () => {
  const looked = new Set<string>();
  const policy = policyOf([]);
  const keys = { get: (id: string) => void looked.add(id) };
  const watched = { ...policy, keys } as unknown as Policy;
  const identifier = new CredentialIdentifier(PEPPERS);
  const body = MINTED.key.slice(0, -6);
  // Every checksum but the right one: chance would let one of 2^32 through.
  for (let guess = 0; guess < 10_000; guess++) {
    const text = `${body}${String(guess).padStart(6, '0')}`;
    if (text === MINTED.key) continue;
    assert.equal(reasonOf(`Bearer ${text}`, watched, identifier), 'credential_malformed');
  }
  assert.equal(looked.size, 0);
});

test('K5 Basic, with the key as user or as password, is not served', () => {
  const policy = policyOf([MINTED.id]);
  for (const text of [`${MINTED.key}:`, `:${MINTED.key}`, `api:${MINTED.key}`]) {
    const value = `Basic ${Buffer.from(text).toString('base64')}`;
    assert.equal(reasonOf(value, policy), 'credential_unsupported');
  }
});
