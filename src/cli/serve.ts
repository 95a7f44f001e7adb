import { Command } from 'commander';
import { ended } from '../app/ending.ts';
import { startApp } from '../app.ts';
import { loadBundle } from '../policy/bundle.ts';
import { endpointText } from '../policy/endpoint.ts';
import type { Policy } from '../policy/policy.ts';
import { formatProblem } from '../policy/problem.ts';
import type { Settings } from '../policy/settings.ts';
import { createLog } from '../telemetry/log.ts';
import { hasProblems } from './bundle.ts';

/** `tollgate serve`: answers Envoy until SIGTERM, SIGINT or SIGHUP. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('answer Envoy: ext_authz and access log')
    .requiredOption('--config <dir>', 'directory of the policy bundle and tollgate.yaml')
    .addHelpText(
      'after',
      '\nExample:\n  tollgate serve --config ./bundle\n\nStops on SIGTERM, SIGINT or SIGHUP: says that it is not ready, answers for `drain` more (not after SIGINT), finishes what is\nunder way, takes the last entries of the access log, flushes the ledger, exit 0. A second signal flushes and ends at once. It reads the bundle at start only: restart it to enforce another one.',
    )
    .action(async ({ config }: { config: string }) => serve(config));
}

async function serve(dir: string): Promise<void> {
  const { policy, settings, problems, warnings, unserved } = await loadBundle(dir);
  if (policy === undefined || settings === undefined) {
    for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
    throw hasProblems(dir);
  }
  const log = createLog({ level: settings.log });
  for (const warning of warnings) log.warn({ code: 'bundle_warning' }, formatProblem(warning));
  for (const text of unserved) log.warn({ code: 'not_served_yet' }, text);
  for (const version of peppersMissing(policy, settings)) {
    const remedy = `\`tollgate keys pepper FILE\` makes one, \`peppers: { ${version}: FILE }\` in tollgate.yaml names it`;
    log.warn({ code: 'pepper_missing' }, `keys under pepper \`${version}\` are refused, for there is none: ${remedy}`);
  }
  const app = await startApp({ policy, settings, log });
  log.info(
    {
      code: 'serving',
      check: endpointText(app.check),
      access_log: endpointText(app.accessLog),
      ledger: app.ledgerId,
      policy_version: policy.version,
      price_version: policy.priceVersion,
      recovered_holds: app.recovered.holds,
      recovered_counters: app.recovered.counters,
    },
    'serving',
  );
  // SIGHUP too: there is nothing to reload yet, and by default it would end the process without a flush.
  await ended(app, { log, drainMs: settings.drainMs, signals: ['SIGTERM', 'SIGINT', 'SIGHUP'] });
}

/** Versions that keys were digested under and tollgate.yaml does not name: whoever holds such a key is nobody. */
function peppersMissing({ keys }: Policy, { peppers }: Settings): ReadonlySet<string> {
  const missing = [...keys.values()].filter(({ pepper, revoked }) => !revoked && !peppers.has(pepper));
  return new Set(missing.map(({ pepper }) => pepper));
}
