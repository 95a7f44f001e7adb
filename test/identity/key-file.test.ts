import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { TollgateError } from '../../src/core/errors.ts';
import { appendKey, type KeyEntry, keyFileOf, revokeKey } from '../../src/identity/key-file.ts';

const ENTRY: KeyEntry = {
  account: 'acme/search',
  digest: `hmac-sha256:v1:${'A'.repeat(43)}`,
  kind: 'service',
  class: 'interactive',
  environment: 'prod',
  owner: 'search@acme.example',
  created: '2026-01-01',
  expires: '2026-03-31',
};
const LINE = `{account: acme/search, digest: ${ENTRY.digest}, kind: service, class: interactive, environment: prod, owner: search@acme.example, created: 2026-01-01, expires: 2026-03-31}`;

function keysDir(t: TestContext, files: Record<string, string> = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'tollgate-keys-'));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}

const isInvalid = (pattern: RegExp) => (error: unknown) =>
  error instanceof TollgateError && error.code === 'bundle_invalid' && pattern.test(error.message);

test('1 a file for each customer, none hidden', () => {
  assert.equal(keyFileOf('k', 'acme/search'), join('k', 'acme.yaml'));
  assert.equal(keyFileOf('k', '.hidden'), join('k', '_hidden.yaml'));
});

test('2 the first entry makes the file, the next is one line more, and nothing else is left', async (t) => {
  const dir = keysDir(t);
  const file = join(dir, 'acme.yaml');
  await appendKey(file, 'k7f3q2', ENTRY);
  assert.equal(readFileSync(file, 'utf8'), `k7f3q2: ${LINE}\n`);
  await appendKey(file, 'k7f3q3', ENTRY);
  assert.equal(readFileSync(file, 'utf8'), `k7f3q2: ${LINE}\nk7f3q3: ${LINE}\n`);
  assert.deepEqual(readdirSync(dir), ['acme.yaml']);
});

test('3 what stands there stays byte for byte, its mode too', async (t) => {
  const before = `# ours\nk1aaaa:   {account: acme}   # by hand\n\nk2aaaa:\n  account: acme`;
  const dir = keysDir(t, { 'acme.yaml': before });
  chmodSync(join(dir, 'acme.yaml'), 0o640);
  await appendKey(join(dir, 'acme.yaml'), 'k7f3q2', ENTRY);
  assert.equal(readFileSync(join(dir, 'acme.yaml'), 'utf8'), `${before}\nk7f3q2: ${LINE}\n`);
  assert.equal(statSync(join(dir, 'acme.yaml')).mode & 0o777, 0o640);
});

test('4 texts that YAML would read as something else are quoted', async (t) => {
  const dir = keysDir(t);
  for (const account of ['123', '1e5', 'null', 'true', 'a/b: c', '0x1f']) {
    const file = join(dir, 'odd.yaml');
    rmSync(file, { force: true });
    await appendKey(file, 'k7f3q2', { ...ENTRY, account });
    assert.equal(parse(readFileSync(file, 'utf8')).k7f3q2.account, account);
  }
});

const NOT_APPENDABLE: [what: string, text: string, message: RegExp][] = [
  ['the id is there', 'k7f3q2: {account: acme}\n', /has a key `k7f3q2` already$/],
  ['a flow mapping', '{k1aaaa: {account: acme}}\n', /one key a line/],
  ['an indented mapping', '  k1aaaa: {account: acme}\n', /one key a line/],
  ['a list', '- a\n', /not a mapping of keys/],
  ['a text', 'hello\n', /not a mapping of keys/],
  ['broken', 'k1aaaa: {account: acme\n', /not a mapping of keys/],
];
for (const [i, [what, text, message]] of NOT_APPENDABLE.entries()) {
  test(`5.${i + 1} ${what}: refused, unchanged, unlocked`, async (t) => {
    const dir = keysDir(t, { 'acme.yaml': text });
    await assert.rejects(appendKey(join(dir, 'acme.yaml'), 'k7f3q2', ENTRY), isInvalid(message));
    assert.equal(readFileSync(join(dir, 'acme.yaml'), 'utf8'), text);
    assert.deepEqual(readdirSync(dir), ['acme.yaml']);
  });
}

test('6 many at once: none is lost', async (t) => {
  const dir = keysDir(t);
  const ids = Array.from({ length: 20 }, (_, i) => `key${String(i).padStart(3, '0')}`);
  await Promise.all(ids.map((id) => appendKey(join(dir, 'acme.yaml'), id, ENTRY)));
  assert.deepEqual(Object.keys(parse(readFileSync(join(dir, 'acme.yaml'), 'utf8'))).sort(), ids);
});

test('7 revoke marks the one entry, keeps comments and the others', async (t) => {
  const dir = keysDir(t, {
    'a.yaml': '# theirs\nk1aaaa: {account: a}\n',
    'b.yaml': `# ours\nk7f3q2: ${LINE} # of search\nk7f3q3:\n  account: acme\n`,
  });
  assert.equal(await revokeKey(dir, 'k7f3q2'), 'revoked');
  assert.equal(
    readFileSync(join(dir, 'b.yaml'), 'utf8'),
    `# ours\nk7f3q2: ${LINE.slice(0, -1)}, revoked: true} # of search\nk7f3q3:\n  account: acme\n`,
  );
  assert.equal(readFileSync(join(dir, 'a.yaml'), 'utf8'), '# theirs\nk1aaaa: {account: a}\n');
  assert.equal(await revokeKey(dir, 'k7f3q3'), 'revoked');
  assert.equal(parse(readFileSync(join(dir, 'b.yaml'), 'utf8')).k7f3q3.revoked, true);
  assert.equal(await revokeKey(dir, 'k7f3q2'), 'already');
  assert.equal(await revokeKey(dir, 'k9zzzz'), 'unknown');
  assert.deepEqual(readdirSync(dir), ['a.yaml', 'b.yaml']);
});

test('8 revoke in JSON keeps JSON; `revoked: false` becomes true', async (t) => {
  const dir = keysDir(t, { 'a.json': '{"k7f3q2": {"account": "acme", "revoked": false}}' });
  assert.equal(await revokeKey(dir, 'k7f3q2'), 'revoked');
  assert.deepEqual(JSON.parse(readFileSync(join(dir, 'a.json'), 'utf8')), {
    k7f3q2: { account: 'acme', revoked: true },
  });
});

test('9 a file that cannot be read is no proof that the key is not there', async (t) => {
  const dir = keysDir(t, { 'a.yaml': 'k7f3q2: {account: acme\n' });
  await assert.rejects(revokeKey(dir, 'k7f3q2'), isInvalid(/not a mapping of keys/));
});

test('10 no directory', async (t) => {
  const dir = join(keysDir(t), 'none');
  await assert.rejects(appendKey(join(dir, 'a.yaml'), 'k7f3q2', ENTRY), isInvalid(/cannot be written$/));
});
