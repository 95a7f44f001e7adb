import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoCall, Scene } from './calls.ts';
import { type DemoAnswer, sendCall } from './send.ts';
import type { Stack } from './stack.ts';

/** A call and what came of it. */
export interface Played {
  readonly call: DemoCall;
  readonly answer: DemoAnswer;
}

/** Between calls that come one after the other: slower than the bundle's burst limit refills, and their usage has settled. */
const PACE_MS = 260;

/** Makes the calls of a scene, prints each answer as it comes, and answers them in the order of the calls. */
export async function play(stack: Stack, { title, calls, together = false }: Scene): Promise<readonly Played[]> {
  process.stdout.write(`\n${title}\n`);
  const one = async (call: DemoCall): Promise<Played> => {
    const answer = await sendCall(stack.url, call, stack.keyOf(call.who));
    process.stdout.write(`  ${line(call, answer)}\n`);
    return { call, answer };
  };
  if (together) return Promise.all(calls.map(one));
  const played: Played[] = [];
  for (const call of calls) {
    played.push(await one(call));
    await sleep(PACE_MS);
  }
  return played;
}

/** What somebody may ask "why" about: the last call that a cheaper model served, the last that a budget refused. */
export function puzzling(played: readonly Played[]): { readonly what: string; readonly decision: string }[] {
  const downgraded = played.findLast(({ call, answer }) => answer.status < 300 && isDowngraded(call, answer));
  const refused = played.findLast(({ answer }) => answer.status === 429 && answer.retryAfter === undefined);
  return [
    { what: 'was served by a cheaper model', decision: downgraded?.answer.decision },
    { what: 'was refused by a budget', decision: refused?.answer.decision },
  ].flatMap(({ what, decision }) => (decision === undefined ? [] : [{ what, decision }]));
}

function isDowngraded(call: DemoCall, { model }: DemoAnswer): boolean {
  return call.model !== undefined && model !== call.model;
}

function line(call: DemoCall, answer: DemoAnswer): string {
  const asked = call.model ?? `GET ${call.route}`;
  const how = call.stream === true ? ' stream' : '';
  return `${call.who.padEnd(9)} ${(asked + how).padEnd(21)} ${String(answer.status).padEnd(4)} ${outcome(call, answer)}`;
}

function outcome(call: DemoCall, answer: DemoAnswer): string {
  const { status, retryAfter, message } = answer;
  if (status < 300) {
    if (!isDowngraded(call, answer)) return 'allowed';
    const { model, limit } = answer;
    return `allowed, served by ${model}${limit === undefined ? '' : ` (limit ${limit})`}`;
  }
  return `refused: ${message}${retryAfter === undefined ? '' : ` [retry-after ${retryAfter}]`}`;
}
