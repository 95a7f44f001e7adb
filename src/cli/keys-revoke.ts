import { Command } from 'commander';
import { TollgateError } from '../core/errors.ts';
import { revokeKey } from '../identity/key-file.ts';
import { keysDirectory } from '../policy/directory.ts';
import { keyId } from '../policy/forms.ts';

/** `tollgate keys revoke ID`: marks the entry, which stays, so that its id means one key for good. */
export function revokeCommand(): Command {
  return new Command('revoke')
    .description('mark a key as revoked; `tollgate serve` refuses it once it is started again')
    .argument('<id>', 'public id, the third part of tg_<environment>_<id>_…')
    .requiredOption('--config <dir>', 'directory of the policy bundle')
    .addHelpText(
      'after',
      '\nWorks even where other files of the bundle have problems.\n\nExample:\n  tollgate keys revoke k7f3q2abcdef --config ./bundle',
    )
    .action(revoke);
}

async function revoke(id: string, { config }: { config: string }): Promise<void> {
  // The whole key is in a hurried hand's clipboard sooner than its id; it is not repeated in the message.
  if (!keyId.safeParse(id).success) throw new TollgateError('usage', 'expected a public id like `k7f3q2abcdef`');
  const outcome = await revokeKey(keysDirectory(config), id);
  if (outcome === 'unknown') throw new TollgateError('not_found', `no key \`${id}\` in \`${keysDirectory(config)}\``);
  process.stderr.write(
    outcome === 'already'
      ? `key ${id} was revoked before\n`
      : `key ${id} is revoked; start \`tollgate serve\` again to enforce it\n`,
  );
}
