import { TollgateError } from '../core/errors.ts';
import { type LedgerReader, openLedgerReader } from '../ledger/reader.ts';
import { loadSettings } from '../policy/bundle.ts';
import { hasProblems } from './bundle.ts';

/** Which ledger a command reads: `--ledger FILE`, or the one that `--config DIR` names. */
export interface LedgerOptions {
  readonly ledger?: string;
  readonly config?: string;
}

/** Opens the ledger for reading, does `read`, closes it. Throws `usage` where not exactly one of the options is given. */
export async function readLedger<T>(options: LedgerOptions, read: (reader: LedgerReader) => T): Promise<T> {
  const reader = openLedgerReader(await ledgerFile(options));
  try {
    return read(reader);
  } finally {
    reader.close();
  }
}

async function ledgerFile({ ledger, config }: LedgerOptions): Promise<string> {
  if (ledger !== undefined && config === undefined) return ledger;
  if (ledger !== undefined || config === undefined) {
    throw new TollgateError('usage', 'exactly one of `--ledger FILE` and `--config DIR` is needed');
  }
  // The settings stand for themselves: a bundle with problems elsewhere still says where its ledger is.
  const { settings } = await loadSettings(config);
  if (settings === undefined) throw hasProblems(config, 'settings_invalid');
  return settings.ledger.path;
}
