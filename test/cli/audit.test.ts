import assert from 'node:assert/strict';
import { cp, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { before, test } from 'node:test';
import { newPepperText } from '../../src/identity/peppers.ts';
import { openAudit } from '../../src/ledger/audit-book.ts';
import { BUNDLES, bundleWith } from '../policy/bundles.ts';
import { runCli } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';

const scope = fileScope();
const FIRST_MS = Date.parse('2026-01-31T12:00:00Z');
const HEAD = /^whole: 3 records, head (3:[0-9a-f]{64})\n$/;
let dir = '';

before(async () => {
  dir = await bundleWith(scope, { files: { 'tollgate.yaml': 'audit: {path: records/audit.db}\n' } });
  const book = openAudit(join(dir, 'records/audit.db'), { busyMs: 100 });
  const event = { role: 'operator', outcome: 'done' } as const;
  book.append({ ...event, who: 'ada', verb: 'key_create', object: 'k1', after: { account: 'acme' } }, FIRST_MS);
  book.append(
    { ...event, who: 'bob', verb: 'key_revoke', object: 'k1', before: { revoked: false }, after: { revoked: true } },
    FIRST_MS + 86_400_000,
  );
  book.append(
    { ...event, who: 'ada', verb: 'key_create', object: 'evil\u001b[2J', outcome: 'refused', why: 'no such account' },
    FIRST_MS + 2 * 86_400_000,
  );
  book.close();
});

const audit = (...args: string[]) => runCli(scope, ['audit', '--config', dir, ...args]);

test('records are shown the newest first, with what was before and after, and nothing that a terminal obeys', async () => {
  const { code, stdout } = await audit();
  assert.equal(code, 0);
  const lines = stdout.trimEnd().split('\n').slice(2);
  assert.deepEqual(
    lines.map((line) => line.split(/ {2,}/).slice(0, 7)),
    [
      ['2026-02-02T12:00:00.000Z', 'ada', 'operator', 'key_create', 'evil\\u001b[2J', 'refused', 'no such account'],
      [
        '2026-02-01T12:00:00.000Z',
        'bob',
        'operator',
        'key_revoke',
        'k1',
        'done',
        '{"revoked":false} -> {"revoked":true}',
      ],
      ['2026-01-31T12:00:00.000Z', 'ada', 'operator', 'key_create', 'k1', 'done', '{"account":"acme"}'],
    ],
  );
});

const FILTERS: readonly [args: readonly string[], seqs: readonly number[]][] = [
  [
    ['--since', '2026-02-01'],
    [3, 2],
  ],
  [
    ['--who', 'ada'],
    [3, 1],
  ],
  [['--verb', 'key_revoke'], [2]],
  [['--limit', '1'], [3]],
  [['--who', 'nobody'], []],
];
for (const [args, seqs] of FILTERS) {
  test(`audit ${args.join(' ')} --json`, async () => {
    const records = JSON.parse((await audit(...args, '--json')).stdout) as { seq: number }[];
    assert.deepEqual(
      records.map(({ seq }) => seq),
      seqs,
    );
  });
}

const WRONG: readonly [args: readonly string[], code: number][] = [
  [['audit'], 2],
  [['audit', '--config', 'DIR', '--audit', 'x'], 2],
  [['audit', '--config', 'DIR', '--since', '2026-02-30'], 2],
  [['audit', '--config', 'DIR', '--limit', '0'], 2],
  [['audit', '--config', 'DIR', '--verify', '--head', 'x'], 2],
  [['audit', '--audit', '/nowhere/audit.db'], 1],
];
for (const [index, [args, code]] of WRONG.entries()) {
  test(`wrong ${index}: ${args.join(' ')}, exit ${code}`, async () => {
    const answer = await runCli(
      scope,
      args.map((arg) => arg.replace('DIR', dir)),
    );
    assert.deepEqual([answer.code, answer.stdout], [code, '']);
    assert.match(answer.stderr, /^tollgate: [^A-Z].*[^.]\n$/);
  });
}

test('--verify says that the chain is whole, and where it is not', async () => {
  const whole = await audit('--verify');
  assert.equal(whole.code, 0);
  const head = HEAD.exec(whole.stdout)![1]!;
  assert.equal((await audit('--verify', '--head', head)).code, 0);
  const other = await audit('--verify', '--head', `2${head.slice(1)}`);
  assert.deepEqual([other.code, other.stdout.split('\n')[1]], [1, 'the head that was noted is not part of it']);
  const db = new DatabaseSync(join(dir, 'records/audit.db'));
  db.exec("DROP TRIGGER records_hold; UPDATE records SET text = replace(text, 'ada', 'eve') WHERE seq = 1");
  db.close();
  const broken = await audit('--verify');
  assert.deepEqual([broken.code, broken.stdout], [1, 'broken at record 1: was changed\n']);
});

test('commands that make and revoke keys leave records, of what they refuse too, and never the secret', async (t) => {
  const bundle = join(await bundleWith(t, { files: { 'b/x': '' } }), 'b');
  await cp(join(BUNDLES, 'base'), bundle, { recursive: true });
  await rm(join(bundle, 'x'));
  await writeFile(join(bundle, 'tollgate.yaml'), 'peppers: {v1: ../pepper}\nledger: {path: ../book.db}\n');
  await writeFile(join(bundle, '../pepper'), newPepperText(), { mode: 0o600 });
  const asked = ['--class', 'interactive', '--kind', 'service', '--owner', 'search@acme.example', '--config', bundle];
  const made = await runCli(t, ['keys', 'create', '--account', 'acme/search', ...asked]);
  const id = made.stdout.split('_')[2]!;
  assert.equal((await runCli(t, ['keys', 'create', '--account', 'evil', ...asked])).code, 2);
  assert.equal((await runCli(t, ['keys', 'revoke', id, '--config', bundle])).code, 0);
  const { stdout } = await runCli(t, ['audit', '--config', bundle, '--json']);
  const records = JSON.parse(stdout) as Record<string, unknown>[];
  assert.deepEqual(
    records.map(({ verb, object, outcome, role }) => [verb, object, outcome, role]),
    [
      ['key_revoke', id, 'done', 'operator'],
      ['key_create', 'evil', 'refused', 'operator'],
      ['key_create', id, 'done', 'operator'],
    ],
  );
  assert.equal(records[0]!['who'], userInfo().username);
  assert.ok(!stdout.includes(made.stdout.trim().split('_')[3]!));
  const list = await runCli(t, ['keys', 'list', '--config', bundle]);
  assert.match(list.stdout, new RegExp(`${id} .* revoked`));
});

test('a key is not made where no record can be; it is revoked all the same', async (t) => {
  const bundle = await bundleWith(t, {
    files: { blocked: 'a file', 'tollgate.yaml': 'audit: {path: blocked/audit.db}\n' },
  });
  const revoked = await runCli(t, ['keys', 'revoke', 'k7f3q2', '--config', bundle]);
  assert.equal(revoked.code, 0);
  assert.match(revoked.stderr, /^the audit has no record of it: .*\nkey k7f3q2 is revoked; /);
  await writeFile(join(bundle, 'pepper'), newPepperText(), { mode: 0o600 });
  await writeFile(join(bundle, 'tollgate.yaml'), 'audit: {path: blocked/audit.db}\npeppers: {v1: pepper}\n');
  const asked = ['--class', 'interactive', '--kind', 'service', '--owner', 'search@acme.example', '--config', bundle];
  const made = await runCli(t, ['keys', 'create', '--account', 'acme/search', ...asked]);
  assert.deepEqual([made.code, made.stdout], [1, '']);
  assert.match(made.stderr, /^tollgate: audit `.*` cannot be used\n$/);
  const listed = JSON.parse((await runCli(t, ['keys', 'list', '--config', bundle, '--json'])).stdout) as {
    state: string;
  }[];
  assert.deepEqual(new Set(listed.map(({ state }) => state)), new Set(['revoked']));
});
