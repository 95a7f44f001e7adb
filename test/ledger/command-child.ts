/** `report` and `census` without the other commands; exit codes as `tollgate` has them. */
import { Command, CommanderError } from 'commander';
import { censusCommand } from '../../src/cli/census.ts';
import { reportCommand } from '../../src/cli/report.ts';
import { TollgateError } from '../../src/core/errors.ts';

const program = new Command('tollgate');
for (const command of [reportCommand(), censusCommand()]) program.addCommand(command.exitOverride());
try {
  await program.exitOverride().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  if (!(error instanceof TollgateError)) throw error;
  process.stderr.write(`tollgate: ${error.message}\n`);
  process.exit(error.code === 'usage' ? 2 : 1);
}
