import type { LadderStep, Model } from '../policy/policy.ts';
import { type Barred, type ClearanceQuestion, clearanceOf, unknownModel } from './clearance.ts';

/** One model that may be served. */
export interface OfferedModel {
  readonly model: Model;
  /** The ladder's step out of it; undefined: it is the last one. */
  readonly step: LadderStep | undefined;
  /** What would have barred it, or the requested one, were it enforced: see `Cleared`. */
  readonly observed: readonly string[];
}

type Rung = Omit<OfferedModel, 'step'>;

/** What may be served to one caller: the requested model, then the cleared ones down its ladder. */
export interface Offer {
  readonly models: readonly OfferedModel[];
}

/**
 * From what was asked to what may be served. The requested model itself must be cleared. A step to a model that is not
 * cleared goes on along the ladder to the next cleared one; if there is none the step is void.
 */
export function offer(question: ClearanceQuestion, said: string): Offer | Barred {
  const model = question.policy.models.asked(said);
  if (model === undefined) return { reason: 'model_unknown', message: unknownModel(said) };
  const clearance = clearanceOf(question, model, said);
  if ('reason' in clearance) return clearance;
  const requested = { model, observed: clearance.observed };
  const rungs = [requested, ...below(question, requested)];
  const steps = question.account.plan?.ladder;
  return {
    models: rungs.map((rung, index) => ({
      ...rung,
      step: index === rungs.length - 1 ? undefined : steps?.get(rung.model.name),
    })),
  };
}

/** The cleared models down the ladder. It is acyclic by lint; no model twice keeps a wrong one from hanging a request. */
function below(question: ClearanceQuestion, { model, observed }: Rung): Rung[] {
  const { policy, account } = question;
  const rungs: Rung[] = [];
  const seen = new Set([model.name]);
  let step = account.plan?.ladder.get(model.name);
  while (step !== undefined && !seen.has(step.use)) {
    seen.add(step.use);
    const next = policy.models.byName.get(step.use);
    const clearance = next === undefined ? undefined : clearanceOf(question, next, next.name);
    if (next !== undefined && clearance !== undefined && !('reason' in clearance)) {
      rungs.push({ model: next, observed: [...new Set([...observed, ...clearance.observed])] });
    }
    step = account.plan?.ladder.get(step.use);
  }
  return rungs;
}
