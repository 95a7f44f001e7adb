import { Command } from 'commander';
import { printable } from '../core/table.ts';
import { clearanceOf } from '../entitlement/clearance.ts';
import { counterPrefix } from '../limits/counter.ts';
import { judgeFiles } from '../policy/bundle.ts';
import { type DiffPorts, EFFECTS, type Effect, type Side } from '../policy/diff/change.ts';
import { diffFiles, type FileChange } from '../policy/diff/files.ts';
import { diffPolicies, type GroupedChange } from '../policy/diff/policies.ts';
import { type BundleFile, readBundleFiles } from '../policy/directory.ts';
import { ParsedFiles } from '../policy/documents.ts';
import { Problems } from '../policy/problem.ts';
import { hasProblems } from './bundle.ts';
import { jsonText } from './json.ts';

/** `tollgate diff OLD NEW [--json]`: what NEW changes for whom. Changes nothing. */
export function diffCommand(): Command {
  return new Command('diff')
    .description('what another bundle would change: who gains, who loses, which counters begin anew')
    .argument('<old>', 'directory of the bundle that is in force')
    .argument('<new>', 'directory of the bundle that is to be')
    .option('--json', 'print one JSON object instead of lines for people')
    .addHelpText(
      'after',
      `
Accounts to which the same happens stand in one line, with their number and the first five. Exit codes: 0 compared, whether
they differ or not; 1 one of them is not valid; 2 wrong usage.

Example:
  $ tollgate diff ./bundle ./next
  old: version 4a51d827134cb761
  new: version 2ef328efc1f02c89
  files
    finance   plans.yaml  changed
  lose
    account   limit \`monthly-spend\` lowered: 500.00 USD per month → 400.00 USD per month: acme`,
    )
    .action(async (old: string, next: string, options: { json?: boolean }) => {
      const [before, after] = [await read(old), await read(next)];
      const files = diffFiles(before.files, after.files);
      const changes = diffPolicies({ before, after }, DIFF_PORTS);
      const versions = { old: before.policy.version, new: after.policy.version };
      process.stdout.write(
        options.json === true ? jsonText({ ...versions, files, changes }) : lines(versions, { files, changes }),
      );
    });
}

/** What the comparison asks of other rooms. */
export const DIFF_PORTS: DiffPorts = {
  counterPrefix,
  mayUse: (policy, use) => {
    const account = policy.account(use.account);
    const route = policy.routes.get(use.route);
    if (account === undefined || route === undefined) return false;
    const question = { policy, account, credential: '', actor: undefined, route, classes: [use.class] };
    const model = use.model === undefined ? undefined : policy.models.byName.get(use.model);
    return !('reason' in clearanceOf(question, model, use.model));
  },
};

async function read(dir: string): Promise<Side & { readonly files: readonly BundleFile[] }> {
  const problems = new Problems();
  const files = await readBundleFiles(dir, problems);
  const { policy, parts } = await judgeFiles(dir, { files, parsed: new ParsedFiles() }, problems);
  if (policy === undefined || parts === undefined) throw hasProblems(dir);
  return { policy, parts, files };
}

const HEADS: Readonly<Record<Effect, string>> = {
  gain: 'gain',
  lose: 'lose',
  change: 'other changes',
  anew: 'counters that begin anew',
};

function lines(
  versions: { readonly old: string; readonly new: string },
  { files, changes }: { readonly files: readonly FileChange[]; readonly changes: readonly GroupedChange[] },
): string {
  const found = [`old: version ${versions.old}`, `new: version ${versions.new}`];
  if (files.length === 0) return `${[...found, 'no difference'].join('\n')}\n`;
  const width = Math.max(...files.map(({ file }) => file.length));
  found.push('files');
  for (const { owner, file, change } of files) found.push(`  ${owner.padEnd(9)} ${file.padEnd(width)}  ${change}`);
  for (const effect of EFFECTS) {
    const of = changes.filter((change) => change.effect === effect);
    if (of.length > 0) found.push(HEADS[effect], ...of.map(lineOf));
  }
  return `${found.join('\n')}\n`;
}

function lineOf({ about, text, count, examples }: GroupedChange): string {
  const left = count - examples.length;
  const names = `${examples.join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
  const whom = about === 'bundle' ? '' : count === 1 ? `: ${names}` : `: ${count}: ${names}`;
  return printable(`  ${about.padEnd(10)} ${text}${whom}`);
}
