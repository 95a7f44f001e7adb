import { Command } from 'commander';
import { systemClock } from '../core/clock.ts';
import type { Census } from '../ledger/census.ts';
import { END_KINDS } from '../ledger/ledger.ts';
import { jsonText } from './json.ts';
import { type LedgerOptions, readLedger } from './ledger-option.ts';

/** `tollgate census`: proves that every admitted request ended exactly once, or shows which did not. */
export function censusCommand(): Command {
  return new Command('census')
    .description('prove that every admitted request has exactly one end')
    .option('--ledger <file>', 'the ledger file')
    .option('--config <dir>', 'directory of the bundle, whose tollgate.yaml names the ledger')
    .option('--json', 'print JSON instead of lines for people')
    .addHelpText(
      'after',
      `
Exit codes: 0 it closes, 1 it does not or the ledger cannot be read, 2 wrong usage.

Example:
  $ tollgate census --config ./bundle`,
    )
    .action(async ({ json, ...ledger }: LedgerOptions & { json?: boolean }) => {
      const census = await readLedger(ledger, (reader) => reader.census({ nowMs: systemClock.nowMs() }));
      process.stdout.write(json === true ? jsonText(census) : linesOf(census));
      process.exitCode = census.closes ? 0 : 1;
    });
}

function linesOf(census: Census): string {
  const rows: readonly (readonly [string, number])[] = [
    ['admitted', census.holds],
    ...END_KINDS.map((kind) => [`  ${kind}`, census.ended[kind]] as const),
    ['  open', census.open],
    ['    past expiry', census.openPastExpiry],
    ['    past expiry, and nobody ends them', census.openOverdue],
    ['ends whose hold was lost', census.endsWithoutHold],
    ['conflicts, listed and not summed', census.conflicts],
    ['orphans, not ours to book', census.orphans],
    ['sums that are off', census.unbalanced],
    ['rows without their hold or end', census.strays],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, count]) => `${name.padEnd(width)}  ${String(count).padStart(10)}`);
  return `${lines.join('\n')}\n${census.closes ? 'the census closes' : 'the census does NOT close'}\n`;
}
