import { Command } from 'commander';
import { createCommand } from './keys-create.ts';
import { listCommand } from './keys-list.ts';
import { pepperCommand } from './keys-pepper.ts';
import { revokeCommand } from './keys-revoke.ts';

/** `tollgate keys create|list|revoke|pepper`: the API keys of a bundle. Exit codes 0, 1 and 2 as everywhere. */
export function keysCommand(): Command {
  const keys = new Command('keys').description('make, list and revoke API keys of a policy bundle');
  for (const command of [createCommand(), listCommand(), revokeCommand(), pepperCommand()]) keys.addCommand(command);
  return keys.addHelpText(
    'after',
    '\nExample:\n  tollgate keys pepper ./pepper-v1\n  tollgate keys create --config ./bundle --account acme/search --class interactive --kind service --owner search@acme.example',
  );
}
