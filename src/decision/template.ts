import { LRUCache } from 'lru-cache';
import type { Enforce } from '../core/units.ts';
import { type Barred, clearanceOf, unknownModel } from '../entitlement/clearance.ts';
import { type OfferedModel, offer } from '../entitlement/offer.ts';
import type { Principal } from '../identity/principal.ts';
import type { AccountPolicy, BoundLimit, Limit, Model, Policy, Route } from '../policy/policy.ts';

/** A limit that is asked for one candidate. */
export interface TemplateLine {
  readonly bound: BoundLimit;
  /** The ladder's step out of the candidate names the limit, at this percent. */
  readonly percent: number | undefined;
  /** Charged, but never blocks. */
  readonly observe: boolean;
}

/** One model that may be served, with the limits it must fit. `model` is undefined on unmetered routes. */
export interface TemplateCandidate {
  readonly model: Model | undefined;
  /** What limits of models count: `model`, or the one that the path of an unmetered route names. */
  readonly counted: Model | undefined;
  readonly lines: readonly TemplateLine[];
  /** What would have barred it were it enforced: see entitlement's `Cleared`. */
  readonly observed: readonly string[];
}

/** All that policy says before amounts and time come in; the same for every like request, hence remembered. */
export interface Template {
  readonly candidates: readonly TemplateCandidate[];
}

export interface TemplateQuestion {
  readonly policy: Policy;
  readonly account: AccountPolicy;
  readonly principal: Principal;
  readonly route: Route;
  readonly classes: readonly string[];
  /** The model as the caller named it; undefined on unmetered routes whose path names none. */
  readonly said: string | undefined;
  readonly refuseDowngrade: boolean;
}

/** Templates remembered per policy version. Least recently used go first. */
const REMEMBERED_MAX = 20_000;
const remembered = new WeakMap<Policy, LRUCache<string, Template | Barred>>();

/** The template of a question, made once and remembered. Pure but for that memory. */
export function template(question: TemplateQuestion): Template | Barred {
  let known = remembered.get(question.policy);
  if (known === undefined) {
    known = new LRUCache({ max: REMEMBERED_MAX });
    remembered.set(question.policy, known);
  }
  const { principal, route, classes, said, refuseDowngrade } = question;
  // Parts cannot contain a newline: accounts, ids, classes and models have closed alphabets, actors are checked where they are bound.
  const key = `${principal.account}\n${principal.credential}\n${principal.actor ?? ''}\n${route.name}\n${classes.join('+')}\n${said ?? ''}\n${refuseDowngrade}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make(question);
  known.set(key, made);
  return made;
}

function make(question: TemplateQuestion): Template | Barred {
  const { policy, principal, route, said, refuseDowngrade } = question;
  const asked = { ...question, credential: principal.credential, actor: principal.actor };
  if (said === undefined || !route.metered) {
    const named = said === undefined ? undefined : policy.models.asked(said);
    if (said !== undefined && named === undefined) return { reason: 'model_unknown', message: unknownModel(said) };
    const clearance = clearanceOf(asked, named, said);
    if ('reason' in clearance) return clearance;
    return {
      candidates: [{ ...candidateOf(question, { model: named, step: undefined, ...clearance }), model: undefined }],
    };
  }
  const offered = offer(asked, said);
  if ('reason' in offered) return offered;
  // With `tollgate-downgrade: refuse` the step still yields, so that the refusal is that of the limit that asked for it.
  const models = refuseDowngrade ? offered.models.slice(0, 1) : offered.models;
  return { candidates: models.map((model) => candidateOf(question, model)) };
}

/** An offered model; on an unmetered route the one that its path names, if it does. */
type Offered = Omit<OfferedModel, 'model'> & { readonly model: Model | undefined };

function candidateOf(question: TemplateQuestion, { model, step, observed }: Offered): TemplateCandidate {
  const lines: TemplateLine[] = [];
  for (const bound of question.account.limits) {
    const { limit } = bound;
    if (!isAsked(limit, question, model)) continue;
    const percent = step?.when.find((condition) => condition.limit === limit.name)?.percent;
    lines.push({ bound, percent, observe: enforceOn(limit, question.route) === 'observe' });
  }
  return { model, counted: model, lines, observed };
}

/** Of routes, models and classes where it names them; on unmetered routes only what counts requests. */
function isAsked(limit: Limit, { route, classes }: TemplateQuestion, model: Model | undefined): boolean {
  if (enforceOn(limit, route) === 'off') return false;
  if (limit.routes !== undefined && !limit.routes.has(route.name)) return false;
  if (limit.classes !== undefined && !classes.some((name) => limit.classes?.has(name))) return false;
  if (!route.metered && limit.unit !== 'requests') return false;
  return limit.models === undefined || (model !== undefined && limit.models.has(model.name));
}

/** A route's own word weakens the limits of the file it stands in, traffic.yaml, and no other's. */
function enforceOn(limit: Limit, route: Route): Enforce {
  if (!limit.ofTraffic || route.enforce === 'on' || limit.enforce === 'off') return limit.enforce;
  return route.enforce;
}
