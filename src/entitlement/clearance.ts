import type { Reason } from '../core/reasons.ts';
import type { AccountPolicy, Entitlement, Model, Policy, Route } from '../policy/policy.ts';

/** What is asked of access.yaml and the plan: may this caller use this model on this route in these classes? */
export interface ClearanceQuestion {
  readonly policy: Policy;
  readonly account: AccountPolicy;
  readonly credential: string;
  readonly actor: string | undefined;
  readonly route: Route;
  /** Bound class first, then a claimed one; each must be entitled. */
  readonly classes: readonly string[];
}

/** A refusal with words for the caller. */
export interface Barred {
  readonly reason: Reason;
  readonly message: string;
}

/** The caller may. `observed`: what would have barred it were it enforced: names of rules, reasons where bundle or plan observe. */
export interface Cleared {
  readonly observed: readonly string[];
}

type Blocked = 'account' | 'credential' | 'actor' | 'model';

const CLEARED: Cleared = Object.freeze({ observed: Object.freeze([]) });

/**
 * Judges one model (undefined on a route without a model): access.yaml, then the provider's dialects, then the plan.
 * `said` is the name the caller used; deny rules match it too. The bundle's `enforce` weakens access.yaml and plan, the
 * plan's its own entitlements; what is blocked stays blocked, because that is how a leaked credential is stopped.
 */
export function clearanceOf(
  question: ClearanceQuestion,
  model: Model | undefined,
  said: string | undefined,
): Barred | Cleared {
  const { policy, account, credential, actor, route } = question;
  const answer = policy.access.judge({ account: account.path, credential, actor, route: route.name, model, said });
  if (answer.outcome === 'blocked') return blocked(answer.what, said);
  const isOff = policy.enforce === 'off';
  const access = isOff ? undefined : barredByAccess(answer, { route, said });
  if (access !== undefined && policy.enforce === 'on') return access;
  // After access.yaml, so that a model of another route is no way to find out which names are hidden.
  if (model !== undefined && route.dialect !== undefined && !model.dialects.has(route.dialect)) {
    return { reason: 'model_unknown', message: `model \`${said}\` is not served on route \`${route.name}\`` };
  }
  const bought = isOff || !route.metered ? undefined : barredByPlan(question, model);
  const isPlanEnforced = policy.enforce === 'on' && (account.plan?.enforce ?? 'on') === 'on';
  if (bought !== undefined && isPlanEnforced) return bought;
  const watched = !isOff && answer.outcome === 'allowed' ? answer.observed?.rule : undefined;
  if (watched === undefined && access === undefined && bought === undefined) return CLEARED;
  return { observed: [watched, access?.reason, bought?.reason].filter((name) => name !== undefined) };
}

/** One text for a model that does not exist and for one that must not be seen. */
export function unknownModel(said: string): string {
  return `model \`${said}\` does not exist or is not open to this account`;
}

function blocked(what: Blocked, said: string | undefined): Barred {
  switch (what) {
    case 'account':
      return { reason: 'account_blocked', message: 'this account is blocked' };
    case 'credential':
      return { reason: 'credential_blocked', message: 'the credential is not valid' };
    case 'actor':
      return { reason: 'access_denied', message: 'this actor is blocked' };
    case 'model':
      return { reason: 'model_denied', message: `model \`${said}\` is blocked` };
  }
}

/** What the rules say. A model that no allow rule shows does not exist for the caller; a deny is said openly. */
function barredByAccess(
  answer: ReturnType<Policy['access']['judge']>,
  { route, said }: { readonly route: Route; readonly said: string | undefined },
): Barred | undefined {
  if (answer.outcome === 'denied') {
    const why = answer.reason === undefined ? '' : `: ${answer.reason}`;
    return said === undefined
      ? { reason: 'access_denied', message: `route \`${route.name}\` is denied to this account${why}` }
      : { reason: 'model_denied', message: `model \`${said}\` is denied to this account${why}` };
  }
  if (answer.outcome !== 'unlisted') return undefined;
  return said === undefined
    ? { reason: 'access_denied', message: `route \`${route.name}\` is not open to this account` }
    : { reason: 'model_hidden', message: unknownModel(said) };
}

/** What the plan says. Each class must be covered by an entitlement of its own or of all. */
function barredByPlan({ account, route, classes }: ClearanceQuestion, model: Model | undefined): Barred | undefined {
  const { plan } = account;
  if (plan === undefined) return { reason: 'plan_missing', message: `account \`${account.path}\` has no plan` };
  if (plan.enforce === 'off') return undefined;
  const lacks = `plan \`${plan.name}\` does not include`;
  const onRoute = plan.entitlements.filter(({ routes }) => routes.has(route.name));
  if (onRoute.length === 0) return { reason: 'route_not_entitled', message: `${lacks} route \`${route.name}\`` };
  const withModel = model === undefined ? onRoute : onRoute.filter(({ models }) => models.has(model.name));
  if (withModel.length === 0) return { reason: 'model_not_entitled', message: `${lacks} model \`${model?.name}\`` };
  const missing = classes.find((name) => !covers(withModel, name));
  if (missing === undefined) return undefined;
  const onModel = model === undefined ? '' : ` for model \`${model.name}\``;
  return { reason: 'class_not_entitled', message: `${lacks} class \`${missing}\`${onModel}` };
}

function covers(entitlements: readonly Entitlement[], name: string): boolean {
  return entitlements.some(({ classes }) => classes.has(name));
}
