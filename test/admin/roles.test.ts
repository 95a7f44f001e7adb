import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { VERBS, type Verb } from '../../src/admin/roles.ts';
import { ADMIN_ROLES } from '../../src/core/admin-role.ts';
import { fileScope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { type AdminRig, adminFor } from './rig.ts';

const scope = fileScope();
let rig: AdminRig;
before(async () => {
  rig = await adminFor(scope, { roles: ADMIN_ROLES });
});

/** One request of each verb, harmless to others: what it names is not there. */
const REQUESTS: Readonly<Record<Verb, { path: string; method?: 'POST'; status: number }>> = {
  metrics_read: { path: '/metrics', status: 200 },
  policy_read: { path: '/v1/policy', status: 200 },
  policy_reload: { path: '/v1/policy/reload', method: 'POST', status: 200 },
  config_read: { path: '/v1/config', status: 200 },
  accounts_read: { path: '/v1/accounts', status: 200 },
  limits_read: { path: '/v1/limits?account=acme', status: 200 },
  decisions_read: { path: '/v1/decisions', status: 200 },
  keys_read: { path: '/v1/keys', status: 200 },
  keys_create: { path: '/v1/keys', method: 'POST', status: 400 },
  keys_revoke: { path: '/v1/keys/kzzzzzzzzzzz/revoke', method: 'POST', status: 404 },
  audit_read: { path: '/v1/audit', status: 200 },
};

/** Who may do what, written down once more: a change of src/admin/roles.ts must be meant. */
const ALLOWED: Readonly<Record<Verb, string>> = {
  metrics_read: 'security finance platform viewer metrics',
  policy_read: 'security finance platform viewer',
  policy_reload: 'security platform',
  config_read: 'security platform',
  accounts_read: 'security finance platform viewer',
  limits_read: 'security finance platform viewer',
  decisions_read: 'security finance platform viewer',
  keys_read: 'security finance platform',
  keys_create: 'security',
  keys_revoke: 'security',
  audit_read: 'security finance platform',
};

for (const verb of Object.keys(VERBS) as Verb[]) {
  for (const role of [undefined, ...ADMIN_ROLES]) {
    const { path, method = 'GET', status } = REQUESTS[verb];
    const isAllowed = role !== undefined && ALLOWED[verb].split(' ').includes(role);
    const expected = role === undefined ? 401 : isAllowed ? status : 403;
    test(`${role ?? 'nobody'} asks for ${verb}: ${expected}`, async () => {
      const answer = await rig.ask(role, { path, method, ...(method === 'POST' && { body: {} }) });
      assert.equal(answer.status, expected, answer.text);
      if (expected === 401) assert.equal(answer.headers['www-authenticate'], 'Bearer realm="tollgate"');
      if (expected >= 400) assert.equal(answer.headers['content-type'], 'application/problem+json');
      if (expected === 403) {
        assert.equal(JSON.parse(answer.text).code, 'role_forbidden');
        const isTold = () => rig.records().some((each) => each.role === role && each.object === verb);
        await until('a record of the refusal', isTold);
      }
    });
  }
}

test('every request of a verb that exists is in the matrix, and none of another', () => {
  assert.deepEqual(Object.keys(REQUESTS), Object.keys(VERBS));
  assert.deepEqual(Object.keys(ALLOWED), Object.keys(VERBS));
});

test('where nobody has a role, the port says how to give one, and shows health, metrics and version alone', async (t) => {
  const bare = await adminFor(t, { roles: [] });
  for (const path of ['/livez', '/readyz', '/metrics', '/version']) {
    assert.equal((await bare.ask(undefined, { path })).status, 200, path);
  }
  for (const verb of (Object.keys(VERBS) as Verb[]).filter((each) => each !== 'metrics_read')) {
    const { path, method = 'GET' } = REQUESTS[verb];
    const answer = await bare.ask(undefined, { path, method, ...(method === 'POST' && { body: {} }) });
    assert.equal(answer.status, 401, path);
    assert.match(JSON.parse(answer.text).detail, /name a token file .* in tollgate\.yaml/);
  }
});

test('a role that reads metrics takes them from whoever has none', async (t) => {
  const open = await adminFor(t, { roles: ['security'] });
  const answer = await open.ask(undefined, { path: '/metrics' });
  assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'text/plain; version=0.0.4; charset=utf-8']);
  assert.match(answer.text, /^tollgate_test 1$/m);
  assert.equal((await rig.ask(undefined, { path: '/metrics' })).status, 401);
});
