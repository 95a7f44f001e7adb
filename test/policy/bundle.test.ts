import assert from 'node:assert/strict';
import { rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { loadBundle } from '../../src/policy/bundle.ts';
import { ParsedFiles } from '../../src/policy/documents.ts';
import { RULES } from '../../src/policy/rules.ts';
import {
  accessSchema,
  accountsSchema,
  keysSchema,
  modelsSchema,
  plansSchema,
  trafficSchema,
} from '../../src/policy/schema.ts';
import { bundleWith, loadWith, policyOf } from './bundles.ts';

test('the same files give the same version, whatever the directory', async (t) => {
  const [a, b] = [await loadWith(t, {}), await loadWith(t, {})];
  assert.equal(a.version, b.version);
  assert.equal(policyOf(a).version, a.version);
});

test('JSON says the same as YAML', async (t) => {
  const accounts = { acme: { plan: 'growth', owner: 'a@b.example', timezone: 'UTC', unlisted: 'allow' } };
  const loaded = await loadWith(t, {
    'accounts/acme.yaml': '# moved\nglobex: {owner: a@b.example, timezone: UTC}\n',
    'accounts/generated.json': JSON.stringify(accounts),
  });
  assert.equal(policyOf(loaded).account('acme')?.plan?.name, 'growth');
  assert.equal(policyOf(loaded).account('globex')?.plan, undefined);
});

test('files of others and what mounts bring along are left alone', async (t) => {
  const dir = await bundleWith(t, {
    files: { 'ledger.db': 'x', 'README.md': 'x', '.hidden.yaml': 'x: [', '..data/models.yaml': 'x: [' },
  });
  // A ConfigMap is a directory of links into a hidden one.
  await rename(join(dir, 'models.yaml'), join(dir, '..data/models.yaml'));
  await symlink('..data/models.yaml', join(dir, 'models.yaml'));
  assert.deepEqual((await loadBundle(dir)).problems, []);
});

test('files with strange names and things that are no files are refused, not read', async (t) => {
  const dir = await bundleWith(t, {
    files: { 'accounts/x\ny.yaml': 'x: 1\n', 'keys/K.yml': 'x: 1\n', 'plans.json/x': '' },
  });
  const { problems } = await loadBundle(dir);
  assert.deepEqual(
    problems.map(({ file, rule }) => `${file} ${rule}`),
    ['accounts/x?y.yaml file-unknown', 'keys/K.yml file-unknown', 'plans.json file-unreadable'],
  );
});

test('keys are read, cut to age_max, and keep what the file says', async (t) => {
  const key = (id: string, rest: string) =>
    `${id}: {account: acme/search, digest: "hmac-sha256:v2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", kind: service, class: batch, environment: prod, owner: a@b.example, ${rest}}\n`;
  const policy = policyOf(
    await loadWith(t, {
      'keys/search.yaml':
        key('kaaaaa', 'created: 2026-01-01, expires: 2026-01-31') +
        key('kbbbbb', 'created: 2026-01-01, expires: 2027-01-01, revoked: true, shared: true'),
    }),
  );
  const [a, b] = [policy.keys.get('kaaaaa'), policy.keys.get('kbbbbb')];
  assert.equal(a?.expiresMs, Date.parse('2026-02-01T00:00:00Z'));
  assert.equal(a?.pepper, 'v2');
  assert.deepEqual(
    [...a!.digest],
    Array.from({ length: 32 }, (_, i) => i),
  );
  assert.deepEqual([a?.revoked, a?.shared, b?.revoked, b?.shared], [false, false, true, true]);
  // age_max is 90 days.
  assert.equal(b?.expiresMs, Date.parse('2026-04-01T00:00:00Z'));
});

test('a key that age_max ends before its last day is over is told', async (t) => {
  const rows: readonly [expires: string, rules: readonly string[]][] = [
    ['2026-03-31', []],
    ['2026-04-01', ['credential-age']],
  ];
  for (const [expires, rules] of rows) {
    const { warnings } = await loadWith(t, {
      'keys/search.yaml': `k7f3q2: {account: acme/search, digest: "hmac-sha256:v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", kind: service, class: batch, environment: prod, owner: a@b.example, created: 2026-01-01, expires: ${expires}}\n`,
    });
    assert.deepEqual(
      warnings.map(({ rule }) => rule),
      rules,
      expires,
    );
  }
});

test('an unchanged file is not parsed again, a changed one is', async (t) => {
  const dir = await bundleWith(t, {});
  const parsed = new ParsedFiles();
  const first = await loadBundle(dir, { parsed });
  const models = join(dir, 'models.yaml');
  await writeFile(models, 'owner: platform@acme.example\nproviders: {}\nmodels: {}\n');
  const second = await loadBundle(dir, { parsed });
  assert.equal(policyOf(second).models.byName.size, 0);
  assert.equal(policyOf(first).models.byName.size, 3);
  await writeFile(models, 'owner: platform@acme.example\nproviders: [\n');
  assert.deepEqual(
    (await loadBundle(dir, { parsed })).problems.map(({ file }) => file),
    ['models.yaml'],
  );
  assert.deepEqual(
    (await loadBundle(dir, { parsed })).problems.map(({ file }) => file),
    ['models.yaml'],
    'a bad file is judged each time',
  );
});

test('what one reload could not compile does not silence the next', async (t) => {
  const dir = await bundleWith(t, {});
  const parsed = new ParsedFiles();
  const plans = join(dir, 'plans.yaml');
  const good = await loadBundle(dir, { parsed });
  assert.deepEqual(good.problems, []);
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(plans, 'utf8');
  await writeFile(plans, text.replace('currency: USD', 'currency: EUR').replaceAll(' USD ', ' EUR '));
  const rules = async () => (await loadBundle(dir, { parsed })).problems.map(({ file, rule }) => `${file} ${rule}`);
  assert.deepEqual(await rules(), ['accounts/acme.yaml amount-form']);
  await writeFile(plans, text);
  assert.deepEqual(await rules(), []);
});

test('each rule serves a control of the catalogues it names', () => {
  const known = /^(?:GV\.(?:OC|RR|SC)-\d\d|PR\.(?:AA|DS|PS|IR)-\d\d|NHI(?:[1-9]|10))$/;
  for (const [id, { controls }] of Object.entries(RULES)) {
    assert.match(id, /^[a-z]+(?:-[a-z]+)+$/);
    assert.ok(
      controls.length > 0 && controls.every((control) => known.test(control) || control.startsWith('GV.OC-')),
      id,
    );
  }
});

test('the schemas can be published as JSON Schema', () => {
  for (const schema of [accessSchema, plansSchema, accountsSchema, trafficSchema, modelsSchema, keysSchema]) {
    const published = z.toJSONSchema(schema, { unrepresentable: 'any' });
    assert.equal(published.type, 'object');
  }
});
