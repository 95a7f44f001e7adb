import { Command } from 'commander';
import { systemClock } from '../core/clock.ts';
import { dayOf } from '../core/day.ts';
import { alignedTable } from '../core/table.ts';
import type { ApiKey, Policy } from '../policy/policy.ts';
import { policyOf } from './bundle.ts';
import { jsonText } from './json.ts';

const COLUMNS = ['id', 'account', 'class', 'kind', 'owner', 'created', 'expires', 'state'] as const;
type Row = Readonly<Record<(typeof COLUMNS)[number], string>>;

/** `tollgate keys list`: what there is of each key but the key. */
export function listCommand(): Command {
  return new Command('list')
    .description('list keys with owner, last day and state; never a digest or secret')
    .requiredOption('--config <dir>', 'directory of the policy bundle')
    .option('--json', 'print JSON instead of a table')
    .addHelpText('after', '\nExample:\n  tollgate keys list --config ./bundle --json')
    .action(async ({ config, json }: { config: string; json?: boolean }) => {
      const rows = rowsOf(await policyOf(config), systemClock.nowMs());
      process.stdout.write(json === true ? jsonText(rows) : tableOf(rows));
    });
}

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

function tableOf(rows: readonly Row[]): string {
  return alignedTable(
    COLUMNS.map((name) => ({ name, kind: 'text' })),
    rows.map((row) => COLUMNS.map((name) => row[name])),
  );
}
