import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadBundle, loadSettings } from '../../src/policy/bundle.ts';
import { bundleWith, loadWith, policyOf } from './bundles.ts';

async function problemsOf(t: TestContext, text: string): Promise<string[]> {
  const { problems } = await loadWith(t, { 'tollgate.yaml': text });
  return problems.map(({ file, line, column, rule }) => `${file}:${line}:${column} ${rule}`);
}

test('without a tollgate.yaml everything has its default', async (t) => {
  const dir = await bundleWith(t, {});
  const { settings } = await loadBundle(dir);
  assert.deepEqual(settings, {
    listen: {
      check: { kind: 'tcp', host: '127.0.0.1', port: 18_080 },
      accessLog: { kind: 'tcp', host: '127.0.0.1', port: 18_081 },
      admin: { kind: 'tcp', host: '127.0.0.1', port: 18_082 },
    },
    admin: { hosts: [], roles: new Map() },
    audit: { path: join(dir, 'audit.db') },
    tls: { check: undefined, accessLog: undefined, admin: undefined },
    plainListen: false,
    ledger: { path: join(dir, 'ledger.db') },
    peppers: new Map(),
    deadlineMs: 200,
    drainMs: 3_000,
    settleWithinMs: 1_500_000,
    expiryGraceMs: 60_000,
    countersMax: 500_000,
    queueMax: 100_000,
    commitMs: 5,
    log: 'info',
    telemetry: {
      otlp: undefined,
      headersFile: undefined,
      everyMs: 30_000,
      timeoutMs: 5_000,
      traces: 0,
      accountsMax: 100,
    },
  });
});

test('every key is read, paths are relative to the directory', async (t) => {
  const dir = await bundleWith(t, {
    files: {
      'pepper-v1': 'x'.repeat(64),
      'tollgate.yaml': [
        'listen: {check: "unix:run/check.sock", access_log: "[::1]:0", admin: "unix:run/admin.sock"}',
        'admin: {hosts: [Tollgate.internal], roles: {security: {token: pepper-v1}}}',
        'ledger: {path: /var/lib/tollgate/ledger.db}',
        'peppers: {v1: pepper-v1}',
        'deadline: 250ms',
        'drain: 1500ms',
        'settle_within: 1h',
        'expiry_grace: 5s',
        'counters_max: 20000',
        'queue_max: 5000',
        'commit: 2ms',
        'log: debug',
        'telemetry: {otlp: "http://127.0.0.1:4318/", headers: pepper-v1, every: 15s, timeout: 1s, traces: 2.5%, accounts_max: 20}',
      ].join('\n'),
    },
  });
  await chmod(join(dir, 'pepper-v1'), 0o640);
  const { settings, problems } = await loadSettings(dir);
  assert.deepEqual(problems, []);
  assert.deepEqual(settings, {
    listen: {
      check: { kind: 'unix', path: join(dir, 'run/check.sock') },
      accessLog: { kind: 'tcp', host: '::1', port: 0 },
      admin: { kind: 'unix', path: join(dir, 'run/admin.sock') },
    },
    admin: {
      hosts: ['tollgate.internal'],
      roles: new Map([['security', { token: join(dir, 'pepper-v1'), names: [] }]]),
    },
    audit: { path: '/var/lib/tollgate/audit.db' },
    tls: { check: undefined, accessLog: undefined, admin: undefined },
    plainListen: false,
    ledger: { path: '/var/lib/tollgate/ledger.db' },
    peppers: new Map([['v1', join(dir, 'pepper-v1')]]),
    deadlineMs: 250,
    drainMs: 1500,
    settleWithinMs: 3_600_000,
    expiryGraceMs: 5000,
    countersMax: 20_000,
    queueMax: 5000,
    commitMs: 2,
    log: 'debug',
    telemetry: {
      otlp: 'http://127.0.0.1:4318',
      headersFile: join(dir, 'pepper-v1'),
      everyMs: 15_000,
      timeoutMs: 1_000,
      traces: 0.025,
      accountsMax: 20,
    },
  });
});

test('a pepper file has the size of one and is closed to others', async (t) => {
  const dir = await bundleWith(t, { files: { 'tollgate.yaml': 'peppers: {v1: secret}\n' } });
  const rows: readonly [bytes: number, mode: number, found: string | undefined][] = [
    [64, 0o600, undefined],
    [65, 0o640, undefined],
    [64, 0o400, undefined],
    [32, 0o600, '32 bytes'],
    [63, 0o600, '63 bytes'],
    [66, 0o600, '66 bytes'],
    [64, 0o644, 'mode 0644'],
    [64, 0o660, 'mode 0660'],
    [64, 0o604, 'mode 0604'],
    [64, 0o700, 'mode 0700'],
    [20_000, 0o600, '20000 bytes'],
  ];
  for (const [index, [bytes, mode, found]] of rows.entries()) {
    await writeFile(join(dir, 'secret'), 's'.repeat(bytes));
    await chmod(join(dir, 'secret'), mode);
    const { problems, settings } = await loadSettings(dir);
    assert.deepEqual(
      problems.map((problem) => problem.found),
      found === undefined ? [] : [found],
      `row ${index}`,
    );
    assert.equal(settings === undefined, found !== undefined);
  }
});

test('plain ports beyond loopback are asked for by name', async (t) => {
  const rows: readonly [address: string, rule: string | undefined][] = [
    ['127.0.0.1:1', undefined],
    ['unix:/run/x.sock', undefined],
    ['0.0.0.0:1', 'listen-exposed'],
    ['tollgate.internal:1', 'listen-exposed'],
    ['127.0.0.1', 'value-wrong'],
    [`unix:${'x'.repeat(103)}`, 'setting-range'],
  ];
  for (const [index, [address, rule]] of rows.entries()) {
    const found = await problemsOf(t, `listen: {check: "${address}"}\n`);
    assert.deepEqual(found, rule === undefined ? [] : [`tollgate.yaml:1:17 ${rule}`], `row ${index}`);
    if (rule === 'listen-exposed')
      assert.deepEqual(await problemsOf(t, `plain_listen: true\nlisten: {check: "${address}"}\n`), []);
  }
});

test('two servers have addresses of their own, unless the system chooses them', async (t) => {
  const listen = (address: string) => problemsOf(t, `listen: {check: "${address}", access_log: "${address}"}\n`);
  assert.deepEqual(await listen('127.0.0.1:0'), []);
  assert.deepEqual(await listen('127.0.0.1:1'), ['tollgate.yaml:1:9 value-wrong']);
  assert.deepEqual(await listen('unix:/run/x:0'), ['tollgate.yaml:1:9 value-wrong']);
});

test('wrong settings take nothing from the policy, and the other way round', async (t) => {
  const settings = await loadWith(t, { 'tollgate.yaml': 'commit: 1h\n' });
  assert.equal(settings.settings, undefined);
  assert.ok(policyOf(settings));
  const bundle = await loadWith(t, { 'models.yaml': 'owner: a@b.example\n' });
  assert.equal(bundle.policy, undefined);
  assert.ok(bundle.settings);
});

test('a tollgate.yaml that cannot be read, or is there twice, is not taken for none', async (t) => {
  const unreadable = await bundleWith(t, { files: { 'tollgate.yaml/x': '' } });
  const twice = await bundleWith(t, { files: { 'tollgate.yaml': 'log: debug\n', 'tollgate.json': '{"log": "info"}' } });
  for (const [dir, rule] of [
    [unreadable, 'file-unreadable'],
    [twice, 'file-unknown'],
  ] as const) {
    for (const load of [loadBundle, loadSettings]) {
      const { settings, problems } = await load(dir);
      assert.equal(settings, undefined);
      assert.deepEqual(
        problems.map((problem) => problem.rule),
        [rule],
      );
    }
  }
});

test('tollgate.yaml is not part of the version', async (t) => {
  const without = await loadWith(t, {});
  assert.equal((await loadWith(t, { 'tollgate.yaml': 'log: debug\n' })).version, without.version);
  assert.notEqual((await loadWith(t, { 'keys/more.yaml': '# none\n' })).version, without.version);
});
