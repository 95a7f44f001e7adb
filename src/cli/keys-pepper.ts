import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { systemCodeOf, TollgateError } from '../core/errors.ts';
import { newPepperText } from '../identity/peppers.ts';

/** `tollgate keys pepper FILE`: the secret that keys are digested under. */
export function pepperCommand(): Command {
  return new Command('pepper')
    .description('make the secret file that keys are digested under; never overwrites one')
    .argument('<file>', 'file to make, mode 0600')
    .addHelpText(
      'after',
      '\nExample:\n  tollgate keys pepper ./pepper-v1\n  and in ./bundle/tollgate.yaml: peppers: { v1: ../pepper-v1 }',
    )
    .action(pepper);
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
