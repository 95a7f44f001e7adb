import { Command } from 'commander';
import { Ending } from '../app/ending.ts';
import type { FirstBundle } from '../app/policy-in-force.ts';
import { startApp } from '../app.ts';
import { type LoadedBundle, loadBundle } from '../policy/bundle.ts';
import { endpointText } from '../policy/endpoint.ts';
import type { Policy } from '../policy/policy.ts';
import { formatProblem } from '../policy/problem.ts';
import { fingerprintOf } from '../policy/reload/fingerprint.ts';
import type { Settings } from '../policy/settings.ts';
import { createLog } from '../telemetry/log.ts';
import { hasProblems } from './bundle.ts';

/** `tollgate serve`: answers Envoy until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('answer Envoy: ext_authz and access log')
    .requiredOption('--config <dir>', 'directory of the policy bundle and tollgate.yaml')
    .option(
      '--observe <dir>',
      'directory of a bundle that decides too and never answers; `report --would-refuse` tells of it',
    )
    .option('--take-over', 'wait up to 30 s for the ledger of the process that this one replaces')
    .addHelpText(
      'after',
      '\nExample:\n  tollgate serve --config ./bundle\n\nStops on SIGTERM or SIGINT: says that it is not ready, answers for `drain` more (not after SIGINT), finishes what is\nunder way, takes the last entries of the access log, flushes the ledger, exit 0. A second signal flushes and ends at once.\n\nA bundle that changes is in force within 6 s, or at once on SIGHUP; one that is not valid is refused and the last good one\nstays. Without a valid one at the start every call is refused until there is one.\n\nWith `--observe DIR` each call is decided once more by the bundle in DIR, after it was answered, with counters of its own.',
    )
    .action(serve);
}

interface ServeOptions {
  readonly config: string;
  readonly observe?: string;
  readonly takeOver?: boolean;
}

async function serve({ config: dir, observe, takeOver }: ServeOptions): Promise<void> {
  const { first, loaded } = await firstBundle(dir);
  const { policy, settings, problems, warnings, unserved } = loaded;
  if (settings === undefined) {
    for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
    throw hasProblems(dir);
  }
  const log = createLog({ level: settings.log });
  const ending = new Ending(log);
  for (const warning of warnings) log.warn({ code: 'bundle_warning' }, formatProblem(warning));
  for (const text of unserved) log.warn({ code: 'not_served_yet' }, text);
  for (const pepper of policy === undefined ? [] : peppersMissing(policy, settings)) {
    const remedy = `\`tollgate keys pepper FILE\` makes one, \`peppers: { ${pepper}: FILE }\` in tollgate.yaml names it`;
    log.warn({ code: 'pepper_missing' }, `keys under pepper \`${pepper}\` are refused, for there is none: ${remedy}`);
  }
  const observed = observe === undefined ? undefined : (await firstBundle(observe)).first;
  const app = await startApp({ first, settings, log, observe: observed, takesOver: takeOver ?? false });
  process.on('SIGHUP', () => void app.policy.reload('SIGHUP'));
  log.info(
    {
      code: 'serving',
      check: endpointText(app.check),
      access_log: endpointText(app.accessLog),
      admin: app.admin === undefined ? 'off' : endpointText(app.admin),
      ledger: app.ledgerId,
      policy_version: policy?.version,
      price_version: policy?.priceVersion,
      observed_version: observed?.version,
      recovered_holds: app.recovered.holds,
      recovered_counters: app.recovered.counters,
    },
    'serving',
  );
  await ending.of(app, { drainMs: settings.drainMs });
}

async function firstBundle(dir: string): Promise<{ readonly first: FirstBundle; readonly loaded: LoadedBundle }> {
  // Before it is read: what changes meanwhile is seen as a change.
  const { text: print } = await fingerprintOf(dir);
  const loaded = await loadBundle(dir);
  const { policy, problems, version } = loaded;
  return { first: { dir, print, policy, problems: problems.map(formatProblem), version }, loaded };
}

/** Versions that keys were digested under and tollgate.yaml does not name: whoever holds such a key is nobody. */
function peppersMissing({ keys }: Policy, { peppers }: Settings): ReadonlySet<string> {
  const missing = [...keys.values()].filter(({ pepper, revoked }) => !revoked && !peppers.has(pepper));
  return new Set(missing.map(({ pepper }) => pepper));
}
