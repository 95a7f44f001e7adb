import { Command } from 'commander';
import { commandAudit, operator } from '../app/audit.ts';
import type { Audit } from '../core/audit.ts';
import { systemClock } from '../core/clock.ts';
import { TollgateError } from '../core/errors.ts';
import { revokeKeyOf } from '../identity/key-registry.ts';
import { loadSettings } from '../policy/bundle.ts';

/** `tollgate keys revoke ID`: marks the entry, which stays, so that its id means one key for good. */
export function revokeCommand(): Command {
  return new Command('revoke')
    .description('mark a key as revoked; `tollgate serve` refuses it within 6 s')
    .argument('<id>', 'public id, the third part of tg_<environment>_<id>_…')
    .requiredOption('--config <dir>', 'directory of the policy bundle')
    .addHelpText(
      'after',
      '\nWorks even where other files of the bundle have problems.\n\nExample:\n  tollgate keys revoke k7f3q2abcdef --config ./bundle',
    )
    .action(revoke);
}

async function revoke(id: string, { config }: { config: string }): Promise<void> {
  const { settings } = await loadSettings(config);
  const unrecorded = (): void => {
    process.stderr.write('the audit has no record of it: its file cannot be written, or tollgate.yaml has problems\n');
  };
  const outcome = await revokeKeyOf(
    id,
    {
      dir: config,
      audit: settings === undefined ? NO_AUDIT : commandAudit(settings.audit.path, systemClock),
      actor: operator(),
      policyVersion: undefined,
    },
    unrecorded,
  );
  process.stderr.write(
    outcome === 'already'
      ? `key ${id} was revoked before\n`
      : `key ${id} is revoked; a \`tollgate serve\` that reads this directory refuses it within 6 s\n`,
  );
}

/** Without settings nobody knows where the audit is. */
const NO_AUDIT: Audit = {
  append: () => Promise.reject(new TollgateError('audit_unavailable', 'tollgate.yaml does not say where the audit is')),
};
