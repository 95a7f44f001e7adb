/** An explanation as `tollgate explain` prints it. */

import { formatMoney } from '../core/money.ts';
import { alignedTable, type Column, printable } from '../core/table.ts';
import type { Explanation } from '../decision/explanation.ts';
import { uncappedText, waitText } from '../decision/words.ts';
import type { DecisionFacts, TracedCandidate, TracedSpend } from '../ledger/hold.ts';
import type { BookedEnd } from '../ledger/reader.ts';

/** For people: the outcome, the steps, a table of limits per candidate, how it ended. */
export function renderExplanation(explanation: Explanation): string {
  const { why, dry, reason, facts, count } = explanation;
  const parts = [`${dry ? 'now, it would be ' : ''}${printable(why)}\nreason   ${reason}\n`];
  if (count > 1) parts.push(`times    ${count} in this minute\n`);
  if (facts !== undefined) parts.push(stepsOf(explanation, facts));
  explanation.candidates.forEach((candidate, index) => {
    parts.push(candidateText(explanation, candidate, index));
  });
  for (const end of explanation.ends) parts.push(endText(explanation, end));
  return parts.join('');
}

function stepsOf({ dry, estimate, currency }: Explanation, facts: DecisionFacts): string {
  const rows: [string, string][] = [];
  if (!dry) rows.push(['decision', `${facts.decisionId} at ${new Date(facts.decidedAtMs).toISOString()}`]);
  rows.push(['route', facts.dialect === undefined ? facts.route : `${facts.route} (${facts.dialect})`]);
  rows.push([
    'caller',
    `account ${facts.account}, ${facts.proof.replace('_', ' ')} ${facts.credential} (${facts.kind}, ${facts.confidence})`,
  ]);
  if (facts.actor !== undefined) rows.push(['actor', facts.actor]);
  rows.push(['class', `${facts.classes.join(' + ')}${facts.run === undefined ? '' : `, run ${facts.run}`}`]);
  if (facts.requestedModel !== undefined)
    rows.push(['asked', `${facts.requestedModel}${facts.stream ? ', stream' : ''}`]);
  rows.push(['plan', `${facts.plan ?? 'none'}, policy ${facts.policyVersion}, prices ${facts.priceVersion}`]);
  if (estimate !== undefined && facts.requestedModel !== undefined) {
    const money = moneyText(BigInt(estimate.charge), currency);
    rows.push([
      'estimate',
      `${estimate.inputTokens} input and up to ${estimate.outputTokens} output tokens, at most ${money}`,
    ]);
  }
  if (facts.observed.length > 0) rows.push(['observed', `would have refused: ${facts.observed.join(', ')}`]);
  return rows.map(([name, text]) => `${name.padEnd(8)} ${printable(text)}\n`).join('');
}

const LIMIT_COLUMNS: readonly Column[] = [
  { name: 'limit', kind: 'text' },
  { name: 'of', kind: 'text' },
  { name: 'unit', kind: 'text' },
  { name: 'used', kind: 'number' },
  { name: 'spent', kind: 'number' },
  { name: 'asked', kind: 'number' },
  { name: 'after', kind: 'number' },
  { name: 'ceiling', kind: 'number' },
  { name: 'step at', kind: 'number' },
  { name: 'result', kind: 'text' },
];

function candidateText(
  { candidates, outcome, currency }: Explanation,
  { model, spends, outputUncapped }: TracedCandidate,
  index: number,
): string {
  const last = index === candidates.length - 1;
  const taken = last ? (outcome === 'allow' ? 'taken' : 'refused') : 'left for the next on the ladder';
  const assumed = outputUncapped === undefined ? '' : `${uncappedText(outputUncapped)}\n`;
  const head = `\n${model === undefined ? 'limits' : `candidate ${index + 1}: ${model}`}, ${taken}\n${assumed}`;
  if (spends.length === 0) return `${head}no limit holds for it\n`;
  const charged = last && outcome === 'allow';
  return (
    head +
    alignedTable(
      LIMIT_COLUMNS,
      spends.map((spend) => limitCells(spend, { charged, currency })),
    )
  );
}

function limitCells(
  spend: TracedSpend,
  { charged, currency }: { charged: boolean; currency: Explanation['currency'] },
): string[] {
  const show = (amount: number): string =>
    spend.unit === 'charge' || spend.unit === 'cost' ? formatMoney(BigInt(amount), currency) : String(amount);
  const { spent, step } = spend;
  const after = charged ? spend.used + spend.asked : spend.used;
  return [
    spend.limit,
    spend.owner,
    spend.unit,
    show(spend.used),
    spent === undefined ? '-' : show(spent),
    show(spend.asked),
    show(after),
    show(spend.ceiling),
    step === undefined ? '-' : `${show(step.spentMax)} (${step.percent}%)`,
    resultOf(spend),
  ];
}

/** The step is taken by what is spent, or by a limit that is full: a reader has to be told which. */
function resultOf({ fits, yielded, observe, waitMs, spent, asked, step }: TracedSpend): string {
  if (fits) return step === undefined ? 'fits' : 'fits before the step';
  const isPast = step !== undefined && spent !== undefined && spent + asked > step.spentMax;
  if (yielded)
    return step === undefined ? 'takes the step' : `takes the step: ${isPast ? 'spent + asked is past it' : 'full'}`;
  const wait = waitMs === undefined ? '' : waitMs === 'never' ? ', never' : `, for ${waitText(waitMs)}`;
  if (observe) return `would not fit${wait} (observed)`;
  return `does not fit${isPast ? ' before the step' : ''}${wait}`;
}

const LINE_COLUMNS: readonly Column[] = [
  { name: 'meter', kind: 'text' },
  { name: 'model', kind: 'text' },
  { name: 'quantity', kind: 'number' },
  { name: 'charge', kind: 'number' },
  { name: 'cost', kind: 'number' },
];

function endText({ lines, currency }: Explanation, end: BookedEnd): string {
  const status = end.status === undefined ? '' : `, status ${end.status}`;
  const flags = end.flags.length === 0 ? '' : `, ${end.flags.join(', ')}`;
  const head = `\nended ${new Date(end.atMs).toISOString()}: ${end.kind}${status}, ${end.attempts} attempt${end.attempts === 1 ? '' : 's'}${flags}\n`;
  const own = lines.filter(({ rank }) => rank === end.rank);
  if (own.length === 0) return head;
  const rows = own.map(({ meter, model, quantity, charge, cost }) => [
    meter,
    model,
    String(quantity),
    moneyText(charge, currency),
    moneyText(cost, currency),
  ]);
  return head + alignedTable(LINE_COLUMNS, rows);
}

function moneyText(amount: bigint, { code, decimals }: Explanation['currency']): string {
  return `${formatMoney(amount, { decimals })} ${code}`.trimEnd();
}
