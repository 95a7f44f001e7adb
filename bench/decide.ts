/** Plan + reserve + conclude in process: one decision from an already decoded call. */
import type { Awaitable } from '../src/core/units.ts';
import type { Call } from '../src/decision/call.ts';
import type { Decision } from '../src/decision/decision.ts';
import { type Figure, measure } from './report.ts';

export interface DecideCase {
  /** Stands in the table, for example `5 nested limits`. */
  readonly name: string;
  /** Calls to decide, round and round; all must be allowed. */
  readonly calls: readonly Call[];
  decide(call: Call): Awaitable<Decision>;
  /** Gives back what an allowed call holds, so that the next ones find room. Not timed. */
  release(decision: Decision): void;
  readonly bar?: string;
}

/** Decisions in one sample. */
const BATCH = 64;

/** Decides each case's calls. Throws where a decision is not at hand at once, or is not an allow. */
export async function benchDecide(cases: readonly DecideCase[]): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const { name, calls, decide, release, bar } of cases) {
    const decisions: Decision[] = [];
    let next = 0;
    const one = (): void => {
      const decision = decide(calls[next++ % calls.length]!);
      if (decision instanceof Promise) throw new Error(`case \`${name}\` had to wait`);
      decisions.push(decision);
    };
    const giveBack = (): void => {
      for (const decision of decisions) {
        if (decision.outcome === 'deny') throw new Error(`case \`${name}\` was refused: ${decision.message}`);
        release(decision);
      }
      decisions.length = 0;
    };
    const options = { batch: BATCH, after: giveBack, ...(bar === undefined ? {} : { bar }) };
    figures.push(await measure(`decide in process, ${name}`, one, options));
  }
  return figures;
}
