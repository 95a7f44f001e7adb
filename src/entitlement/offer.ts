import type { LadderStep, Model } from '../policy/policy.ts';
import {
  type Barred,
  barred,
  barredByAccess,
  barredByPlan,
  type ClearanceQuestion,
  unknownModel,
} from './clearance.ts';

/** One model that may be served, and the ladder's step out of it (undefined: the last one). */
export interface OfferedModel {
  readonly model: Model;
  readonly step: LadderStep | undefined;
}

/** What may be served to one caller: the requested model, then the cleared ones down its ladder. */
export interface Offer {
  readonly models: readonly OfferedModel[];
  /** Reasons that only observe: recorded, not enforced. */
  readonly observed: readonly string[];
}

/**
 * From what was asked to what may be served. The requested model itself must be cleared. A step to a model that is not
 * cleared goes on along the ladder to the next cleared one; if there is none the step is void.
 * Where the bundle or the plan says `observe`, a model that is not cleared passes and the reason is in `observed`.
 */
export function offer(question: ClearanceQuestion, said: string): Offer | Barred {
  const { policy, account, route } = question;
  const model = policy.models.asked(said);
  if (model === undefined) return { reason: 'model_unknown', message: unknownModel(said) };
  if (route.dialect !== undefined && !model.dialects.has(route.dialect)) {
    return { reason: 'model_unknown', message: `model \`${said}\` is not served on route \`${route.name}\`` };
  }
  const observed: string[] = [];
  const access = barredByAccess(question, model, said);
  if (access !== undefined) {
    if (policy.enforce === 'on' && route.enforce === 'on') return access;
    observed.push(access.reason);
  }
  const bought = barredByPlan(question, model);
  if (bought !== undefined) {
    if (policy.enforce === 'on' && route.enforce === 'on' && (account.plan?.enforce ?? 'on') === 'on') return bought;
    observed.push(bought.reason);
  }
  return { models: ladder(question, model), observed };
}

function ladder(question: ClearanceQuestion, requested: Model): OfferedModel[] {
  const steps = question.account.plan?.ladder;
  const offered: OfferedModel[] = [];
  let current: Model = requested;
  // The ladder is acyclic by lint; the bound keeps a wrong one from hanging a request.
  for (let rung = 0; rung < 16; rung += 1) {
    const step = steps?.get(current.name);
    const next = step === undefined ? undefined : nextCleared(question, step);
    offered.push({ model: current, step: next === undefined ? undefined : step });
    if (next === undefined) break;
    current = next;
  }
  return offered;
}

function nextCleared(question: ClearanceQuestion, from: LadderStep): Model | undefined {
  const { policy, account, route } = question;
  let step: LadderStep | undefined = from;
  for (let rung = 0; step !== undefined && rung < 16; rung += 1) {
    const model = policy.models.byName.get(step.use);
    if (model === undefined) return undefined;
    const served = route.dialect === undefined || model.dialects.has(route.dialect);
    if (served && barred(question, model, model.name) === undefined) return model;
    step = account.plan?.ladder.get(step.use);
  }
  return undefined;
}
