import type { BodyFacts } from '../dialects/dialect.ts';
import type { Model } from '../policy/policy.ts';

/** Tokens that a request may use of one candidate; whole, rounded up. */
export interface TokenEstimate {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The output where a limit says `estimate: assumed`; the same as `outputTokens` where the body gives a cap. */
  readonly outputAssumed: number;
}

/**
 * Output = choices × (cap given: min(cap, `output_max`); none: `output_max`, or `output_assumed` where a limit says so).
 * design/README.md section 4.
 */
export function estimateTokens(facts: BodyFacts, model: Model): TokenEstimate {
  const { choices, outputCap } = facts;
  const most = outputCap === undefined ? model.outputMax : Math.min(outputCap, model.outputMax);
  const assumed = outputCap === undefined ? model.outputAssumed : most;
  return {
    inputTokens: facts.inputTokens,
    outputTokens: choices * most,
    outputAssumed: choices * assumed,
  };
}
