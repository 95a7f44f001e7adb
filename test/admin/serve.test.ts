/** The admin port of a whole process. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { newPepperText } from '../../src/identity/peppers.ts';
import { openAuditReader } from '../../src/ledger/audit-book.ts';
import type { AuditRecord } from '../../src/ledger/audit-record.ts';
import { bundleWith } from '../policy/bundles.ts';
import { send } from '../support/http.ts';
import { type Child, runCli, spawnNode } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { TOKENS } from './rig.ts';

const scope = fileScope();
let dir = '';
let child: Child;
let url = '';

before(async () => {
  dir = await bundleWith(scope, {
    files: {
      'tollgate.yaml':
        'listen: {check: "127.0.0.1:0", access_log: "127.0.0.1:0", admin: "127.0.0.1:0"}\nledger: {path: data/ledger.db}\npeppers: {v1: pepper}\ndrain: 2s\nadmin: {roles: {security: {token: security}, platform: {token: platform}}}\n',
    },
  });
  for (const role of ['security', 'platform'] as const) await writeFile(join(dir, role), TOKENS[role], { mode: 0o600 });
  await writeFile(join(dir, 'pepper'), newPepperText(), { mode: 0o600 });
  child = spawnNode(scope, ['src/cli/main.ts', 'serve', '--config', dir]);
  const [, admin] = await child.line(/"admin":"(127\.0\.0\.1:[0-9]+)"/);
  url = `http://${admin}`;
});

const bearer = (role: 'security' | 'platform') => ({ authorization: `Bearer ${TOKENS[role]}` });

function records(): readonly AuditRecord[] {
  const book = openAuditReader(join(dir, 'data/audit.db'));
  if (book === undefined) return [];
  try {
    return book.list({ limit: 100 }).toReversed();
  } finally {
    book.close();
  }
}

test('it is ready, and says with which policy, version and metrics', async () => {
  const ready = await send({ url, path: '/readyz' });
  assert.equal(ready.status, 200, ready.text);
  const { policy_version } = JSON.parse(ready.text);
  const policy = await send({ url, path: '/v1/policy', headers: bearer('platform') });
  assert.equal(JSON.parse(policy.text).version, policy_version);
  const metrics = await send({ url, path: '/metrics' });
  assert.match(metrics.text, /^# TYPE tollgate_/m);
  assert.match(JSON.parse((await send({ url, path: '/version' })).text).version, /^[0-9]+\.[0-9]+\.[0-9]+/);
  assert.equal((await runCli(scope, ['health', '--admin', url.replace('http://', ''), '--live'])).code, 0);
});

test('a key that is made here is in force at once, and so is its end; a command and a process share the record', async () => {
  const body = { account: 'acme/search', class: 'interactive', kind: 'service', owner: 'search@acme.example' };
  const made = await send({ url, path: '/v1/keys', headers: bearer('security'), body });
  assert.equal(made.status, 201, made.text);
  const { id, key, live } = JSON.parse(made.text);
  assert.equal(live, true);
  const listed = await send({ url, path: '/v1/keys', headers: bearer('platform') });
  assert.ok(listed.text.includes(`"${id}"`));
  assert.equal((await runCli(scope, ['keys', 'revoke', id, '--config', dir])).code, 0);
  await until('the revocation is in force', async () => {
    const page = await send({ url, path: '/v1/keys?account=acme/search', headers: bearer('platform') });
    const entries = JSON.parse(page.text).entries as { id: string; revoked: boolean }[];
    return entries.some((each) => each.id === id && each.revoked);
  });
  const of = records().filter(({ object }) => object === id);
  assert.deepEqual(
    of.map(({ verb, role, outcome }) => [verb, role, outcome]),
    [
      ['key_create', 'security', 'done'],
      ['key_revoke', 'operator', 'done'],
    ],
  );
  const secret = String(key).split('_')[3]!;
  assert.ok(!child.output().includes(secret));
});

test('a bundle that is refused is on record, and told to who asks', async () => {
  const traffic = await readFile(join(dir, 'traffic.yaml'), 'utf8');
  await writeFile(join(dir, 'traffic.yaml'), traffic.replace('burst: 40', 'burst: none'));
  const refused = await send({ url, path: '/v1/policy/reload', headers: bearer('platform'), body: {} });
  assert.deepEqual([refused.status, JSON.parse(refused.text).outcome], [409, 'refused']);
  const asked = records().findLast(({ verb, role }) => verb === 'policy_reload' && role === 'platform')!;
  assert.equal(asked.outcome, 'refused');
  await writeFile(join(dir, 'traffic.yaml'), traffic);
  const healed = await send({ url, path: '/v1/policy/reload', headers: bearer('platform'), body: {} });
  assert.equal(healed.status, 200, healed.text);
});

test('while it ends it lives and is not ready; the record has its start and its end, and is whole', async () => {
  const ended = child.kill('SIGTERM');
  await until('not ready', async () => (await send({ url, path: '/readyz' })).status === 503);
  assert.equal((await send({ url, path: '/livez' })).status, 200);
  const { code } = await ended;
  assert.equal(code, 0, child.output());
  const verbs = records().map(({ verb }) => verb);
  assert.deepEqual([verbs[0], verbs.at(-1)], ['serve_start', 'serve_stop']);
  const verified = await runCli(scope, ['audit', '--config', dir, '--verify']);
  assert.match(verified.stdout, /^whole: /);
  for (const token of Object.values(TOKENS)) assert.ok(!child.output().includes(token));
});
