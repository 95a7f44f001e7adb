import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CommanderError } from 'commander';
import { keysCommand } from '../../src/cli/keys.ts';
import { TollgateError } from '../../src/core/errors.ts';
import { CredentialIdentifier } from '../../src/identity/identify.ts';
import { peppersOf } from '../../src/identity/peppers.ts';
import { isRefusal } from '../../src/identity/principal.ts';
import { loadBundle } from '../../src/policy/bundle.ts';
import { headersOf } from './headers.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const DAY_MS = 86_400_000;

/** The least that is a bundle; `age_max` is 30 days. */
const BUNDLE = {
  'access.yaml': `owner: security@acme.example
environment: prod
credentials: {age_max: 30d}
rules:
  - {name: all, allow: {accounts: [acme/**], routes: [models]}}
`,
  'plans.yaml': `owner: finance@acme.example
currency: USD
plans:
  basic: {prices: standard, entitlements: [{routes: [models], models: [tiny], classes: [interactive]}]}
prices:
  standard: {tiny: [{from: 2020-01-01, per: 1M tokens, input: 1, output: 1}]}
`,
  'traffic.yaml': `owner: platform@acme.example
routes:
  models: {match: {method: GET, path: /v1/models}, metered: false}
classes: [interactive, batch]
`,
  'models.yaml': `owner: platform@acme.example
providers: {openai: {dialects: [openai-chat]}}
models:
  tiny: {provider: openai, output_max: 1k}
`,
  'accounts/acme.yaml': `acme: {plan: basic, owner: cto@acme.example, timezone: Europe/Berlin, unlisted: allow}
acme/search: {owner: search@acme.example}
`,
  'tollgate.yaml': 'peppers: {v1: pepper-v1}\n',
};

function bundle(t: TestContext, options: { pepper: boolean }): string {
  const dir = mkdtempSync(join(tmpdir(), 'tollgate-bundle-'));
  t.after(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, 'accounts'));
  for (const [name, text] of Object.entries(BUNDLE)) writeFileSync(join(dir, name), text);
  if (options.pepper) assert.equal(keys('pepper', join(dir, 'pepper-v1')).status, 0);
  return dir;
}

function keys(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, 'keys', ...args], { encoding: 'utf8' });
}

const CREATE = { account: 'acme/search', class: 'interactive', kind: 'service', owner: 'search@acme.example' };
type Changes = Readonly<Record<string, string | undefined>>;

function createArgs(dir: string, changes: Changes = {}): string[] {
  const options = Object.entries({ config: dir, ...CREATE, ...changes });
  return ['create', ...options.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]))];
}

const create = (dir: string, changes: Changes = {}) => keys(...createArgs(dir, changes));

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

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

test('1 from an empty bundle to a key that is let in, listed, revoked and refused', async (t) => {
  const dir = bundle(t, { pepper: true });
  const made = create(dir);
  assert.equal(made.status, 0, made.stderr);
  assert.match(made.stdout, /^tg_prod_k[a-z2-7]{11}_[0-9A-Za-z]{36}\n$/);
  const key = made.stdout.trim();
  const id = key.split('_')[2]!;
  assert.match(
    made.stderr,
    new RegExp(
      `^key ${id} for acme/search, valid to the end of .* it is shown this once, and let in once .tollgate serve. is started again\n$`,
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
  const listed = keys('list', '--config', dir, '--json');
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

  assert.equal(keys('revoke', id, '--config', dir).status, 0);
  const refused = await identify();
  assert.equal(isRefusal(refused) && refused.reason, 'credential_revoked');
  const table = keys('list', '--config', dir).stdout;
  assert.match(table, /^id +account +class +kind +owner +created +expires +state\n/);
  assert.match(
    table,
    new RegExp(`\n${id} +acme/search +interactive +service +search@acme.example +\\S+ +\\S+ +revoked\n$`),
  );
  assert.ok(!table.includes('hmac') && !listed.stdout.includes('hmac'));
  const again = keys('revoke', id, '--config', dir);
  assert.deepEqual([again.status, again.stderr], [0, `key ${id} was revoked before\n`]);
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
  const dir = bundle(t, { pepper: true });
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

test('3 without a pepper the command says how to make one', (t) => {
  const dir = bundle(t, { pepper: false });
  const made = create(dir);
  assert.equal(made.status, 1);
  assert.match(made.stderr, /make one with `tollgate keys pepper .*pepper-v1` and name it there/);
});

test('4 a pepper is 0600, 32 bytes in hex, and never overwritten', (t) => {
  const file = join(bundle(t, { pepper: true }), 'pepper-v1');
  const text = readFileSync(file, 'utf8');
  assert.match(text, /^[0-9a-f]{64}\n$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const again = keys('pepper', file);
  assert.deepEqual([again.status, again.stdout], [1, '']);
  assert.match(again.stderr, /exists, and all keys under it would be lost/);
  assert.equal(readFileSync(file, 'utf8'), text);
});

test('5 another environment is made, with a word', (t) => {
  const dir = bundle(t, { pepper: true });
  const made = create(dir, { env: 'staging' });
  assert.match(made.stdout, /^tg_staging_/);
  assert.match(made.stderr, /for environment staging and refused in prod/);
  assert.match(keys('list', '--config', dir).stdout, /for staging\n$/);
});

test('6 a key is revoked even where the rest of the bundle is broken; a key for an id is not repeated', async (t) => {
  const dir = bundle(t, { pepper: true });
  const key = create(dir).stdout.trim();
  writeFileSync(join(dir, 'plans.yaml'), 'nonsense: [');
  assert.equal(keys('revoke', key.split('_')[2]!, '--config', dir).status, 0);
  const whole = await run('revoke', key, '--config', dir);
  assert.equal(whole.error instanceof TollgateError && whole.error.code, 'usage');
  assert.ok(!whole.said.includes(key));
  const unknown = await run('revoke', 'k7f3q2abcdef', '--config', dir);
  assert.match(unknown.said, /^no key `k7f3q2abcdef` in/);
  assert.deepEqual(readdirSync(join(dir, 'keys')), ['acme.yaml']);
});

test('7 help has an example for each command', async () => {
  for (const command of [[], ['create'], ['list'], ['revoke'], ['pepper']]) {
    const { said } = await run(...command, '--help');
    assert.match(said, /Example:\n {2}tollgate keys/);
  }
});

test('8 wrong words are exit 2, a bundle with problems is exit 1', () => {
  assert.equal(keys('create').status, 2);
  assert.equal(keys('list', '--config', '/nonexistent').status, 1);
});
