import { type PartitionFacts, partitionOf } from '../limits/counter.ts';
import { openValidity, spendOf, type Validity } from '../limits/spend.ts';
import type { Ask, Spend } from '../limits/store.ts';
import { type Amounts, amountFor, amountsOf } from './amounts.ts';
import type { Fault } from './denial.ts';
import type { Question, QuestionCandidate } from './question.ts';
import type { Subject } from './subject.ts';
import type { Template, TemplateCandidate, TemplateLine } from './template.ts';

/**
 * From who asks for what to one question for the limit store: every candidate with all its spends. Pure: time is the
 * subject's `decidedAtMs`. A candidate that cannot be priced is a fault if it is the requested one, else it is left out.
 */
export function plan(subject: Subject, template: Template): Question | Fault {
  const validity = openValidity();
  const asked: Spend[][] = [];
  const candidates: QuestionCandidate[] = [];
  for (const candidate of template.candidates) {
    const amounts = amountsOf(subject, candidate);
    if ('reason' in amounts) return candidates.length === 0 ? amounts : plan(subject, without(template, candidate));
    const planned = candidateOf(subject, candidate, { amounts, validity });
    asked.push(planned.spends);
    candidates.push(planned.candidate);
  }
  return { ask: askOf(subject, asked, validity), candidates };
}

/** The ladder without one of its models; a step that leads nowhere is void. */
function without({ candidates }: Template, gone: TemplateCandidate): Template {
  const left = candidates.filter((candidate) => candidate !== gone);
  if (gone !== candidates.at(-1)) return { candidates: left };
  const last = left.pop()!;
  const lines = last.lines.map((line) => ({ ...line, percent: undefined }));
  return { candidates: [...left, { ...last, lines }] };
}

function askOf(subject: Subject, candidates: readonly (readonly Spend[])[], validity: Validity): Ask {
  const { decisionId, decidedAtMs, route, account, run, policy } = subject;
  const ask = {
    id: decisionId,
    mintedAt: decidedAtMs,
    expiresAt: decidedAtMs + route.lastsMaxMs + subject.expiryGraceMs,
    customer: account.customer,
    from: validity.from,
    until: validity.until,
    candidates,
  };
  return run === undefined ? ask : { ...ask, run: { marker: markerOf(subject, run), idleMs: policy.runs.idleMs } };
}

/** A run lies inside the account that started it: two accounts may use one name. */
function markerOf({ account }: Subject, run: string): string {
  return `${account.path}|${run}`;
}

function candidateOf(
  subject: Subject,
  { model, counted, lines, observed }: TemplateCandidate,
  { amounts, validity }: { amounts: Amounts; validity: Validity },
): { spends: Spend[]; candidate: QuestionCandidate } {
  const { account, principal, classes, run, decidedAtMs } = subject;
  const identity: PartitionFacts = {
    customer: account.customer,
    account: account.path,
    credential: principal.credential,
    actor: principal.actor,
    run: run === undefined ? undefined : markerOf(subject, run),
    model: counted?.name,
  };
  const spends: Spend[] = [];
  const kept: TemplateLine[] = [];
  for (const line of lines) {
    const { limit } = line.bound;
    const amount = amountFor(limit, amounts);
    const partition = partitionOf(limit.each, identity);
    // No run: limits of runs are not asked. Zero spends are not asked either.
    if (amount === 0 || partition === undefined || (limit.unit === 'runs' && run === undefined)) continue;
    const input = {
      partition,
      amount,
      nowMs: decidedAtMs,
      classes,
      yieldsAt: line.percent,
      observe: line.observe,
    };
    spends.push(spendOf(line.bound, input, validity));
    kept.push(line);
  }
  return { spends, candidate: { model, estimate: amounts.estimate, lines: kept, observed } };
}
