/** envoy.service.accesslog.v3.StreamAccessLogsMessage: bytes → what really happened to each request. */
import { TollgateError } from '../../core/errors.ts';
import type { LogEntry } from '../../metering/entry.ts';
import { readEntry } from './log-entry.ts';
import { Reader } from './reader.ts';

export interface LogBatch {
  readonly entries: readonly LogEntry[];
  /** Entries (or the rest of a message) that could not be decoded. */
  readonly faulty: number;
}

/**
 * Reads one message of an access-log stream. Never throws: an entry that cannot be decoded is counted and its neighbours are
 * kept; of a message that is cut, the entries before the cut. TCP entries are passed over, and so is who sends them: whose
 * decisions these are is said by their ids.
 */
export function readAccessLog(message: Uint8Array): LogBatch {
  const batch = { entries: [] as LogEntry[], faulty: 0 };
  attempt(batch, () => {
    const reader = new Reader(message);
    while (reader.more()) {
      if (reader.field() === 2) readEntries(reader, batch);
      else reader.skip();
    }
  });
  return batch;
}

function readEntries(reader: Reader, batch: { entries: LogEntry[]; faulty: number }): void {
  const outer = reader.open();
  while (reader.more()) {
    if (reader.field() !== 1) {
      reader.skip();
      continue;
    }
    // An entry is read by a reader of its own, so that a fault in it does not lose the place in the message.
    const bytes = reader.bytes();
    attempt(batch, () => batch.entries.push(readEntry(new Reader(bytes))));
  }
  reader.close(outer);
}

function attempt(batch: { faulty: number }, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof TollgateError) || error.code !== 'wire_invalid') throw error;
    batch.faulty++;
  }
}
