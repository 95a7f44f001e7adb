/** The bundle that a command is given, and what it says of one that it cannot use. */
import { type ErrorCode, TollgateError } from '../core/errors.ts';
import { loadBundle, loadSettings } from '../policy/bundle.ts';
import type { Policy } from '../policy/policy.ts';
import type { Settings } from '../policy/settings.ts';

/** The policy of a bundle. Throws `bundle_invalid` where there is an error in it. */
export async function policyOf(dir: string): Promise<Policy> {
  const { policy } = await loadBundle(dir);
  if (policy === undefined) throw hasProblems(dir);
  return policy;
}

/**
 * The file that a command reads: what `option` (like `--ledger`) gives, or what tollgate.yaml of `config` names. Throws
 * `usage` where not exactly one of them is given, `settings_invalid` where tollgate.yaml cannot be used.
 */
export async function fileOf(
  {
    given,
    config,
    option,
  }: { readonly given: string | undefined; readonly config: string | undefined; readonly option: string },
  named: (settings: Settings) => string,
): Promise<string> {
  if (given !== undefined && config === undefined) return given;
  if (given !== undefined || config === undefined) {
    throw new TollgateError('usage', `exactly one of \`${option} FILE\` and \`--config DIR\` is needed`);
  }
  // The settings stand for themselves: a bundle with problems elsewhere still says where its files are.
  const { settings } = await loadSettings(config);
  if (settings === undefined) throw hasProblems(config, 'settings_invalid');
  return named(settings);
}

export function hasProblems(
  dir: string,
  code: Extract<ErrorCode, 'bundle_invalid' | 'settings_invalid'> = 'bundle_invalid',
): TollgateError {
  return new TollgateError(code, `bundle \`${dir}\` has problems; \`tollgate check ${dir}\` shows them`);
}
