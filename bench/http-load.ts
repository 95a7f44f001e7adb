/**
 * Open-loop load: calls begin at a fixed rate whether or not earlier ones were answered, and a latency counts from when its
 * call was due, so that a stall is seen by all that it held up. Run as a program it is the child process that asks.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface HttpOrder {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly perSecond: number;
  readonly seconds: number;
}

export interface HttpReport {
  /** Of every answer, ms, in their order. */
  readonly latenciesMs: readonly number[];
  /** Answers other than 200, such as Envoy's 503 where a Check takes longer than it waits. */
  readonly unserved: number;
}

/** Keeps its process, and the connections of each port, from order to order. */
export interface HttpLoad {
  /** Rejects if a call is not answered at all, or more than half of them not with 200. */
  ask(order: HttpOrder): Promise<HttpReport>;
  stop(): void;
}

type Answer = HttpReport | { readonly failed: string };

/** More of them, and it is not the machine that is busy but the set-up that is wrong. */
const UNSERVED_MAX = 0.5;

export function startHttpLoad(): HttpLoad {
  const child = fork(import.meta.filename, { serialization: 'advanced' });
  const ended = once(child, 'exit').then((): [Answer] => [{ failed: 'the client ended' }]);
  return {
    async ask(order) {
      child.send(order);
      const [answer] = await Promise.race([once(child, 'message') as Promise<[Answer]>, ended]);
      if ('failed' in answer) throw new Error(answer.failed);
      return answer;
    },
    stop: () => void child.kill(),
  };
}

/** Answers are small: a call that is not answered by then never is. */
const WITHIN_MS = 10_000;
const agents = new Map<number, Agent>();

function agentOf(port: number): Agent {
  const known = agents.get(port) ?? new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  agents.set(port, known);
  return known;
}

async function run(order: HttpOrder): Promise<Answer> {
  const latenciesMs: number[] = [];
  const refusals: string[] = [];
  const faults: string[] = [];
  const calls = Math.round(order.perSecond * order.seconds);
  const startMs = performance.now();
  const open: Promise<void>[] = [];
  while (open.length < calls) {
    const due = Math.min(calls, Math.floor(((performance.now() - startMs) * order.perSecond) / 1000) + 1);
    while (open.length < due) {
      const dueMs = startMs + (open.length * 1000) / order.perSecond;
      open.push(
        ask(order).then(
          (refusal) => {
            latenciesMs.push(performance.now() - dueMs);
            if (refusal !== undefined) refusals.push(refusal);
          },
          (error) => void faults.push(error instanceof Error ? error.message : String(error)),
        ),
      );
    }
    await sleep(1);
  }
  await Promise.all(open);
  const [bad, most] = faults.length > 0 ? [faults, 0] : [refusals, calls * UNSERVED_MAX];
  if (bad.length > most) return { failed: `${bad.length} of ${calls} calls failed, the first with: ${bad[0]}` };
  return { latenciesMs, unserved: refusals.length };
}

/** Undefined: served; else status and body of the answer. */
function ask({ port, path, headers, body }: HttpOrder): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, method: 'POST', path, headers, agent: agentOf(port) }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.once('error', reject);
      answer.once('end', () => {
        const isServed = answer.statusCode === 200;
        resolve(isServed ? undefined : `${answer.statusCode} ${Buffer.concat(parts).toString().slice(0, 200)}`);
      });
    });
    call.setTimeout(WITHIN_MS, () => call.destroy(new Error(`no answer in ${WITHIN_MS} ms`)));
    call.once('error', reject);
    call.end(body);
  });
}

if (import.meta.main) {
  process.once('disconnect', () => process.exit());
  process.on('message', (order: HttpOrder) => {
    run(order).then((answer) => process.send?.(answer));
  });
}
