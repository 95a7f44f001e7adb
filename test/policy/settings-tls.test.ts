import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { loadSettings } from '../../src/policy/bundle.ts';
import { TestAuthority } from '../support/certificates.ts';
import type { Scope } from '../support/scope.ts';
import { bundleWith } from './bundles.ts';

const AUTHORITY = new TestAuthority();
const OWN = AUTHORITY.issue({ dns: ['tollgate.svc'] });
const FILES = 'cert: ../tls/tls.crt, key: ../tls/tls.key, client_ca: ../tls/ca.crt';
const CHECK = `{${FILES}, names: [spiffe://acme/envoy]}`;

/** A bundle with this tollgate.yaml, and the files that a listener names beside it. */
async function settingsDir(scope: Scope, text: string): Promise<{ readonly bundle: string; readonly tls: string }> {
  const root = await bundleWith(scope, { files: { 'bundle/tollgate.yaml': text, 'tls/ca.crt': AUTHORITY.cert } });
  const tls = join(root, 'tls');
  await writeFile(join(tls, 'tls.crt'), OWN.cert + AUTHORITY.cert);
  await writeFile(join(tls, 'tls.key'), OWN.key, { mode: 0o600 });
  return { bundle: join(root, 'bundle'), tls };
}

async function foundIn(bundle: string): Promise<string[]> {
  const { problems, settings } = await loadSettings(bundle);
  const ofSettings = problems.filter(({ file }) => file === 'tollgate.yaml');
  assert.equal(settings === undefined, ofSettings.length > 0);
  return ofSettings.map(({ line, column, rule, text }) => `${line}:${column} ${rule} ${text}`);
}

test('every key is read; a listener may share the mapping of another one', async (t) => {
  const { bundle, tls } = await settingsDir(
    t,
    `tls:\n  access_log: check\n  check: {${FILES}, names: [spiffe://acme/ns/a/sa/b, envoy.gateway.svc, localhost]}\n`,
  );
  const { settings, problems } = await loadSettings(bundle);
  assert.deepEqual(problems, []);
  const check = {
    cert: join(tls, 'tls.crt'),
    key: join(tls, 'tls.key'),
    clientCa: join(tls, 'ca.crt'),
    names: ['spiffe://acme/ns/a/sa/b', 'envoy.gateway.svc', 'localhost'],
  };
  assert.deepEqual(settings?.tls, { check, accessLog: check, admin: undefined });
});

test('what is not safe is refused, and told where', async (t) => {
  const mapping = 'a mapping of `cert`, `key`, `client_ca`, `names`';
  const name = 'a name in a certificate like `spiffe://acme/envoy` or `envoy.gateway.svc`';
  const rows: readonly (readonly [text: string, ...found: string[]])[] = [
    [`tls: {check: ${CHECK}}\nlisten: {check: "0.0.0.0:1"}\n`],
    [`tls: {check: ${CHECK}, access_log: check}\nlisten: {check: "0.0.0.0:1", access_log: "0.0.0.0:2"}\n`],
    [
      `tls: {check: ${CHECK}}\nlisten: {check: "0.0.0.0:1", access_log: "0.0.0.0:2"}\nplain_listen: true\n`,
      '2:42 listen-exposed `listen.access_log`: expected `tls.access_log`, because the other listener has it, found `0.0.0.0:2`, plain',
    ],
    [
      `tls: {access_log: ${CHECK}}\nlisten: {check: "0.0.0.0:1"}\nplain_listen: true\n`,
      '2:17 listen-exposed `listen.check`: expected `tls.check`, because the other listener has it, found `0.0.0.0:1`, plain',
    ],
    [
      `tls: {check: {${FILES}, names: []}}\n`,
      '1:91 value-wrong `tls.check.names`: expected at least 1 entry, found an empty list',
    ],
    [`tls: {check: {${FILES}}}\n`, `1:7 key-missing \`tls.check\`: missing key \`names\`: expected a list of names`],
    ['tls: {check: on}\n', `1:14 type-wrong \`tls.check\`: expected ${mapping}, found \`on\``],
    [
      'tls: {check: access_log}\n',
      '1:14 value-wrong `tls.check`: expected a listener with a mapping of its own under `tls`, found `access_log`',
    ],
    [
      `tls: {check: access_log, access_log: admin, admin: ${CHECK}}\n`,
      '1:14 value-wrong `tls.check`: expected a listener with a mapping of its own under `tls`, found `access_log`',
    ],
    [
      `tls: {admin: ${CHECK}}\nlisten: {admin: off}\n`,
      '1:14 value-wrong `tls.admin`: there is no admin port: `listen.admin` is `off`',
    ],
    ...[
      '"*.gateway.svc"',
      'spiffe://acme/*',
      'spiffe://acme/',
      'spiffe://acme/../x',
      'spiffe://Acme/x',
      'https://acme',
      'Envoy.svc',
      'CN=envoy',
      'a..b',
    ].map((written): readonly [string, string] => [
      `tls: {check: {${FILES}, names: [${written}]}}\n`,
      `1:92 value-wrong \`tls.check.names[0]\`: expected ${name}, found \`${written.replaceAll('"', '')}\``,
    ]),
    [
      `tls: {check: {cert: "-----BEGIN CERTIFICATE----- x", key: ../tls/tls.key, client_ca: ../tls/ca.crt, names: [a]}}\n`,
      '1:21 secret-file `tls.check.cert`: expected a readable certificate chain (PEM), found no such file',
    ],
  ];
  for (const [index, [text, ...found]] of rows.entries()) {
    const { bundle } = await settingsDir(t, text);
    const all = await foundIn(bundle);
    assert.equal(all.length, found.length, `row ${index}: ${all.join('\n')}`);
    for (const [at, expected] of found.entries())
      assert.ok(all[at]?.startsWith(expected), `row ${index}: ${all[at]} is not ${expected}`);
  }
});

test('files hold what they should, and the key is closed to others', async (t) => {
  const key =
    '4:10 secret-file `tls.check.key`: expected a readable private key (PEM) with mode 0640 or stricter, found';
  const cert = '3:11 secret-file `tls.check.cert`: expected a readable certificate chain (PEM), found';
  const ca = '5:16 secret-file `tls.check.client_ca`: expected a readable file of own authorities (PEM), found';
  const rows: readonly [spoil: (tls: string) => Promise<unknown>, found: string][] = [
    [(tls) => chmod(join(tls, 'tls.key'), 0o644), `${key} mode 0644`],
    [(tls) => chmod(join(tls, 'tls.key'), 0o660), `${key} mode 0660`],
    [(tls) => writeFile(join(tls, 'tls.key'), ''), `${key} 0 bytes`],
    [(tls) => writeFile(join(tls, 'tls.crt'), OWN.key), `${cert} none`],
    [(tls) => writeFile(join(tls, 'ca.crt'), ''), `${ca} no certificate`],
    [(tls) => writeFile(join(tls, 'ca.crt'), OWN.cert), `${ca} a certificate that is no authority`],
    [(tls) => writeFile(join(tls, 'ca.crt'), rootCertificates[3]!), `${ca} an authority of the public web`],
    [(tls) => writeFile(join(tls, 'ca.crt'), `${AUTHORITY.cert}${rootCertificates[0]}`), `${ca} an authority of the`],
    [(tls) => writeFile(join(tls, 'ca.crt'), rootCertificates.join('\n')), `${ca} no certificate, or more than 32`],
    [(tls) => writeFile(join(tls, 'ca.crt'), 'x'.repeat(300_000)), `${ca} 300000 bytes`],
  ];
  const fields = FILES.replaceAll(', ', '\n    ');
  for (const [index, [spoil, found]] of rows.entries()) {
    const { bundle, tls } = await settingsDir(t, `tls:\n  check:\n    ${fields}\n    names: [envoy.svc]\n`);
    assert.deepEqual(await foundIn(bundle), [], `row ${index}`);
    await spoil(tls);
    const all = await foundIn(bundle);
    assert.equal(all.length, 1, `row ${index}: ${all.join('\n')}`);
    assert.ok(all[0]?.startsWith(found), `row ${index}: ${all[0]}`);
  }
});

test('a directory is no file', async (t) => {
  const { bundle, tls } = await settingsDir(t, `tls: {check: ${CHECK.replace('../tls/ca.crt', '../tls/dir')}}\n`);
  await mkdir(join(tls, 'dir'));
  const all = await foundIn(bundle);
  assert.equal(all.length, 1);
  assert.match(all[0]!, /client_ca.*found no file$/);
});

test('secrets inside the bundle are warned of, each file once', async (t) => {
  const { bundle, tls } = await settingsDir(t, '');
  await writeFile(join(bundle, 'v1'), 'a'.repeat(64), { mode: 0o600 });
  await writeFile(join(bundle, 'tls.key'), OWN.key, { mode: 0o600 });
  await writeFile(join(tls, 'v3'), 'a'.repeat(64), { mode: 0o600 });
  const written = CHECK.replace('../tls/tls.key', './tls.key');
  const text = `peppers: {v1: v1, v3: ../tls/v3}\ntls: {check: ${written}, access_log: check}\n`;
  await writeFile(join(bundle, 'tollgate.yaml'), text);
  const { settings, warnings } = await loadSettings(bundle);
  assert.ok(settings);
  assert.deepEqual(
    warnings.map(({ rule, path }) => `${rule} ${path}`),
    ['secret-place peppers.v1', 'secret-place tls.check.key'],
  );
});
