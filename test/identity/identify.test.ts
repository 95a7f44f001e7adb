import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { digestText } from '../../src/identity/digest.ts';
import { CredentialIdentifier } from '../../src/identity/identify.ts';
import { newPepperText, type Peppers, parsePepper } from '../../src/identity/peppers.ts';
import { type HeaderView, type IdentityRefusal, isRefusal, type Principal } from '../../src/identity/principal.ts';
import { parseDigest } from '../../src/policy/digest.ts';
import type { ApiKey, Policy } from '../../src/policy/policy.ts';
import { headersOf } from './headers.ts';

const PEPPERS: Peppers = { newest: 'v1', byVersion: new Map([['v1', parsePepper(newPepperText())!]]) };
const NOW_MS = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;

const MINTED = mintApiKey('prod');

function entry(minted = MINTED, changes: Partial<ApiKey> = {}): ApiKey {
  return {
    id: minted.id,
    account: 'acme/search',
    ...parseDigest(digestText(minted.key, PEPPERS))!,
    kind: 'service',
    class: 'interactive',
    environment: 'prod',
    owner: 'search@acme.example',
    createdMs: NOW_MS - DAY_MS,
    expiresMs: NOW_MS + DAY_MS,
    revoked: false,
    shared: false,
    ...changes,
  };
}

/** Only what identity reads of a policy. */
function policyOf(keys: ApiKey[], environment = 'prod'): Policy {
  const part: Pick<Policy, 'environment' | 'keys'> = { environment, keys: new Map(keys.map((key) => [key.id, key])) };
  return part as Policy;
}

/** Keys are proved at once. */
class KeyIdentifier extends CredentialIdentifier {
  override identify(headers: HeaderView, policy: Policy, nowMs: number): Principal | IdentityRefusal {
    const found = super.identify(headers, policy, nowMs);
    assert.ok(!(found instanceof Promise));
    return found;
  }
}

const bearer = (key: string) => headersOf([['authorization', `Bearer ${key}`]]);

function reasonOf(keys: ApiKey[], options: { key?: string; nowMs?: number; environment?: string } = {}): string {
  const identifier = new KeyIdentifier(PEPPERS);
  const policy = policyOf(keys, options.environment);
  const found = identifier.identify(bearer(options.key ?? MINTED.key), policy, options.nowMs ?? NOW_MS);
  return isRefusal(found) ? found.reason : found.credential;
}

describe('identify', () => {
  test('1 a good key is its principal, whichever header it came in', () => {
    const identifier = new KeyIdentifier(PEPPERS);
    const policy = policyOf([entry()]);
    const expected: Principal = {
      account: 'acme/search',
      credential: MINTED.id,
      kind: 'service',
      proof: 'api_key',
      actor: undefined,
      class: 'interactive',
      confidence: 'exact',
    };
    assert.deepEqual(identifier.identify(bearer(MINTED.key), policy, NOW_MS), expected);
    for (const name of ['x-api-key', 'api-key', 'x-goog-api-key']) {
      assert.deepEqual(identifier.identify(headersOf([[name, MINTED.key]]), policy, NOW_MS), expected);
    }
  });

  test('2 a shared key says so', () => {
    const found = new KeyIdentifier(PEPPERS).identify(
      bearer(MINTED.key),
      policyOf([entry(MINTED, { shared: true })]),
      NOW_MS,
    );
    assert.equal(isRefusal(found) || found.confidence, 'low');
  });

  /** Another secret under the same id, with a right checksum. */
  const forged = (() => {
    const other = mintApiKey('prod');
    return { other, entry: entry(MINTED, { id: other.id }) };
  })();

  const ROWS: [what: string, found: () => string, expected: string][] = [
    ['unknown id', () => reasonOf([]), 'credential_unknown'],
    ['known id, other secret', () => reasonOf([forged.entry], { key: forged.other.key }), 'credential_unknown'],
    [
      'digest under a pepper that is not there',
      () => reasonOf([entry(MINTED, { pepper: 'v7' })]),
      'credential_unknown',
    ],
    ['checksum wrong', () => reasonOf([entry()], { key: `${MINTED.key.slice(0, -6)}000000` }), 'credential_malformed'],
    ["another maker's key", () => reasonOf([entry()], { key: 'sk-proj-abcdef' }), 'credential_malformed'],
    ['a token', () => reasonOf([entry()], { key: 'a.b.c' }), 'credential_unsupported'],
    ['revoked', () => reasonOf([entry(MINTED, { revoked: true })]), 'credential_revoked'],
    [
      'revoked and expired',
      () => reasonOf([entry(MINTED, { revoked: true, expiresMs: NOW_MS })]),
      'credential_revoked',
    ],
    ['the last instant', () => reasonOf([entry(MINTED, { expiresMs: NOW_MS + 1 })]), MINTED.id],
    ['expired', () => reasonOf([entry(MINTED, { expiresMs: NOW_MS })]), 'credential_expired'],
    ['the first instant', () => reasonOf([entry(MINTED, { createdMs: NOW_MS })]), MINTED.id],
    ['not yet valid', () => reasonOf([entry(MINTED, { createdMs: NOW_MS + 1 })]), 'credential_not_yet_valid'],
    [
      'entry of another environment',
      () => reasonOf([entry(MINTED, { environment: 'staging' })]),
      'credential_other_environment',
    ],
    [
      'deployment of another environment',
      () => reasonOf([entry()], { environment: 'staging' }),
      'credential_other_environment',
    ],
    [
      'unknown here, named for elsewhere',
      () => reasonOf([], { environment: 'staging' }),
      'credential_other_environment',
    ],
  ];
  for (const [i, [what, found, expected]] of ROWS.entries()) {
    test(`K6 3.${i + 1} ${what}: ${expected === MINTED.id ? 'let in' : expected}`, () =>
      assert.equal(found(), expected));
  }

  test('4 a state is told only of a key that was really held', () => {
    const held = { ...forged.entry, revoked: true, expiresMs: 0 };
    assert.equal(reasonOf([held], { key: forged.other.key }), 'credential_unknown');
  });

  test('5 no refusal shows the secret, and the reason is of the kind `credential`', () => {
    const secret = MINTED.key.split('_')[3]!;
    for (const keys of [[], [entry(MINTED, { revoked: true })], [entry(MINTED, { expiresMs: 0 })]]) {
      const found = new KeyIdentifier(PEPPERS).identify(bearer(MINTED.key), policyOf(keys), NOW_MS);
      assert.ok(isRefusal(found));
      assert.ok(!found.detail.includes(secret));
    }
  });
});

describe('what is remembered', () => {
  test('6 a principal is the same object while it is remembered', () => {
    const identifier = new KeyIdentifier(PEPPERS);
    const policy = policyOf([entry()]);
    const first = identifier.identify(bearer(MINTED.key), policy, NOW_MS);
    assert.equal(identifier.identify(headersOf([['x-api-key', MINTED.key]]), policy, NOW_MS + 59_999), first);
    assert.notEqual(identifier.identify(bearer(MINTED.key), policy, NOW_MS + 60_000), first);
  });

  test('7 it ends with the key, to the millisecond', () => {
    const identifier = new KeyIdentifier(PEPPERS);
    const policy = policyOf([entry(MINTED, { expiresMs: NOW_MS + 10 })]);
    assert.ok(!isRefusal(identifier.identify(bearer(MINTED.key), policy, NOW_MS + 9)));
    const found = identifier.identify(bearer(MINTED.key), policy, NOW_MS + 10);
    assert.equal(isRefusal(found) && found.reason, 'credential_expired');
  });

  test('8 it ends with the policy: a revoked key is refused by the next request', () => {
    const identifier = new KeyIdentifier(PEPPERS);
    assert.ok(!isRefusal(identifier.identify(bearer(MINTED.key), policyOf([entry()]), NOW_MS)));
    const found = identifier.identify(bearer(MINTED.key), policyOf([entry(MINTED, { revoked: true })]), NOW_MS);
    assert.equal(isRefusal(found) && found.reason, 'credential_revoked');
    assert.ok(!isRefusal(identifier.identify(bearer(MINTED.key), policyOf([entry()]), NOW_MS)));
  });

  test('9 a refusal is remembered too, and ends when the key becomes valid', () => {
    const identifier = new KeyIdentifier(PEPPERS);
    const policy = policyOf([entry(MINTED, { createdMs: NOW_MS + 3 })]);
    const first = identifier.identify(bearer(MINTED.key), policy, NOW_MS);
    assert.ok(isRefusal(first));
    assert.equal(identifier.identify(bearer(MINTED.key), policy, NOW_MS + 2), first);
    assert.ok(!isRefusal(identifier.identify(bearer(MINTED.key), policy, NOW_MS + 3)));
  });

  test('10 a near miss of a remembered key is not taken for it', () => {
    const identifier = new KeyIdentifier(PEPPERS);
    const policy = policyOf([entry()]);
    identifier.identify(bearer(MINTED.key), policy, NOW_MS);
    for (const text of [`${MINTED.key}=`, MINTED.key.toUpperCase(), MINTED.key.slice(0, -1)]) {
      assert.ok(isRefusal(identifier.identify(bearer(text), policy, NOW_MS)), text);
    }
  });
});
