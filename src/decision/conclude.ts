import type { Reason } from '../core/reasons.ts';
import type { Edit } from '../dialects/dialect.ts';
import { modelEdit, sortEdits } from '../dialects/edits.ts';
import type { Hold, TracedCandidate } from '../ledger/hold.ts';
import type { ReserveAnswer, Spend, SpendState } from '../limits/store.ts';
import { fitsPath, pathOf } from '../policy/path-template.ts';
import type { BoundLimit } from '../policy/policy.ts';
import type { LimitStatus } from './decision.ts';
import type { Denial } from './denial.ts';
import { estimateTokens } from './estimate.ts';
import type { Question, QuestionCandidate } from './question.ts';
import { factsOf, type Subject, saidOf } from './subject.ts';
import type { TemplateLine } from './template.ts';
import { amountText, limitText, uncappedText, waitText } from './words.ts';

type Admitted = Extract<ReserveAnswer, { outcome: 'admitted' }>;
type Refused = Extract<ReserveAnswer, { outcome: 'refused' }>;

/** A wait up to this is a rate limit that a client may sit out; longer ones are a spent budget. design/README.md section 5. */
export const RETRYABLE_WAIT_MAX_MS = 60_000;

/** What an answer of the store means: the hold of what was admitted. Pure. */
export function concludeAdmitted(subject: Subject, question: Question, answer: Admitted): Hold {
  const spends = question.ask.candidates[answer.candidate]!;
  const charged = question.candidates[answer.candidate]!;
  const over = answer.over.map((index) => spends[index]!.limit);
  const facts = factsOf(subject, {
    trace: traceOf(subject, question, answer.states),
    observed: over.length === 0 ? charged.observed : [...charged.observed, ...over],
  });
  return {
    ...facts,
    expiresAtMs: question.ask.expiresAt,
    model: charged.model?.name,
    downgradedBy: stepLimit(question, answer)?.limit.name,
    provider: charged.model?.provider,
    priceList: subject.account.plan?.prices,
    billEstimated: subject.account.plan?.billEstimated ?? false,
    estimate: charged.estimate,
    spends: heldOf(spends, answer.states[answer.candidate]!),
  };
}

/** The limit whose step was taken, as the caller may know it: only of its own account. Undefined: served as asked, or a parent's. */
export function shownStepLimit(subject: Subject, question: Question, answer: Admitted): string | undefined {
  const bound = stepLimit(question, answer);
  return bound !== undefined && isOwn(bound, subject) ? bound.limit.name : undefined;
}

/** The limit that made the question leave the candidate before the one that was charged. */
function stepLimit(question: Question, answer: Admitted): BoundLimit | undefined {
  if (answer.candidate === 0) return undefined;
  const before = answer.candidate - 1;
  const index = answer.states[before]!.findIndex((state) => state?.yielded);
  return question.candidates[before]!.lines[index]?.bound;
}

/** The spends that were asked. */
function heldOf(spends: readonly Spend[], states: readonly (SpendState | undefined)[]): Hold['spends'] {
  const asked = states.includes(undefined) ? spends.filter((_, index) => states[index] !== undefined) : spends;
  return asked.map(held);
}

/** One literal for each shape: this runs for every limit of every decision, and put together it costs twice as much. */
function held({ counter, limit, kind, unit, amount: reserved, onExpiry, n, p, end }: Spend): Hold['spends'][number] {
  if (n !== undefined && p !== undefined) return { counter, limit, kind, unit, reserved, onExpiry, n, p };
  if (end !== undefined) return { counter, limit, kind, unit, reserved, onExpiry, end };
  return { counter, limit, kind, unit, reserved, onExpiry };
}

/** Why nothing was admitted: the strictest unfit limit names the refusal. Pure. */
export function concludeRefused(subject: Subject, question: Question, answer: Refused): Denial {
  const first = answer.blocked[0]!;
  const { lines, observed, model } = question.candidates[answer.candidate]!;
  const spend = question.ask.candidates[answer.candidate]![first]!;
  const state = answer.states[answer.candidate]![first]!;
  const { bound } = lines[first]!;
  const own = isOwn(bound, subject);
  const what = own
    ? ownText(subject, bound, { spend, state })
    : `a limit above account \`${subject.account.path}\` is spent`;
  const wait = answer.waitMs === 'never' ? '' : `; try again in ${waitText(answer.waitMs)}`;
  const assumed = leftOf(spend, state) === 0 ? undefined : uncapped(subject, bound, model);
  return {
    reason: reasonOf(answer.waitMs, spend),
    message: `${what}${wait}${assumed === undefined ? '' : `; ${uncappedText(assumed)}: send one`}`,
    limit: spend.limit,
    status: own ? statusOf(bound, spend, state) : undefined,
    waitMs: answer.waitMs,
    trace: traceOf(subject, question, answer.states),
    observed,
  };
}

function reasonOf(waitMs: number | 'never', spend: Spend): Reason {
  if (waitMs === 'never' || waitMs > RETRYABLE_WAIT_MAX_MS) return 'budget_spent';
  return spend.kind === 'slots' ? 'concurrency_limited' : 'rate_limited';
}

/** Names and amounts are shown only of counters that are the caller's own. */
function isOwn({ owner, limit }: BoundLimit, { account }: Subject): boolean {
  if (owner === account.path) return true;
  return limit.each === 'account' || limit.each === 'credential' || limit.each === 'actor' || limit.each === 'run';
}

/**
 * The output tokens that a limit counts although the body gives no cap: what a first call stumbles over. Undefined: it gives
 * one, or the limit does not count output. Said of parents' limits too: it is about the body alone.
 */
function uncapped({ facts }: Subject, { limit }: BoundLimit, model: QuestionCandidate['model']): number | undefined {
  if (facts === undefined || facts.outputCap !== undefined || model === undefined) return undefined;
  if (limit.unit === 'requests' || limit.unit === 'runs' || limit.unit === 'input_tokens') return undefined;
  const { outputTokens, outputAssumed } = estimateTokens(facts, model);
  return limit.estimate === 'assumed' ? outputAssumed : outputTokens;
}

function ownText(
  { policy }: Subject,
  { limit }: BoundLimit,
  { spend, state }: { readonly spend: Spend; readonly state: SpendState },
): string {
  // What the provider charges us is not the caller's to know.
  if (spend.unit === 'cost') return `limit \`${limit.name}\` is spent`;
  const asked = amountText(spend.amount, spend.unit, policy);
  const left = amountText(leftOf(spend, state), spend.unit, policy);
  const step = spend.yields === undefined ? '' : ' before its step down';
  return `limit \`${limit.name}\` (${limitText(limit, spend, policy)}) has ${left} left${step}, this call may take ${asked}`;
}

/** What may still be spent: up to the ceiling, and up to the ladder's step where the caller refuses to take it. */
function leftOf({ ceiling, yields }: Spend, { used, spent }: SpendState): number {
  const left = yields === undefined ? ceiling - used : Math.min(ceiling - used, yields.spentMax - spent);
  return Math.max(0, left);
}

function statusOf({ limit }: BoundLimit, spend: Spend, state: SpendState): LimitStatus {
  return {
    name: limit.name,
    unit: spend.unit,
    max: spend.ceiling,
    remaining: leftOf(spend, state),
    resetMs: typeof state.waitMs === 'number' ? state.waitMs : undefined,
    windowMs: windowOf(limit.shape),
  };
}

function windowOf(shape: BoundLimit['limit']['shape']): number | undefined {
  if (shape.kind === 'bucket') return shape.periodMs;
  return shape.kind === 'window' && shape.period.kind === 'fixed' ? shape.period.ms : undefined;
}

/** Every limit of every candidate tried, as the store found it. */
function traceOf({ facts }: Subject, question: Question, states: Admitted['states']): TracedCandidate[] {
  const isUncapped = facts !== undefined && facts.outputCap === undefined;
  return states.map((found, index) => {
    const { model, lines, estimate } = question.candidates[index]!;
    const spends: TracedCandidate['spends'][number][] = [];
    for (const [at, spend] of question.ask.candidates[index]!.entries()) {
      const state = found[at];
      if (state !== undefined) spends.push(tracedSpend(spend, state, lines[at]!));
    }
    if (isUncapped) return { model: model?.name, spends, outputUncapped: estimate.outputTokens };
    return { model: model?.name, spends };
  });
}

function tracedSpend(
  { limit, unit, amount: asked, ceiling, observe, yields }: Spend,
  { used, fits, yielded, waitMs, spent }: SpendState,
  { bound: { owner }, percent }: TemplateLine,
): TracedCandidate['spends'][number] {
  // What is only observed yields to nobody.
  if (observe || yields === undefined || percent === undefined) {
    return { limit, owner, unit, asked, used, ceiling, fits, yielded, observe, waitMs, spent };
  }
  const step = { percent, spentMax: yields.spentMax };
  return { limit, owner, unit, asked, used, ceiling, fits, yielded, observe, waitMs, spent, step };
}

/** The byte edits that turn the caller's body into the one that is served. */
export function editsOf({ facts, route }: Subject, hold: Hold): readonly Edit[] {
  if (facts === undefined) return NO_EDITS;
  const usage = facts.stream && route.streamUsage === 'add' ? facts.usageEdit : undefined;
  const span = hold.model === facts.model ? undefined : facts.modelSpan;
  const model = span === undefined || hold.model === undefined ? undefined : modelEdit(span, hold.model);
  if (model === undefined) return usage === undefined ? NO_EDITS : [usage];
  return usage === undefined ? [model] : sortEdits([model, usage]);
}

/** The `:path` that names the served model, with the caller's query; undefined: the caller's own says it, or none does. */
export function servedPath(subject: Subject, hold: Hold, target: string): string | undefined {
  const { route, policy } = subject;
  const said = saidOf(subject);
  if (route.template === undefined || said === undefined) return undefined;
  const served = route.metered ? hold.model : policy.models.asked(said)?.name;
  if (served === undefined || served === said) return undefined;
  // A route without a dialect may list models whose names no path can hold: their other names stay as they came.
  if (!route.metered && !fitsPath(served)) return undefined;
  const at = target.indexOf('?');
  return pathOf(route.template, served) + (at === -1 ? '' : target.slice(at));
}

const NO_EDITS: readonly Edit[] = Object.freeze([]);
