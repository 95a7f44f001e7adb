import { Command } from 'commander';
import { type LoadedBundle, loadBundle } from '../policy/bundle.ts';
import { byPlace, formatProblem } from '../policy/problem.ts';
import { jsonText } from './json.ts';

/** `tollgate check DIR [--json]`: judges a bundle, changes nothing. Exit code 0 valid (warnings allowed), 1 invalid. */
export function checkCommand(): Command {
  return new Command('check')
    .description('judge a policy bundle and its tollgate.yaml')
    .argument('<dir>', 'directory of the bundle')
    .option('--json', 'print one JSON object instead of lines for people')
    .addHelpText(
      'after',
      `
Each problem is one line, \`file:line:column: error|warning rule: text [controls]\`.
Exit codes: 0 valid (warnings allowed), 1 invalid, 2 wrong usage.

Example:
  $ tollgate check ./bundle
  plans.yaml:12:31: error name-unknown: \`plans.growth.prices\`: expected a price list of plans.yaml, found \`standrad\`; did you mean \`standard\`? [PR.PS-01]
  1 error, 0 warnings`,
    )
    .action(async (dir: string, options: { json?: boolean }) => {
      const loaded = await loadBundle(dir);
      const valid = loaded.policy !== undefined && loaded.settings !== undefined;
      process.stdout.write(options.json === true ? asJson(loaded, valid) : asLines(loaded, valid));
      process.exitCode = valid ? 0 : 1;
    });
}

function asLines({ problems, warnings, dropped, version, policy }: LoadedBundle, valid: boolean): string {
  const lines = [...problems, ...warnings].toSorted(byPlace).map(formatProblem);
  if (dropped > 0) lines.push(`and ${dropped} more`);
  lines.push(`${count(problems.length, 'error')}, ${count(warnings.length, 'warning')}`);
  if (valid && policy !== undefined) lines.push(`valid: version ${version}`);
  return `${lines.join('\n')}\n`;
}

function asJson({ problems, warnings, dropped, unserved, version }: LoadedBundle, valid: boolean): string {
  return jsonText({ valid, version, problems, warnings, dropped, unserved });
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
