/** The thread that appends to the audit for a serving process, so that no decision waits for its disk. */
import { workerData } from 'node:worker_threads';
import type { AuditEvent } from '../core/audit.ts';
import { type AuditBook, openAudit } from './audit-book.ts';
import { answerAtDesk } from './desk.ts';

export interface AuditThreadData {
  readonly file: string;
  /** How long an append waits for another process that appends, ms. */
  readonly busyMs: number;
}

export interface Append {
  readonly event: AuditEvent;
  readonly atMs: number;
}

const { file, busyMs } = workerData as AuditThreadData;
let book: AuditBook | undefined;

answerAtDesk(({ event, atMs }: Append) => {
  try {
    book ??= openAudit(file, { busyMs });
    return book.append(event, atMs);
  } catch (error) {
    // After a failed sync a connection is not used again.
    book?.close();
    book = undefined;
    throw error;
  }
});
