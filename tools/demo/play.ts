import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoCall, Scene } from './calls.ts';
import { type DemoAnswer, sendCall } from './send.ts';
import type { Stack } from './stack.ts';

/** Between calls that come one after the other: slower than the bundle's burst limit refills, and their usage has settled. */
const PACE_MS = 260;

/** Makes the calls of a scene and prints each answer as it comes. */
export async function play(stack: Stack, { title, calls, together = false }: Scene): Promise<void> {
  process.stdout.write(`\n${title}\n`);
  const one = async (call: DemoCall): Promise<void> => {
    const answer = await sendCall(stack.url, call, stack.keyOf(call.who));
    process.stdout.write(`  ${line(call, answer)}\n`);
  };
  if (together) {
    await Promise.all(calls.map(one));
    return;
  }
  for (const call of calls) {
    await one(call);
    await sleep(PACE_MS);
  }
}

function line(call: DemoCall, answer: DemoAnswer): string {
  const asked = call.model ?? `GET ${call.route}`;
  const how = call.stream === true ? ' stream' : '';
  return `${call.who.padEnd(9)} ${(asked + how).padEnd(21)} ${String(answer.status).padEnd(4)} ${outcome(call, answer)}`;
}

function outcome(call: DemoCall, { status, model, limit, retryAfter, message }: DemoAnswer): string {
  if (status < 300) {
    if (call.model === undefined || model === call.model) return 'allowed';
    return `allowed, served by ${model}${limit === undefined ? '' : ` (limit ${limit})`}`;
  }
  return `refused: ${message}${retryAfter === undefined ? '' : ` [retry-after ${retryAfter}]`}`;
}
