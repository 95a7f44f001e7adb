import { LRUCache } from 'lru-cache';
import type { Barred } from '../entitlement/clearance.ts';
import { barred } from '../entitlement/clearance.ts';
import { type Offer, offer } from '../entitlement/offer.ts';
import type { Principal } from '../identity/principal.ts';
import type { AccountPolicy, BoundLimit, LadderStep, Limit, Model, Policy, Route } from '../policy/policy.ts';

/** A limit that is asked for one candidate; `percent`: the ladder's step out of the candidate names it. */
export interface TemplateLine {
  readonly bound: BoundLimit;
  readonly percent: number | undefined;
}

/** One model that may be served, with the limits it must fit. `model` is undefined on unmetered routes. */
export interface TemplateCandidate {
  readonly model: Model | undefined;
  readonly lines: readonly TemplateLine[];
}

/** All that policy says before amounts and time come in; the same for every like request, hence remembered. */
export interface Template {
  readonly account: AccountPolicy;
  readonly candidates: readonly TemplateCandidate[];
  readonly observed: readonly string[];
}

export interface TemplateQuestion {
  readonly policy: Policy;
  readonly account: AccountPolicy;
  readonly principal: Principal;
  readonly route: Route;
  readonly classes: readonly string[];
  /** The model as the caller named it; undefined on unmetered routes. */
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
  const { policy, account, principal, route, classes, said } = question;
  const asked = { policy, account, credential: principal.credential, actor: principal.actor, route, classes };
  if (said === undefined) {
    const bar = barred(asked, undefined, undefined);
    if (bar !== undefined) return bar;
    return { account, candidates: [{ model: undefined, lines: lines(question, undefined, undefined) }], observed: [] };
  }
  const offered = offer(asked, said);
  if (!('models' in offered)) return offered;
  return { account, candidates: candidates(question, offered), observed: offered.observed };
}

function candidates(question: TemplateQuestion, offered: Offer): TemplateCandidate[] {
  // With `tollgate-downgrade: refuse` the step still yields, so that the refusal is that of the limit that asked for it.
  const models = question.refuseDowngrade ? offered.models.slice(0, 1) : offered.models;
  return models.map(({ model, step }) => ({ model, lines: lines(question, model, step) }));
}

function lines(question: TemplateQuestion, model: Model | undefined, step: LadderStep | undefined): TemplateLine[] {
  return question.account.limits
    .filter(({ limit }) => holds(limit, question, model))
    .map((bound) => ({ bound, percent: step?.when.find(({ limit }) => limit === bound.limit.name)?.percent }));
}

/** Whether a limit is asked: `off` never, models, routes and classes where it names them; unmetered routes know requests only. */
function holds(limit: Limit, { route, classes, policy }: TemplateQuestion, model: Model | undefined): boolean {
  if (limit.enforce === 'off' || policy.enforce === 'off' || route.enforce === 'off') return false;
  if (limit.routes !== undefined && !limit.routes.has(route.name)) return false;
  if (limit.classes !== undefined && !classes.some((name) => limit.classes?.has(name))) return false;
  if (model === undefined) return limit.unit === 'requests' && limit.models === undefined;
  return limit.models === undefined || limit.models.has(model.name);
}
