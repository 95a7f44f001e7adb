import type { Orphan } from '../ledger/ledger.ts';
import type { LogEntry } from './entry.ts';

/** Longest text kept of an entry that is not ours; more is cut. The decision struct alone may be 4 KiB. */
const TEXT_MAX = 16_384;

/** An entry as the ledger keeps it until somebody imports it: compact JSON, maps as lists of pairs. Pure. */
export function orphanOf(entry: LogEntry, found: Omit<Orphan, 'entry'>): Orphan {
  const text = JSON.stringify({ ...entry, decision: [...(entry.decision ?? [])], usage: [...entry.usage] });
  return { ...found, decisionId: found.decisionId.slice(0, 128), entry: text.slice(0, TEXT_MAX) };
}
