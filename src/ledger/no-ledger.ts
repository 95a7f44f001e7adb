import type { Ledger } from './ledger.ts';

/** Has room for everything and keeps nothing: for decisions that nobody is charged for. `id`: 8 characters of [a-z2-7]. */
export function noLedger(id: string): Ledger {
  return {
    id,
    hold: () => true,
    end: () => {},
    refuse: ({ decisionId }) => decisionId,
    orphan: () => {},
    differ: () => {},
    keepPrices: async () => {},
    prices: async () => undefined,
    recover: async () => ({ counters: [], holds: [] }),
    find: async () => ({ hold: undefined, isCopy: false, ended: undefined, states: [] }),
    overdue: async () => [],
    counts: () => ({ queued: 0, committed: 0, commits: 0, repeated: 0, conflicts: 0, superseded: 0, folded: 0 }),
    flush: async () => {},
    close: async () => {},
  };
}
