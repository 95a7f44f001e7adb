import { TollgateError } from '../core/errors.ts';
import type { Found, Ledger, Recovered } from '../ledger/ledger.ts';
import type { MemoryLimitStore } from '../limits/memory-store.ts';
import { readmittedOf } from '../metering/restore.ts';
import type { PriceTables } from '../policy/policy.ts';
import type { PriceShelf } from './price-shelf.ts';

/** How long entries wait for what the ledger knows of a decision, and their stream with them: Envoy keeps about a second of them. */
const RECALL_MS = 2_000;

interface Shelved {
  readonly ledger: Pick<Ledger, 'recover' | 'find' | 'prices'>;
  readonly prices: PriceShelf;
  nowMs(): number;
}

/** Counters and open holds as they stand in the ledger, and the prices of every version that an open hold may still be priced by. */
export async function recover(from: Shelved, sinceMs: number): Promise<Recovered> {
  const recovered = await from.ledger.recover(sinceMs);
  for (const { priceVersion } of recovered.holds) await shelve(from, priceVersion);
  return recovered;
}

/**
 * What the ledger has of a decision, with its prices at hand and the store knowing what it is charged with. Rejects with
 * `ledger_unavailable` after two seconds; nothing is changed then.
 */
export async function recall(
  decisionId: string,
  { store, ...from }: Shelved & { readonly store: Pick<MemoryLimitStore, 'readmit'> },
): Promise<Found> {
  const found = await inTime(find(from, decisionId));
  store.readmit(decisionId, readmittedOf(found));
  return found;
}

async function find(from: Shelved, decisionId: string): Promise<Found> {
  const found = await from.ledger.find(decisionId);
  if (found.hold !== undefined) await shelve(from, found.hold.priceVersion);
  return found;
}

async function shelve({ ledger, prices, nowMs }: Shelved, version: string): Promise<void> {
  if (prices.has(version)) return;
  const tables = (await ledger.prices(version)) as PriceTables | undefined;
  if (tables !== undefined) prices.remember(version, tables, nowMs());
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new TollgateError('ledger_unavailable', `the ledger gave no answer within ${RECALL_MS} ms`));
  }, RECALL_MS);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
