import { Command, Option } from 'commander';
import { commandAudit, operator } from '../app/audit.ts';
import { systemClock } from '../core/clock.ts';
import { TollgateError } from '../core/errors.ts';
import { createKey } from '../identity/key-registry.ts';
import { peppersOf } from '../identity/peppers.ts';
import { loadBundle } from '../policy/bundle.ts';
import { KINDS, type Policy } from '../policy/policy.ts';
import type { Settings } from '../policy/settings.ts';
import { hasProblems } from './bundle.ts';

interface CreateOptions {
  readonly config: string;
  readonly account: string;
  readonly class: string;
  readonly kind: string;
  readonly owner: string;
  readonly expires?: string;
  readonly env?: string;
}

/** `tollgate keys create`: the only command that ever sees a key; it prints it and keeps a digest. */
export function createCommand(): Command {
  return new Command('create')
    .description('make a key: prints it once, and stores only its digest in keys/')
    .requiredOption('--config <dir>', 'directory of the policy bundle')
    .requiredOption('--account <path>', 'declared account that pays')
    .requiredOption('--class <class>', 'class of traffic.yaml that the key is bound to')
    .addOption(new Option('--kind <kind>', 'who uses it').choices(KINDS).makeOptionMandatory())
    .requiredOption('--owner <email>', 'who answers for it')
    .option(
      '--expires <when>',
      'days like 90d, or the last day like 2026-03-31; default: credentials.age_max of access.yaml',
    )
    .option('--env <name>', 'environment; default: that of access.yaml')
    .addHelpText(
      'after',
      '\nThe key is the only line on stdout; what is said about it goes to stderr. A `tollgate serve` of this directory knows it within 6 s.\n\nExample:\n  tollgate keys create --config ./bundle --account acme/search --class interactive --kind service --owner search@acme.example --expires 90d',
    )
    .action(create);
}

async function create(options: CreateOptions): Promise<void> {
  const { config } = options;
  const { policy, settings } = await soundBundle(config);
  const peppers = peppersOf(settings.peppers);
  if (peppers.newest === undefined) throw noPepper(config);
  const minted = await createKey(
    { ...options, expires: options.expires, environment: options.env },
    { policy, peppers, nowMs: systemClock.nowMs() },
    {
      dir: config,
      audit: commandAudit(settings.audit.path, systemClock),
      actor: operator(),
      policyVersion: policy.version,
    },
  );
  process.stdout.write(`${minted.key}\n`);
  const elsewhere =
    minted.environment === policy.environment
      ? ''
      : `it is for environment ${minted.environment} and refused in ${policy.environment}, this bundle's own\n`;
  process.stderr.write(
    `key ${minted.id} for ${options.account}, valid to the end of ${minted.expires} (UTC), is in ${minted.file}; it is shown this once, and let in within 6 s where \`tollgate serve\` reads this directory\n${elsewhere}`,
  );
}

/** Throws where the bundle has errors: a key would be made for names that mean nothing. */
async function soundBundle(dir: string): Promise<{ policy: Policy; settings: Settings }> {
  const { policy, settings, problems } = await loadBundle(dir);
  if (problems.some(({ rule }) => rule === 'secret-file')) throw noPepper(dir);
  if (policy === undefined || settings === undefined) throw hasProblems(dir);
  return { policy, settings };
}

function noPepper(dir: string): TollgateError {
  return new TollgateError(
    'settings_invalid',
    `tollgate.yaml of \`${dir}\` names no pepper file that can be used; make one with \`tollgate keys pepper ${dir}/../pepper-v1\` and name it there: \`peppers: { v1: ../pepper-v1 }\``,
  );
}
