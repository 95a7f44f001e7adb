import { parseApiKey } from '../identity/api-key.ts';
import type { HeaderView } from '../identity/principal.ts';
import type { Policy } from '../policy/policy.ts';
import type { Fault } from './denial.ts';

/** What the caller may say about its own call, by `tollgate-*` headers. */
export interface Claims {
  /** Class to add to the bound one. */
  readonly class: string | undefined;
  readonly run: string | undefined;
  /** `tollgate-downgrade: refuse`: no step down is taken. */
  readonly refuseDowngrade: boolean;
}

const NO_CLAIMS: Claims = Object.freeze({ class: undefined, run: undefined, refuseDowngrade: false });
const RUN = /^[A-Za-z0-9._:-]{1,128}$/;

/** Reads the claims, each at most once. What they say is not yet weighed against the credential: see `classesOf`. */
export function claimsOf(headers: HeaderView, policy: Policy): Claims | Fault {
  const claimed = headers.get('tollgate-class');
  const run = headers.get('tollgate-run');
  const downgrade = headers.get('tollgate-downgrade');
  if (claimed.length === 0 && run.length === 0 && downgrade.length === 0) return NO_CLAIMS;
  if (claimed.length > 1 || (claimed.length === 1 && !policy.classes.includes(claimed[0]!))) {
    const classes = policy.classes.map((name) => `\`${name}\``).join(', ');
    return { reason: 'header_invalid', message: `\`tollgate-class\` must be one of ${classes}` };
  }
  if (run.length > 1 || (run.length === 1 && !RUN.test(run[0]!))) {
    return { reason: 'header_invalid', message: '`tollgate-run` must be 1 to 128 characters of `A-Za-z0-9._:-`' };
  }
  // Runs stand in rows, reports and events.
  if (run.length === 1 && parseApiKey(run[0]!) !== undefined) {
    return { reason: 'header_invalid', message: '`tollgate-run` must not be an API key' };
  }
  if (downgrade.length > 1 || (downgrade.length === 1 && downgrade[0] !== 'refuse')) {
    return { reason: 'header_invalid', message: '`tollgate-downgrade` must be `refuse`' };
  }
  return { class: claimed[0], run: run[0], refuseDowngrade: downgrade.length === 1 };
}

/** The classes that hold for a call, bound one first. A claim may only add a class further right in the policy's order. */
export function classesOf(
  { bound, claimed }: { readonly bound: string; readonly claimed: string | undefined },
  policy: Policy,
): readonly string[] | Fault {
  if (claimed === undefined || claimed === bound) return [bound];
  if (policy.classes.indexOf(claimed) < policy.classes.indexOf(bound)) {
    return {
      reason: 'header_invalid',
      message: `\`tollgate-class: ${claimed}\` is freer than \`${bound}\`, which this credential is bound to`,
    };
  }
  return [bound, claimed];
}
