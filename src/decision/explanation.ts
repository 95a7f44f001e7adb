/** One decision taken apart, for `tollgate explain` and the admin port. */

import type { DecisionFacts, Hold, TracedCandidate } from '../ledger/hold.ts';
import type { BookedDecision, BookedEnd, BookedLine } from '../ledger/reader.ts';
import type { PriceTables } from '../policy/policy.ts';
import type { DryAnswer } from './dry.ts';

/** One decision, taken apart. Money in smallest units of `currency`. */
export interface Explanation {
  readonly outcome: 'allow' | 'deny';
  /** Nothing was reserved: it says what would happen. */
  readonly dry: boolean;
  /** One sentence: what was decided and why. */
  readonly why: string;
  readonly reason: string;
  /** Undefined for a caller that was not let in. */
  readonly facts: DecisionFacts | undefined;
  readonly estimate: Hold['estimate'] | undefined;
  readonly model: string | undefined;
  /** Calls that this refusal stands for. */
  readonly count: number;
  readonly candidates: readonly TracedCandidate[];
  readonly ends: readonly BookedEnd[];
  readonly lines: readonly BookedLine[];
  readonly currency: { readonly code: string; readonly decimals: number };
}

const NOTHING = { count: 1, ends: [], lines: [], estimate: undefined, model: undefined } as const;

/** What the ledger says of a decision. `prices`: the price tables of a version. */
export function explanationOf(booked: BookedDecision, prices: (version: string) => unknown): Explanation {
  const facts = booked.outcome === 'allow' ? booked.hold : booked.refusal;
  const currency = currencyOf(prices(facts.priceVersion) as PriceTables | undefined);
  if (booked.outcome === 'allow') {
    const { hold, ends, lines } = booked;
    return { ...NOTHING, ...allowed(hold), dry: false, ends, lines, currency };
  }
  const { refusal, count } = booked;
  return { ...NOTHING, ...denied(refusal, refusal), dry: false, count, currency };
}

/** What would be decided now. */
export function explanationOfDry({ decision, refusal }: DryAnswer, prices: PriceTables): Explanation {
  const currency = currencyOf(prices);
  if (decision.outcome === 'allow') return { ...NOTHING, ...allowed(decision.hold), dry: true, currency };
  return { ...NOTHING, ...denied(decision, refusal), dry: true, currency };
}

function currencyOf(prices: PriceTables | undefined): Explanation['currency'] {
  return { code: prices?.currency ?? '', decimals: prices?.decimals ?? 0 };
}

function allowed(
  hold: Hold,
): Pick<Explanation, 'outcome' | 'why' | 'reason' | 'facts' | 'estimate' | 'model' | 'candidates'> {
  const { requestedModel, model, downgradedBy } = hold;
  const step = `served by \`${model}\` instead of \`${requestedModel}\`: limit \`${downgradedBy}\` takes the ladder's step`;
  const why = downgradedBy === undefined ? `allowed${model === undefined ? '' : `: \`${model}\``}` : `allowed, ${step}`;
  const reason = downgradedBy === undefined ? 'as_requested' : 'downgraded';
  return { outcome: 'allow', why, reason, facts: hold, estimate: hold.estimate, model, candidates: hold.trace };
}

function denied(
  { reason, message }: { reason: string; message: string },
  facts: (DecisionFacts & { limit?: string | undefined }) | undefined,
): Pick<Explanation, 'outcome' | 'why' | 'reason' | 'facts' | 'candidates'> {
  return { outcome: 'deny', why: `refused: ${message}`, reason, facts, candidates: facts?.trace ?? [] };
}
