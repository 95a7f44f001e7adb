import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { parse } from 'yaml';
import { dayOf } from '../core/day.ts';
import { systemCodeOf, TollgateError } from '../core/errors.ts';
import { alignedTable, type Column } from '../core/table.ts';
import { mintApiKey } from '../identity/api-key.ts';
import { digestText } from '../identity/digest.ts';
import { appendKey, type KeyEntry, keyFileOf, revokeKey } from '../identity/key-file.ts';
import { lifetimeOf } from '../identity/lifetime.ts';
import { newPepperText, peppersOf } from '../identity/peppers.ts';
import { type LoadedBundle, loadBundle } from '../policy/bundle.ts';
import { keysDirectory, readBundleFiles } from '../policy/directory.ts';
import type { ApiKey, Policy } from '../policy/policy.ts';
import { Problems } from '../policy/problem.ts';
import { parseDuration } from '../policy/quantity.ts';

interface CreateOptions {
  readonly config: string;
  readonly account: string;
  readonly class: string;
  readonly kind: KeyEntry['kind'];
  readonly owner: string;
  readonly expires?: string;
  readonly env?: string;
}

/** `tollgate keys create|list|revoke|pepper`: the API keys of a bundle. Exit codes 0, 1 and 2 as everywhere. */
export function keysCommand(): Command {
  const keys = new Command('keys').description('make, list and revoke API keys of a policy bundle');
  for (const command of [createCommand(), listCommand(), revokeCommand(), pepperCommand()]) keys.addCommand(command);
  return keys.addHelpText(
    'after',
    '\nExample:\n  tollgate keys pepper ./bundle/pepper-v1\n  tollgate keys create --config ./bundle --account acme/search --class interactive --kind service --owner search@acme.example',
  );
}

function createCommand(): Command {
  return new Command('create')
    .description('make a key: prints it once, and stores only its digest in keys/')
    .requiredOption('--config <dir>', 'directory of the policy bundle')
    .requiredOption('--account <path>', 'declared account that pays')
    .requiredOption('--class <class>', 'class of traffic.yaml that the key is bound to')
    .addOption(new Option('--kind <kind>', 'who uses it').choices(['human', 'service', 'agent']).makeOptionMandatory())
    .requiredOption('--owner <email>', 'who answers for it')
    .option(
      '--expires <when>',
      'days like 90d, or the last day like 2026-03-31; default: credentials.age_max of access.yaml',
    )
    .option('--env <name>', 'environment; default: that of access.yaml')
    .addHelpText(
      'after',
      '\nThe key is the only line on stdout; what is said about it goes to stderr.\n\nExample:\n  tollgate keys create --config ./bundle --account acme/search --class interactive --kind service --owner search@acme.example --expires 90d',
    )
    .action(create);
}

function listCommand(): Command {
  return new Command('list')
    .description('list keys with owner, last day and state; never a digest or secret')
    .requiredOption('--config <dir>', 'directory of the policy bundle')
    .option('--json', 'print JSON instead of a table')
    .addHelpText('after', '\nExample:\n  tollgate keys list --config ./bundle --json')
    .action(async (options: { config: string; json?: boolean }) => {
      const { policy } = await soundBundle(options.config);
      const rows = rowsOf(policy, Date.now());
      process.stdout.write(options.json === true ? `${JSON.stringify(rows, null, 2)}\n` : tableOf(rows));
    });
}

function revokeCommand(): Command {
  return new Command('revoke')
    .description('mark a key as revoked; it is refused from the next reload on')
    .argument('<id>', 'public id, the third part of tg_<environment>_<id>_…')
    .requiredOption('--config <dir>', 'directory of the policy bundle')
    .addHelpText(
      'after',
      '\nWorks even where other files of the bundle have problems.\n\nExample:\n  tollgate keys revoke k7f3q2abcdef --config ./bundle',
    )
    .action(revoke);
}

function pepperCommand(): Command {
  return new Command('pepper')
    .description('make the secret file that keys are digested under; never overwrites one')
    .argument('<file>', 'file to make, mode 0600')
    .addHelpText(
      'after',
      '\nExample:\n  tollgate keys pepper ./bundle/pepper-v1\n  and in tollgate.yaml: peppers: { v1: pepper-v1 }',
    )
    .action(pepper);
}

async function create(options: CreateOptions): Promise<void> {
  const { policy, settings } = await soundBundle(options.config);
  const lifetime = lifetimeOf(Date.now(), { asked: options.expires, ageMaxMs: await ageMaxMs(options.config) });
  if ('text' in lifetime) throw new TollgateError('usage', lifetime.text);
  assertKnown(options, policy);
  const peppers = peppersOf(settings.peppers);
  if (peppers.newest === undefined) throw new TollgateError('settings_invalid', noPepper(options.config));

  const environment = options.env ?? policy.environment;
  const minted = mintApiKey(environment);
  const keysDir = keysDirectory(options.config);
  await mkdir(keysDir, { recursive: true });
  const file = keyFileOf(keysDir, options.account);
  await appendKey(file, minted.id, {
    account: options.account,
    digest: digestText(minted.key, peppers),
    kind: options.kind,
    class: options.class,
    environment,
    owner: options.owner,
    ...lifetime,
  });
  process.stdout.write(`${minted.key}\n`);
  process.stderr.write(
    `key ${minted.id} for ${options.account}, valid to the end of ${lifetime.expires} (UTC), is in ${file}; it is shown this once\n`,
  );
  if (environment !== policy.environment) {
    process.stderr.write(
      `it is for environment ${environment} and refused in ${policy.environment}, this bundle's own\n`,
    );
  }
}

async function revoke(id: string, { config }: { config: string }): Promise<void> {
  // The whole key is in a hurried hand's clipboard sooner than its id; it is not repeated in the message.
  if (!/^[a-z][a-z0-9]{5,31}$/.test(id)) throw new TollgateError('usage', 'expected a public id like `k7f3q2abcdef`');
  const outcome = await revokeKey(keysDirectory(config), id);
  if (outcome === 'unknown')
    throw new TollgateError('bundle_invalid', `no key \`${id}\` in \`${keysDirectory(config)}\``);
  process.stderr.write(
    outcome === 'already' ? `key ${id} was revoked before\n` : `key ${id} is revoked; reload to enforce it\n`,
  );
}

function pepper(file: string): void {
  try {
    writeFileSync(file, newPepperText(), { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const text = systemCodeOf(cause) === 'EEXIST' ? 'exists, and all keys under it would be lost' : 'cannot be written';
    throw new TollgateError('secret_unreadable', `\`${file}\` ${text}`, { cause });
  }
  process.stderr.write(
    `${file} is made; name it in tollgate.yaml (peppers: { v1: FILE }) and keep it out of version control\n`,
  );
}

type Sound = { readonly [K in 'policy' | 'settings']: NonNullable<LoadedBundle[K]> };

/** Throws `bundle_invalid` where the bundle has errors: a key would be made for names that mean nothing. */
async function soundBundle(dir: string): Promise<Sound> {
  const { policy, settings, problems } = await loadBundle(dir);
  if (problems.some(({ rule }) => rule === 'secret-file')) throw new TollgateError('settings_invalid', noPepper(dir));
  if (policy !== undefined && settings !== undefined) return { policy, settings };
  throw new TollgateError('bundle_invalid', `\`${dir}\` has problems; \`tollgate check ${dir}\` shows them`);
}

function noPepper(dir: string): string {
  return `tollgate.yaml of \`${dir}\` names no pepper file that can be used; make one with \`tollgate keys pepper ${dir}/pepper-v1\` and name it there: \`peppers: { v1: pepper-v1 }\``;
}

/** `credentials.age_max` of a sound bundle; the compiled policy has it only inside each key. */
async function ageMaxMs(dir: string): Promise<number | undefined> {
  const files = await readBundleFiles(dir, new Problems());
  const access = files.find(({ role }) => role === 'access')?.bytes.toString('utf8') ?? '';
  const { credentials } = parse(access) as { credentials?: { age_max?: string } };
  return credentials?.age_max === undefined ? undefined : parseDuration(credentials.age_max);
}

function assertKnown(options: CreateOptions, policy: Policy): void {
  if (policy.account(options.account)?.declared !== true) {
    throw new TollgateError('usage', `expected an account that accounts/ declares, found \`${options.account}\``);
  }
  if (!policy.classes.includes(options.class)) {
    throw new TollgateError(
      'usage',
      `expected one of the classes \`${policy.classes.join('`, `')}\`, found \`${options.class}\``,
    );
  }
  if (!/^[^\s@]{1,64}@[^\s@]{1,190}$/.test(options.owner)) {
    throw new TollgateError('usage', `expected an owner like \`team@acme.example\`, found \`${options.owner}\``);
  }
  if (options.env !== undefined && !/^[a-z][a-z0-9-]{0,31}$/.test(options.env)) {
    throw new TollgateError('usage', `expected an environment [a-z][a-z0-9-]{0,31}, found \`${options.env}\``);
  }
}

type Row = Readonly<Record<'id' | 'account' | 'class' | 'kind' | 'owner' | 'created' | 'expires' | 'state', string>>;

function rowsOf(policy: Policy, nowMs: number): Row[] {
  return [...policy.keys.values()]
    .toSorted((a, b) => (a.account === b.account ? a.createdMs - b.createdMs : a.account < b.account ? -1 : 1))
    .map((key) => ({
      id: key.id,
      account: key.account,
      class: key.class,
      kind: key.kind,
      owner: key.owner,
      created: dayOf(key.createdMs),
      expires: dayOf(key.expiresMs - 1),
      state: stateOf(key, policy, nowMs),
    }));
}

/** In the order in which a request would be refused. */
function stateOf(key: ApiKey, policy: Policy, nowMs: number): string {
  if (key.environment !== policy.environment) return `for ${key.environment}`;
  if (key.revoked) return 'revoked';
  if (nowMs >= key.expiresMs) return 'expired';
  if (nowMs < key.createdMs) return 'not yet valid';
  return policy.account(key.account) === undefined ? 'account unknown' : 'active';
}

const COLUMNS = ['id', 'account', 'class', 'kind', 'owner', 'created', 'expires', 'state'] as const;

function tableOf(rows: readonly Row[]): string {
  const columns = COLUMNS.map((name): Column => ({ name, kind: 'text' }));
  return alignedTable(
    columns,
    rows.map((row) => COLUMNS.map((name) => row[name])),
  );
}
