import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CommanderError } from 'commander';
import { keysCommand } from '../../src/cli/keys.ts';
import { DAY_MS, dayOf } from '../../src/core/day.ts';
import { TollgateError } from '../../src/core/errors.ts';
import { CredentialIdentifier } from '../../src/identity/identify.ts';
import { peppersOf } from '../../src/identity/peppers.ts';
import { isRefusal } from '../../src/identity/principal.ts';
import { loadBundle } from '../../src/policy/bundle.ts';
import { headersOf } from '../identity/headers.ts';
import { bundleWith } from '../policy/bundles.ts';
import { runCli } from '../support/process.ts';

/** The base bundle without keys, with an `age_max` of 30 days. */
async function bundle(t: TestContext, options: { pepper: boolean }): Promise<string> {
  const dir = await bundleWith(t, {
    files: {
      'access.yaml':
        'owner: s@acme.example\nenvironment: prod\ncredentials: {age_max: 30d}\nrules: [{name: all, allow: {accounts: [acme/**]}}]\n',
      'tollgate.yaml': 'peppers: {v1: pepper-v1}\n',
      keys: undefined,
    },
  });
  if (options.pepper) assert.equal((await keys(t, 'pepper', join(dir, 'pepper-v1'))).code, 0);
  return dir;
}

function keys(t: TestContext, ...args: string[]) {
  return runCli(t, ['keys', ...args]);
}

const CREATE = { account: 'acme/search', class: 'interactive', kind: 'service', owner: 'search@acme.example' };
type Changes = Readonly<Record<string, string | undefined>>;

function createArgs(dir: string, changes: Changes = {}): string[] {
  const options = Object.entries({ config: dir, ...CREATE, ...changes });
  return ['create', ...options.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]))];
}

const create = (t: TestContext, dir: string, changes: Changes = {}) => keys(t, ...createArgs(dir, changes));

/** The same command in this process, for what ends before anything is printed: its error, or what commander said. */
async function run(...args: string[]): Promise<{ error: unknown; said: string }> {
  let said = '';
  const command = keysCommand();
  for (const each of [command, ...command.commands]) {
    each.exitOverride().configureOutput({ writeOut: (text) => (said += text), writeErr: (text) => (said += text) });
  }
  try {
    await command.parseAsync(args, { from: 'user' });
    return { error: undefined, said };
  } catch (error) {
    return { error, said: said + (error instanceof Error ? error.message : '') };
  }
}

test('1 from an empty bundle to a key that is let in, listed, revoked and refused', async (t) => {
  const dir = await bundle(t, { pepper: true });
  const made = await create(t, dir);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^tg_prod_k[a-z2-7]{11}_[0-9A-Za-z]{36}\n$/);
  const key = made.stdout.trim();
  const id = key.split('_')[2]!;
  assert.match(
    made.stderr,
    new RegExp(
      `^key ${id} for acme/search, valid to the end of .* it is shown this once, and let in within 6 s where .tollgate serve. reads this directory\n$`,
    ),
  );
  const file = readFileSync(join(dir, 'keys/acme.yaml'), 'utf8');
  assert.ok(!file.includes(key.split('_')[3]!) && !made.stderr.includes(key.split('_')[3]!));

  const identify = async () => {
    const { policy, settings, problems } = await loadBundle(dir);
    assert.deepEqual(problems, []);
    return new CredentialIdentifier(peppersOf(settings!.peppers)).identify(
      headersOf([['x-api-key', key]]),
      policy!,
      Date.now(),
    );
  };
  const found = await identify();
  assert.deepEqual(isRefusal(found) ? found : [found.account, found.credential, found.class, found.kind], [
    'acme/search',
    id,
    'interactive',
    'service',
  ]);

  const today = dayOf(Date.now());
  const listed = await keys(t, 'list', '--config', dir, '--json');
  const { created, expires, ...rest } = JSON.parse(listed.stdout)[0];
  assert.deepEqual(rest, {
    id,
    account: 'acme/search',
    class: 'interactive',
    kind: 'service',
    owner: 'search@acme.example',
    state: 'active',
  });
  // The day may turn between the two commands.
  assert.ok(created === today || Date.parse(today) - Date.parse(created) === DAY_MS);
  assert.equal(Date.parse(expires) - Date.parse(created), 29 * DAY_MS);

  assert.equal((await keys(t, 'revoke', id, '--config', dir)).code, 0);
  const refused = await identify();
  assert.equal(isRefusal(refused) && refused.reason, 'credential_revoked');
  const table = (await keys(t, 'list', '--config', dir)).stdout;
  assert.match(table, /^id +account +class +kind +owner +created +expires +state\n/);
  assert.match(
    table,
    new RegExp(`\n${id} +acme/search +interactive +service +search@acme.example +\\S+ +\\S+ +revoked\n$`),
  );
  assert.ok(!table.includes('hmac') && !listed.stdout.includes('hmac'));
  const again = await keys(t, 'revoke', id, '--config', dir);
  assert.deepEqual([again.code, again.stderr], [0, `key ${id} was revoked before\n`]);
});

const REFUSED: [what: string, changes: Record<string, string | undefined>, code: string, message: RegExp][] = [
  ['account that is not declared', { account: 'acme/serch' }, 'usage', /accounts\/ declares, found `acme\/serch`/],
  ['account of nobody', { account: 'other' }, 'usage', /found `other`/],
  [
    'class that is not declared',
    { class: 'agentic' },
    'usage',
    /one of the classes `interactive`, `batch`, found `agentic`/,
  ],
  ['unknown kind', { kind: 'robot' }, 'commander.invalidArgument', /human, service, agent/],
  ['no owner', { owner: undefined }, 'commander.missingMandatoryOptionValue', /--owner/],
  ['owner that nobody can write to', { owner: 'me' }, 'usage', /found `me`/],
  ['a day beyond age_max', { expires: '31d' }, 'usage', /`credentials\.age_max` of access\.yaml\), found `31d`/],
  ['no day', { expires: 'soon' }, 'usage', /found `soon`/],
  ['environment', { env: 'Prod' }, 'usage', /found `Prod`/],
  ['no bundle', { config: undefined }, 'commander.missingMandatoryOptionValue', /--config/],
  [
    'a bundle that is not there',
    { config: '/nonexistent' },
    'bundle_invalid',
    /`\/nonexistent` has problems; `tollgate check/,
  ],
];
test('2 what cannot be made is refused, and nothing is written', async (t) => {
  const dir = await bundle(t, { pepper: true });
  for (const [i, [what, changes, code, message]] of REFUSED.entries()) {
    await t.test(`2.${i + 1} ${what}`, async () => {
      const { error, said } = await run(...createArgs(dir, changes));
      assert.ok(error instanceof TollgateError || error instanceof CommanderError);
      assert.equal(error.code, code);
      assert.match(said, message);
      assert.ok(!existsSync(join(dir, 'keys')));
    });
  }
});

test('3 without a pepper the command says how to make one; keys are listed all the same', async (t) => {
  const dir = await bundle(t, { pepper: false });
  const made = await create(t, dir);
  assert.equal(made.code, 1);
  assert.match(made.stderr, /make one with `tollgate keys pepper .*pepper-v1` and name it there/);
  assert.equal((await keys(t, 'list', '--config', dir)).code, 0);
});

test('what the system refuses is said in a line, exit 1', async (t) => {
  const dir = await bundle(t, { pepper: false });
  mkdirSync(join(dir, 'keys/x.yaml'), { recursive: true });
  const { code, stderr } = await keys(t, 'revoke', 'k7f3q2abcdef', '--config', dir);
  assert.equal(code, 1);
  assert.match(stderr, /^tollgate: EISDIR: .*\n$/);
});

test('4 a pepper is 0600, 32 bytes in hex, and never overwritten', async (t) => {
  const file = join(await bundle(t, { pepper: true }), 'pepper-v1');
  const text = readFileSync(file, 'utf8');
  assert.match(text, /^[0-9a-f]{64}\n$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const again = await keys(t, 'pepper', file);
  assert.deepEqual([again.code, again.stdout], [1, '']);
  assert.match(again.stderr, /exists, and all keys under it would be lost/);
  assert.equal(readFileSync(file, 'utf8'), text);
});

test('5 another environment is made, with a word', async (t) => {
  const dir = await bundle(t, { pepper: true });
  const made = await create(t, dir, { env: 'staging' });
  assert.match(made.stdout, /^tg_staging_/);
  assert.match(made.stderr, /for environment staging and refused in prod/);
  assert.match((await keys(t, 'list', '--config', dir)).stdout, /for staging\n$/);
});

test('6 a key is revoked even where the rest of the bundle is broken; a key for an id is not repeated', async (t) => {
  const dir = await bundle(t, { pepper: true });
  const key = (await create(t, dir)).stdout.trim();
  writeFileSync(join(dir, 'plans.yaml'), 'nonsense: [');
  assert.equal((await keys(t, 'revoke', key.split('_')[2]!, '--config', dir)).code, 0);
  const whole = await run('revoke', key, '--config', dir);
  assert.equal(whole.error instanceof TollgateError && whole.error.code, 'usage');
  assert.ok(!whole.said.includes(key));
  const unknown = await run('revoke', 'k7f3q2abcdef', '--config', dir);
  assert.match(unknown.said, /^no key `k7f3q2abcdef` in/);
  assert.deepEqual(readdirSync(join(dir, 'keys')), ['acme.yaml']);
});
