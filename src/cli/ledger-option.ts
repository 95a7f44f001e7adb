import { TollgateError } from '../core/errors.ts';
import { type LedgerReader, openLedgerReader } from '../ledger/reader.ts';
import { loadBundle } from '../policy/bundle.ts';

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
  const { settings } = await loadBundle(config);
  if (settings !== undefined) return settings.ledger.path;
  throw new TollgateError('settings_invalid', `\`${config}\` has problems; \`tollgate check ${config}\` shows them`);
}
