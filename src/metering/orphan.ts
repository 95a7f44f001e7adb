import type { Orphan } from '../ledger/ledger.ts';
import type { LogEntry } from './entry.ts';

/** Longest id kept; ours have 45 characters. */
const ID_CHARS_MAX = 128;

/** An entry as the ledger keeps it until somebody imports it: compact JSON, maps as lists of pairs. Pure. */
export function orphanOf(entry: LogEntry, found: Omit<Orphan, 'entry'>): Orphan {
  const text = JSON.stringify({ ...entry, decision: [...(entry.decision ?? [])], usage: [...entry.usage] });
  return { ...found, decisionId: found.decisionId.slice(0, ID_CHARS_MAX), entry: text };
}
