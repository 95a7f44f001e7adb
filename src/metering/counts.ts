/** How often each thing happened since the start: ends by kind, then what stands beside them. */
export interface MeterCounts {
  readonly settled: number;
  readonly estimated: number;
  readonly released: number;
  readonly failed: number;
  readonly unreconciled: number;
  /** Holds given back before anything was sent; those that the ledger knew are also `released`. */
  readonly withdrawn: number;
  /** Ends by where their facts came from. */
  readonly fromHold: number;
  readonly fromEntry: number;
  readonly orphans: number;
  /** Ends that moved no counter because they had come before. */
  readonly repeated: number;
  /** Ends whose reported usage could not be true. */
  readonly faulty: number;
  /** Ends whose entry does not carry what the hold says. */
  readonly differing: number;
  /** Calls of the store that failed; the ledger has the ends all the same. */
  readonly storeFailed: number;
  /** Ends whose counters were not settled: their copy is too large to name them, or the ledger did not say in time whether they were. */
  readonly unsettled: number;
  /** Reservations extended by a periodic entry. */
  readonly heartbeats: number;
  /** Entries that are not billed: denied, not decided by us, or of another kind. */
  readonly ignored: number;
  /** Open holds in memory now. */
  readonly open: number;
  /** Open holds that were forgotten for want of room. */
  readonly evicted: number;
}

export function noCounts(): Record<Exclude<keyof MeterCounts, 'open' | 'evicted'>, number> {
  return {
    settled: 0,
    estimated: 0,
    released: 0,
    failed: 0,
    unreconciled: 0,
    withdrawn: 0,
    fromHold: 0,
    fromEntry: 0,
    orphans: 0,
    repeated: 0,
    faulty: 0,
    differing: 0,
    storeFailed: 0,
    unsettled: 0,
    heartbeats: 0,
    ignored: 0,
  };
}
