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

/** A refusal with words for the caller. `observed`: the rule or plan that said it only observes. */
export interface Barred {
  readonly reason: Reason;
  readonly message: string;
}

/**
 * Judges one model (undefined on a route without a model): access.yaml first, then the plan. Undefined: it is cleared.
 * `said` is the name the caller used; deny rules match it too.
 */
export function barred(
  question: ClearanceQuestion,
  model: Model | undefined,
  said: string | undefined,
): Barred | undefined {
  return barredByAccess(question, model, said) ?? (question.route.metered ? barredByPlan(question, model) : undefined);
}

/** What access.yaml says. A model that no allow rule shows does not exist for the caller; a deny is said openly. */
export function barredByAccess(
  { policy, account, credential, actor, route }: ClearanceQuestion,
  model: Model | undefined,
  said: string | undefined,
): Barred | undefined {
  const answer = policy.access.judge({ account: account.path, credential, actor, route: route.name, model, said });
  switch (answer.outcome) {
    case 'allowed':
      return undefined;
    case 'blocked':
      return blocked(answer.what, said);
    case 'denied': {
      const why = answer.reason === undefined ? '' : `: ${answer.reason}`;
      return model === undefined
        ? { reason: 'access_denied', message: `route \`${route.name}\` is denied to this account${why}` }
        : { reason: 'model_denied', message: `model \`${said}\` is denied to this account${why}` };
    }
    case 'unlisted':
      return model === undefined
        ? { reason: 'access_denied', message: `route \`${route.name}\` is not open to this account` }
        : { reason: 'model_hidden', message: unknownModel(said) };
  }
}

/** One text for a model that does not exist and for one that must not be seen. */
export function unknownModel(said: string | undefined): string {
  return `model \`${said ?? ''}\` does not exist or is not open to this account`;
}

function blocked(what: 'account' | 'credential' | 'actor' | 'model', said: string | undefined): Barred {
  switch (what) {
    case 'account':
      return { reason: 'account_blocked', message: 'this account is blocked' };
    case 'credential':
      return { reason: 'credential_blocked', message: 'the credential is not valid' };
    case 'actor':
      return { reason: 'access_denied', message: 'this actor is blocked' };
    case 'model':
      return { reason: 'model_denied', message: `model \`${said ?? ''}\` is blocked` };
  }
}

/** What the plan says. Each class must be covered by an entitlement of its own or of all. */
export function barredByPlan(
  { account, route, classes }: ClearanceQuestion,
  model: Model | undefined,
): Barred | undefined {
  const plan = account.plan;
  if (plan === undefined) {
    return { reason: 'plan_missing', message: `account \`${account.path}\` has no plan` };
  }
  if (plan.enforce === 'off') return undefined;
  const onRoute = plan.entitlements.filter((entitlement) => entitlement.routes.has(route.name));
  if (onRoute.length === 0) {
    return { reason: 'route_not_entitled', message: `plan \`${plan.name}\` does not include route \`${route.name}\`` };
  }
  const withModel = model === undefined ? onRoute : onRoute.filter((entitlement) => entitlement.models.has(model.name));
  if (withModel.length === 0) {
    return { reason: 'model_not_entitled', message: `plan \`${plan.name}\` does not include model \`${model?.name}\`` };
  }
  const missing = classes.find((name) => !covers(withModel, name));
  if (missing === undefined) return undefined;
  return {
    reason: 'class_not_entitled',
    message: `plan \`${plan.name}\` does not include class \`${missing}\`${model === undefined ? '' : ` for model \`${model.name}\``}`,
  };
}

function covers(entitlements: readonly Entitlement[], name: string): boolean {
  return entitlements.some((entitlement) => entitlement.classes.has(name));
}
