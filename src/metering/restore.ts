import type { Recovered } from '../ledger/ledger.ts';
import type { Snapshot } from '../limits/restore.ts';
import { refOf } from './settlement.ts';

/** What the ledger found after a restart, as the memory store takes it. Pure. */
export function restoredOf({ counters, holds }: Recovered): Snapshot {
  return {
    counters,
    reservations: holds.map(({ hold, ended }) => ({
      id: hold.decisionId,
      mintedAt: hold.decidedAtMs,
      expiresAt: hold.expiresAtMs,
      customer: hold.customer,
      spends: hold.spends.map((spend) => ({ ...refOf(spend), limit: spend.limit, reserved: spend.reserved })),
      ended,
    })),
  };
}
