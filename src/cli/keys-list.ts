import { Command } from 'commander';
import { systemClock } from '../core/clock.ts';
import { alignedTable } from '../core/table.ts';
import { type KeyRow, listKeys } from '../identity/key-list.ts';
import { policyOf } from './bundle.ts';
import { jsonText } from './json.ts';

const COLUMNS = [
  'id',
  'account',
  'class',
  'kind',
  'owner',
  'created',
  'expires',
  'state',
] as const satisfies readonly (keyof KeyRow)[];

/** `tollgate keys list`: what there is of each key but the key. */
export function listCommand(): Command {
  return new Command('list')
    .description('list keys with owner, last day and state; never a digest or secret')
    .requiredOption('--config <dir>', 'directory of the policy bundle')
    .option('--json', 'print JSON instead of a table')
    .addHelpText('after', '\nExample:\n  tollgate keys list --config ./bundle --json')
    .action(async ({ config, json }: { config: string; json?: boolean }) => {
      const rows = listKeys(await policyOf(config), systemClock.nowMs());
      process.stdout.write(json === true ? jsonText(rows) : tableOf(rows));
    });
}

function tableOf(rows: readonly KeyRow[]): string {
  return alignedTable(
    COLUMNS.map((name) => ({ name, kind: 'text' })),
    rows.map((row) => COLUMNS.map((name) => row[name])),
  );
}
