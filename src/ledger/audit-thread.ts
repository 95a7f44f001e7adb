/** The thread that appends to the audit for a serving process, so that no decision waits for its disk. */
import { statSync } from 'node:fs';
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
let opened: string | undefined;

answerAtDesk(({ event, atMs }: Append) => {
  // What was moved or taken away is still open here, and takes records that nobody would find.
  if (opened !== identityOf(file)) close();
  try {
    book ??= openAudit(file, { busyMs });
    opened = identityOf(file);
    return book.append(event, atMs);
  } catch (error) {
    // After a failed sync a connection is not used again.
    close();
    throw error;
  }
});

function close(): void {
  book?.close();
  book = undefined;
}

/** Undefined: there is no such file. */
function identityOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}
