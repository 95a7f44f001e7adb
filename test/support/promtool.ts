import { execFileSync } from 'node:child_process';
import type { EnvoyNeed } from './envoy.ts';

/** Prometheus' own checker: in PATH, or where PROMTOOL says; Debian's package `prometheus` has it. */
export const PROMTOOL = process.env['PROMTOOL'] ?? 'promtool';

/** Whether promtool can be run here. A missing one is a loud skip at a desk, and an error where CI=true. */
export function needPromtool(): EnvoyNeed {
  try {
    execFileSync(PROMTOOL, ['--version'], { stdio: 'ignore' });
    return { skip: false };
  } catch (error) {
    const why = `\`${PROMTOOL}\` cannot be run (Debian's package \`prometheus\` has it)`;
    if (process.env['CI'] === 'true') throw new Error(why, { cause: error });
    process.stderr.write(`SKIPPED, NOT PROVEN: rules by promtool: ${why}\n`);
    return { skip: why };
  }
}
