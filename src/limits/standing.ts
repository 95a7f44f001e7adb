/** How a limit stands for one partition, for people who look: nothing is asked of the store but a look. */
import type { BoundLimit } from '../policy/policy.ts';
import { openValidity, spendOf } from './spend.ts';
import type { CounterRef } from './store.ts';

/** Amounts in the limit's unit. */
export interface Standing {
  readonly counter: string;
  /** What it may hold now, override included; of a bucket its burst. */
  readonly max: number;
  /** Holds included. */
  readonly used: number;
  readonly held: number;
  readonly spent: number;
  /** When its window ends, epoch ms; undefined: it has none. */
  readonly resetsAtMs: number | undefined;
}

/** `peek`: the store's. */
export function standingOf(
  bound: BoundLimit,
  { partition, nowMs }: { readonly partition: string; readonly nowMs: number },
  peek: (ref: CounterRef) => { readonly used: number; readonly held: number },
): Standing {
  const looked = { partition, amount: 0, nowMs, classes: [], yieldsAt: undefined, observe: false };
  const spend = spendOf(bound, looked, openValidity());
  const { used, held } = peek(spend);
  return { counter: spend.counter, max: spend.ceiling, used, held, spent: used - held, resetsAtMs: spend.end };
}
