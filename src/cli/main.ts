#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { versionText } from '../app/version.ts';
import { TollgateError } from '../core/errors.ts';
import { auditCommand } from './audit.ts';
import { censusCommand } from './census.ts';
import { checkCommand } from './check.ts';
import { diffCommand } from './diff.ts';
import { explainCommand } from './explain.ts';
import { healthCommand } from './health.ts';
import { keysCommand } from './keys.ts';
import { reportCommand } from './report.ts';
import { refuseSecretArguments } from './secret-argument.ts';
import { serveCommand } from './serve.ts';

/** Exit codes of every command: 0 done, 1 it failed or found problems, 2 the words of the call were off. */
async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('tollgate')
    .description('the decision service behind Envoy for paid AI APIs')
    .version(versionText(), '-V, --version', 'print the version')
    .addHelpText(
      'after',
      '\nExample:\n  tollgate check ./bundle && tollgate serve --config ./bundle\n\nExit codes: 0 done, 1 failed or problems found, 2 wrong usage',
    );
  const commands = [
    serveCommand(),
    checkCommand(),
    diffCommand(),
    keysCommand(),
    reportCommand(),
    explainCommand(),
    censusCommand(),
    auditCommand(),
    healthCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands, ...commands.flatMap((each) => each.commands)]) command.exitOverride();
  try {
    refuseSecretArguments(argv);
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    process.exitCode = failed(error);
  }
}

/** Says what went wrong on stderr (commander has said its own) and answers the exit code. */
function failed(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof TollgateError) {
    process.stderr.write(`tollgate: ${error.message}\n`);
    return error.code === 'usage' ? 2 : 1;
  }
  // A full disk, a file that may not be read: the message names the call, and mostly the file.
  if (error instanceof Error && 'syscall' in error) {
    process.stderr.write(`tollgate: ${error.message}\n`);
    return 1;
  }
  throw error;
}

await main(process.argv.slice(2));
