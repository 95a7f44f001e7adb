import type { Recovered } from '../ledger/ledger.ts';
import type { SqliteLedger } from '../ledger/sqlite-ledger.ts';
import type { PriceTables } from '../policy/policy.ts';
import type { PriceShelf } from './price-shelf.ts';

/** Counters and reservations as they stand in the ledger, and the prices of every version that an open hold may still be priced by. */
export async function recover({
  ledger,
  prices,
  sinceMs,
  nowMs,
}: {
  ledger: SqliteLedger;
  prices: PriceShelf;
  sinceMs: number;
  nowMs: number;
}): Promise<Recovered> {
  const recovered = await ledger.recover(sinceMs);
  for (const { hold } of recovered.holds) {
    if (prices.has(hold.priceVersion)) continue;
    const tables = (await ledger.prices(hold.priceVersion)) as PriceTables | undefined;
    if (tables !== undefined) prices.remember(hold.priceVersion, tables, nowMs);
  }
  return recovered;
}
