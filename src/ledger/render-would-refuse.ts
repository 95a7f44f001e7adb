/** What observed rules and bundles would have done, as tables for people or JSON for programs. */
import { alignedTable, type Cells, type Column } from '../core/table.ts';
import type { Verdict } from './difference.ts';
import type { WouldRefuse } from './would-refuse.ts';

const OBSERVED: readonly Column[] = [
  ...['account', 'model', 'would be refused by'].map((name): Column => ({ name, kind: 'text' })),
  { name: 'requests', kind: 'number' },
];
const DIFFERENCES: readonly Column[] = [
  ...['account', 'route', 'model', 'now', 'observed bundle', 'for example'].map(
    (name): Column => ({ name, kind: 'text' }),
  ),
  { name: 'requests', kind: 'number' },
];

/** Ends with a line break. */
export function renderWouldRefuse(found: WouldRefuse, { format }: { readonly format: 'table' | 'json' }): string {
  return format === 'json' ? jsonOf(found) : `${observedTable(found)}\n${differencesTable(found)}`;
}

function observedTable({ observed }: WouldRefuse): string {
  if (observed.length === 0) return 'no served request would have been refused by a rule, plan or limit in `observe`\n';
  const rows = observed.map(({ account, model, by, requests }): Cells => [account, model, by, requests.toString()]);
  return alignedTable(OBSERVED, rows, []);
}

function differencesTable({ differences, compared, differing }: WouldRefuse): string {
  if (compared === 0n)
    return 'no observed bundle was compared; `tollgate serve --observe DIR` runs one beside the other\n';
  const told = `${differing} of ${compared} requests would have been answered in another way by the observed bundle\n`;
  if (differences.length === 0) return told;
  const rows = differences.map(
    (each): Cells => [
      each.account,
      each.route,
      each.requestedModel,
      verdictText(each.was),
      verdictText(each.would),
      each.example,
      each.requests.toString(),
    ],
  );
  return told + alignedTable(DIFFERENCES, rows, []);
}

/** `allowed, gpt-5-mini by team-tokens`, `refused, limit_exceeded by team-spend`. */
function verdictText({ outcome, reason, limit, model }: Verdict): string {
  const what = outcome === 'allow' ? 'allowed' : 'refused';
  const which = outcome === 'allow' ? model : reason;
  return `${what}${which === '' ? '' : `, ${which}`}${limit === '' ? '' : ` by ${limit}`}`;
}

function jsonOf({ observed, differences, compared, differing }: WouldRefuse): string {
  const answer = {
    observed: observed.map((row) => ({ ...row, requests: Number(row.requests) })),
    compared: Number(compared),
    differing: Number(differing),
    differences: differences.map((row) => ({ ...row, requests: Number(row.requests) })),
  };
  return `${JSON.stringify(answer, undefined, 2)}\n`;
}
