import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listKeys } from '../../src/identity/key-list.ts';
import type { ApiKey, Policy } from '../../src/policy/policy.ts';
import { loadWith, policyOf } from '../policy/bundles.ts';

const NOW_MS = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;

const KEY: ApiKey = {
  id: 'aaaaaaaaaaaa',
  account: 'acme',
  pepper: 'v1',
  digest: new Uint8Array(32),
  kind: 'service',
  class: 'interactive',
  environment: 'prod',
  owner: 'search@acme.example',
  createdMs: NOW_MS - DAY_MS,
  expiresMs: NOW_MS + DAY_MS,
  revoked: false,
  shared: false,
};

const STATES: readonly (readonly [row: string, changes: Partial<ApiKey>, state: string])[] = [
  ['1', {}, 'active'],
  ['2 an account that nothing knows', { account: 'stranger' }, 'account unknown'],
  ['3 before its day', { createdMs: NOW_MS + 1 }, 'not yet valid'],
  ['4 at its last instant', { expiresMs: NOW_MS }, 'expired'],
  ['5 revoked before it expired', { expiresMs: NOW_MS, revoked: true }, 'revoked'],
  ['6 of another environment, whatever else', { environment: 'staging', revoked: true }, 'for staging'],
];

test('each state of a key, as a request would be judged', async (t) => {
  const policy = policyOf(await loadWith(t, {}));
  for (const [row, changes, state] of STATES) {
    const [listed] = listKeys(withKeys(policy, { ...KEY, environment: policy.environment, ...changes }), NOW_MS);
    assert.equal(listed?.state, state, row);
  }
});

test('by account, the oldest first, with the last day on which it is valid', async (t) => {
  const keys = [
    { ...KEY, id: 'cccccccccccc' },
    { ...KEY, id: 'bbbbbbbbbbbb', createdMs: NOW_MS - 2 * DAY_MS },
    { ...KEY, account: 'aardvark' },
  ];
  const listed = listKeys(withKeys(policyOf(await loadWith(t, {})), ...keys), NOW_MS);
  assert.deepEqual(
    listed.map(({ id, created, expires }) => [id, created, expires]),
    [
      ['aaaaaaaaaaaa', '2026-05-31', '2026-06-01'],
      ['bbbbbbbbbbbb', '2026-05-30', '2026-06-01'],
      ['cccccccccccc', '2026-05-31', '2026-06-01'],
    ],
  );
});

function withKeys(policy: Policy, ...keys: readonly ApiKey[]): Policy {
  return { ...policy, keys: new Map(keys.map((key) => [key.id, key])) };
}
