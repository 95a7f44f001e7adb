/** Arguments stand in the process list and in the shell's history: no command takes a secret there. */
import { TollgateError } from '../core/errors.ts';
import { redactText } from '../telemetry/redact.ts';

/** A pepper, as its file has it. */
const PEPPER_SHAPE = /(?:^|=)[0-9a-fA-F]{64}$/;

/** Throws `usage` where an argument has the shape of a key, a token, a pepper or a password in a URL, and does not repeat it. */
export function refuseSecretArguments(argv: readonly string[]): void {
  // A whole key is in a hurried hand's clipboard sooner than its id.
  if (argv.some((argument) => argument.includes('tg_'))) {
    throw new TollgateError(
      'usage',
      'expected a public id like `k7f3q2abcdef`, the third part of a key, found a whole key',
    );
  }
  const isSecret = (argument: string): boolean =>
    PEPPER_SHAPE.test(argument) || /\[redacted\]/.test(redactText(argument));
  if (argv.some((argument) => isSecret(argument) && !argument.includes('[redacted]'))) {
    throw new TollgateError('usage', 'expected ids and names of files, found a secret, which the process list shows');
  }
}
