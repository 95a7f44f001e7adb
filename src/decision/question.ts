import type { Hold } from '../ledger/hold.ts';
import type { Ask } from '../limits/store.ts';
import type { Model } from '../policy/policy.ts';
import type { TemplateLine } from './template.ts';

/** One candidate of a question, beside its spends: `lines[i]` is the limit that `ask.candidates[c][i]` spends. */
export interface QuestionCandidate {
  readonly model: Model | undefined;
  readonly estimate: Hold['estimate'];
  readonly lines: readonly TemplateLine[];
  /** What would have barred it were it enforced: see entitlement's `Cleared`. */
  readonly observed: readonly string[];
}

/** What plan asks of the limit store, with what conclude needs to read the answer. */
export interface Question {
  readonly ask: Ask;
  readonly candidates: readonly QuestionCandidate[];
}
