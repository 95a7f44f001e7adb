import type { Hold } from '../ledger/hold.ts';
import type { Found, Recovered } from '../ledger/ledger.ts';
import type { EndedReservation, HeldReservation, Snapshot } from '../limits/restore.ts';
import { refOf } from './settlement.ts';

/** What the ledger found after a restart, as the memory store takes it. Pure. */
export function restoredOf({ counters, holds }: Recovered): Snapshot {
  return { counters, reservations: holds.map(reservationOf), isWhole: true };
}

/** What the ledger found of one decision, as the memory store takes it. Pure. */
export function readmittedOf({ hold, isCopy, ended, states }: Found): EndedReservation {
  const wasCharged = !isCopy || (ended?.charged.length ?? 0) > 0;
  return { hold: hold && wasCharged ? reservationOf(hold) : undefined, ended, states };
}

function reservationOf(hold: Hold): HeldReservation {
  return {
    id: hold.decisionId,
    mintedAt: hold.decidedAtMs,
    expiresAt: hold.expiresAtMs,
    customer: hold.customer,
    spends: hold.spends.map((spend) => ({ ...refOf(spend), limit: spend.limit, reserved: spend.reserved })),
  };
}
