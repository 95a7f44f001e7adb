/** envoy.service.accesslog.v3.StreamAccessLogsMessage: bytes → what really happened to each request. */
import { TollgateError } from '../../core/errors.ts';
import type { LogEntry } from '../../metering/entry.ts';
import { readEntry } from './log-entry.ts';
import { Reader } from './reader.ts';

export interface LogBatch {
  readonly entries: readonly LogEntry[];
  /** Entries (or the rest of a message) that could not be decoded. */
  readonly faulty: number;
  /** Given in the first message of a stream only. */
  readonly logName: string | undefined;
}

/**
 * Reads one message of an access-log stream. Never throws: an entry that cannot be decoded is counted and its neighbours are
 * kept; of a message that is cut, the entries before the cut. `nowMs` bounds the times in it. TCP entries are passed over.
 */
export function readAccessLog(message: Uint8Array, nowMs: number): LogBatch {
  const batch = { entries: [] as LogEntry[], faulty: 0, logName: undefined as string | undefined };
  attempt(batch, () => {
    const reader = new Reader(message);
    while (reader.more()) {
      switch (reader.field()) {
        case 1:
          batch.logName = readLogName(reader);
          break;
        case 2:
          readEntries(reader, { batch, nowMs });
          break;
        default:
          reader.skip();
      }
    }
  });
  return batch;
}

function readEntries(reader: Reader, into: { batch: { entries: LogEntry[]; faulty: number }; nowMs: number }): void {
  const outer = reader.open();
  while (reader.more()) {
    if (reader.field() !== 1) {
      reader.skip();
      continue;
    }
    // An entry is read by a reader of its own, so that a fault in it does not lose the place in the message.
    const bytes = reader.bytes();
    attempt(into.batch, () => into.batch.entries.push(readEntry(new Reader(bytes), into.nowMs)));
  }
  reader.close(outer);
}

function readLogName(reader: Reader): string | undefined {
  let name: string | undefined;
  const outer = reader.open();
  while (reader.more()) {
    if (reader.field() === 2) name = reader.text();
    else reader.skip();
  }
  reader.close(outer);
  return name;
}

function attempt(batch: { faulty: number }, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof TollgateError) || error.code !== 'wire_invalid') throw error;
    batch.faulty++;
  }
}
