/** Which settlement of a spend stands: pure rules of rank, for every store. */
import type { Settlement } from './store.ts';

/** Between expired (0) and stream-done (1): the amount stays what was reserved until somebody measures it. */
export const UNMEASURED_RANK = 0.5;

/** One spend as it was charged last. */
export interface Charge {
  /** −1 reserved, 0 expired or withdrawn, 0.5 unmeasured, 1 stream-done, 2 access log, 3 and up corrections. */
  readonly rank: number;
  readonly charged: number;
  /** What its admission reserved; 0 where the admission is not known. */
  readonly reserved: number;
}

export type SpendOutcome = 'changed' | 'same' | 'superseded' | 'conflict';

/** What a settlement would make of a charge. */
export interface Move {
  readonly outcome: SpendOutcome;
  readonly rank: number;
  readonly charged: number;
}

/**
 * A higher rank acts; the same rank with the same amount is `same`, with another `conflict`; a lower one is
 * `superseded`. Slots are 0 at any settle. `actual` `unmeasured` keeps the reserved amount at UNMEASURED_RANK.
 */
export function moveOf(
  charge: Charge,
  settle: { readonly rank: number; readonly actual: Settlement['actual']; readonly isSlots: boolean },
): Move {
  const isUnmeasured = settle.actual === 'unmeasured' && !settle.isSlots;
  const rank = isUnmeasured ? UNMEASURED_RANK : settle.rank;
  let charged = 0;
  if (!settle.isSlots) charged = settle.actual === 'unmeasured' ? charge.reserved : settle.actual;
  if (rank > charge.rank) return { outcome: 'changed', rank, charged };
  const outcome = rank < charge.rank ? 'superseded' : charged === charge.charged ? 'same' : 'conflict';
  return { outcome, rank: charge.rank, charged: charge.charged };
}

/** `changed` if any spend changed, else the worst news: conflict > superseded > same. */
export function combined(a: SpendOutcome, b: SpendOutcome): SpendOutcome {
  return ORDER[a] >= ORDER[b] ? a : b;
}

const ORDER = { same: 0, superseded: 1, conflict: 2, changed: 3 } as const satisfies Record<SpendOutcome, number>;
