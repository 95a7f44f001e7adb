import type { Clock } from '../core/clock.ts';
import type { End, Found, Ledger } from '../ledger/ledger.ts';
import type { Crossing, LimitStore } from '../limits/store.ts';
import type { Policy, PriceTables } from '../policy/policy.ts';

/** What a meter stands on. */
export interface MeterPorts {
  readonly store: LimitStore;
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** The price tables of a version that this ledger has kept; undefined: not at hand. */
  prices(version: string): PriceTables | undefined;
  /** The policy in force; undefined: none was ever loaded, and no answered model is known. */
  policy(): Policy | undefined;
  /**
   * What the ledger has of a decision that is not in memory: from before a restart, or forgotten. It is settled by that, and
   * the store knows by then what it is charged with. Rejects where there is no answer in time: then the ledger alone takes
   * the end. Absent: the copy in the entry serves, and the store knows all that was charged.
   */
  recall?(decisionId: string): Promise<Found>;
  /** Told of each threshold of a limit that an end crossed. */
  crossed?(crossing: Crossing): void;
  /** Told of the first end of each call; of a later one only where the first is forgotten. */
  ended?(end: End): void;
  readonly settings: MeterSettings;
}

export interface MeterSettings {
  /** Settlement closes this long after a decision was minted, ms. No heartbeat extends a reservation beyond it. */
  readonly settleWithinMs: number;
  /** Open holds in memory. Default 200000. The oldest beyond it are settled by the copy in their access-log entry. */
  readonly openMax?: number;
  /** Ended holds in memory, for entries that come again. Default 4096. */
  readonly endedMax?: number;
}
