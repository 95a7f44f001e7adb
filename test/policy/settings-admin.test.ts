import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { loadSettings } from '../../src/policy/bundle.ts';
import { TestAuthority } from '../support/certificates.ts';
import { fileScope } from '../support/scope.ts';
import { bundleWith } from './bundles.ts';

const scope = fileScope();
let dir = '';

before(async () => {
  dir = await bundleWith(scope, {});
  const authority = new TestAuthority();
  const { cert, key } = authority.issue({ dns: ['tollgate.acme.example'] });
  const files = { token: 't'.repeat(40), short: 't'.repeat(31), open: 't'.repeat(40), key, cert, ca: authority.cert };
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text, { mode: 0o600 });
  await chmod(join(dir, 'open'), 0o644);
});

async function rulesOf(text: string): Promise<string[]> {
  await writeFile(join(dir, 'tollgate.yaml'), text);
  const { problems } = await loadSettings(dir);
  return problems.map(({ path, rule }) => `${path} ${rule}`);
}

const TOKEN = 'admin: {roles: {security: {token: token}}}';
const TLS = 'tls: {admin: {cert: cert, key: key, client_ca: ca, names: ["spiffe://acme/ops"]}}';
const NAMES = 'admin: {roles: {security: {names: ["spiffe://acme/ops"]}}}';

const ADDRESSES: readonly [text: string, rules: readonly string[]][] = [
  ['listen: {admin: "127.0.0.1:1"}', []],
  ['listen: {admin: "[::1]:1"}', []],
  ['listen: {admin: "unix:run/admin"}', []],
  ['listen: {admin: off}', []],
  ['listen: {admin: "0.0.0.0:1"}', ['listen.admin listen-exposed']],
  ['listen: {admin: "[::]:1"}', ['listen.admin listen-exposed']],
  ['listen: {admin: "10.0.0.1:1"}', ['listen.admin listen-exposed']],
  ['listen: {admin: "tollgate.internal:1"}', ['listen.admin listen-exposed']],
  ['plain_listen: true\nlisten: {admin: "0.0.0.0:1"}', ['listen.admin listen-exposed']],
  [`listen: {admin: "0.0.0.0:1"}\n${TOKEN}`, ['listen.admin listen-exposed']],
  [`plain_listen: true\nlisten: {admin: "0.0.0.0:1"}\n${TOKEN}`, []],
  [`listen: {admin: "0.0.0.0:1"}\n${TLS}`, ['listen.admin listen-exposed']],
  [`listen: {admin: "0.0.0.0:1"}\n${TLS}\n${TOKEN}`, []],
  [`listen: {admin: "0.0.0.0:1"}\n${TLS}\n${NAMES}`, []],
];
for (const [index, [text, rules]] of ADDRESSES.entries()) {
  test(`A7: whoever can be reached from elsewhere proves who asks, row ${index}`, async () => {
    assert.deepEqual(await rulesOf(`${text}\n`), rules);
  });
}

const OTHERS: readonly [text: string, rules: readonly string[]][] = [
  ['listen: {admin: on}', ['listen.admin value-wrong']],
  ['listen: {check: "127.0.0.1:1", admin: "127.0.0.1:1"}', ['listen.admin value-wrong']],
  ['listen: {admin: "127.0.0.1:18081"}', ['listen.admin value-wrong']],
  [`listen: {admin: "unix:${'x'.repeat(102)}"}`, ['listen.admin setting-range']],
  ['admin: {roles: {root: {token: token}}}', ['admin.roles.root key-unknown']],
  ['admin: {roles: {security: {}}}', ['admin.roles.security value-wrong']],
  ['admin: {roles: {security: {token: absent}}}', ['admin.roles.security.token secret-file']],
  ['admin: {roles: {security: {token: short}}}', ['admin.roles.security.token secret-file']],
  ['admin: {roles: {security: {token: open}}}', ['admin.roles.security.token secret-file']],
  ['admin: {hosts: ["evil.example/x"]}', ['admin.hosts[0] value-wrong']],
  [NAMES, ['admin.roles.security.names value-wrong']],
  [`${TLS}\nadmin: {roles: {security: {names: ["spiffe://acme/x"]}}}`, ['admin.roles.security.names[0] value-wrong']],
];
for (const [index, [text, rules]] of OTHERS.entries()) {
  test(`what does not fit together is told, row ${index}`, async () => {
    assert.deepEqual(await rulesOf(`${text}\n`), rules);
  });
}
