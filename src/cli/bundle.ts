/** The bundle that a command is given, and what it says of one that it cannot use. */
import { type ErrorCode, TollgateError } from '../core/errors.ts';
import { loadBundle } from '../policy/bundle.ts';
import type { Policy } from '../policy/policy.ts';

/** The policy of a bundle. Throws `bundle_invalid` where there is an error in it. */
export async function policyOf(dir: string): Promise<Policy> {
  const { policy } = await loadBundle(dir);
  if (policy === undefined) throw hasProblems(dir);
  return policy;
}

export function hasProblems(
  dir: string,
  code: Extract<ErrorCode, 'bundle_invalid' | 'settings_invalid'> = 'bundle_invalid',
): TollgateError {
  return new TollgateError(code, `bundle \`${dir}\` has problems; \`tollgate check ${dir}\` shows them`);
}
