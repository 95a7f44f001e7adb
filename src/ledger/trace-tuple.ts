/** What a decision asked its limits, by places: part of a row (row.ts), whose rules hold here too. */
import type { Unit } from '../core/units.ts';
import type { TracedCandidate, TracedSpend } from './hold.ts';

export type Maybe<T> = T | null | undefined;
export type Wait = Maybe<number | 'never'>;
type TraceTuple = [
  string,
  string,
  Unit,
  number,
  number,
  number,
  number,
  Wait,
  Maybe<number>?,
  Maybe<number>?,
  Maybe<number>?,
];
export type CandidateTuple = [Maybe<string>, TraceTuple[], Maybe<number>?];

export function candidateTuple({ model, spends, outputUncapped }: TracedCandidate): CandidateTuple {
  const traced = spends.map(traceTuple);
  return outputUncapped === undefined ? [model, traced] : [model, traced, outputUncapped];
}

export function candidateOf([model, spends, outputUncapped]: CandidateTuple): TracedCandidate {
  const candidate = { model: model ?? undefined, spends: spends.map(traceOf) };
  return outputUncapped == null ? candidate : { ...candidate, outputUncapped };
}

/** The step's places are left out where there is none: most limits have none, and there is a row for every decision. */
function traceTuple(s: TracedSpend): TraceTuple {
  const marks = (s.fits ? 1 : 0) | (s.yielded ? 2 : 0) | (s.observe ? 4 : 0);
  const { limit, owner, unit, asked, used, ceiling, waitMs, spent, step } = s;
  if (step === undefined) return [limit, owner, unit, asked, used, ceiling, marks, waitMs, spent];
  return [limit, owner, unit, asked, used, ceiling, marks, waitMs, spent, step.percent, step.spentMax];
}

function traceOf(tuple: TraceTuple): TracedSpend {
  const [limit, owner, unit, asked, used, ceiling, marks, waitMs, spent, percent, spentMax] = tuple;
  return {
    limit,
    owner,
    unit,
    asked,
    used,
    ceiling,
    fits: (marks & 1) !== 0,
    yielded: (marks & 2) !== 0,
    observe: (marks & 4) !== 0,
    waitMs: waitMs ?? undefined,
    spent: spent ?? undefined,
    ...(percent == null || spentMax == null ? undefined : { step: { percent, spentMax } }),
  };
}
