import { type LedgerReader, openLedgerReader } from '../ledger/reader.ts';
import { fileOf } from './bundle.ts';

/** Which ledger a command reads: `--ledger FILE`, or the one that `--config DIR` names. */
export interface LedgerOptions {
  readonly ledger?: string;
  readonly config?: string;
}

/** Opens the ledger for reading, does `read`, closes it. Throws `usage` where not exactly one of the options is given. */
export async function readLedger<T>({ ledger, config }: LedgerOptions, read: (reader: LedgerReader) => T): Promise<T> {
  const file = await fileOf({ given: ledger, config, option: '--ledger' }, (settings) => settings.ledger.path);
  const reader = openLedgerReader(file);
  try {
    return read(reader);
  } finally {
    reader.close();
  }
}
