/** One writer per ledger file. */
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TollgateError } from '../core/errors.ts';

const SQLITE_BUSY = 5;

/**
 * Takes the lock of a ledger file, or throws `ledger_locked`. It is an exclusive transaction held open on the database
 * `<file>.lock` beside it: a lock of the operating system, so it goes with its holder however that dies, and a file that is
 * left behind means nothing. Creates the lock file; never removes it (removing a lock file lets two holders in).
 */
export function lockLedger(file: string): { release(): void } {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(`${file}.lock`, { timeout: 0 });
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock?.close();
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY) {
      throw new TollgateError(
        'ledger_locked',
        `ledger \`${file}\` is in use by another \`tollgate serve\`; stop that one, or give this one a ledger file of its own (one process serves one gateway)`,
        { cause },
      );
    }
    throw new TollgateError(
      'ledger_unavailable',
      `ledger \`${file}\` cannot be locked; check that its directory exists and is writable`,
      { cause },
    );
  }
  const held = lock;
  return { release: () => held.close() };
}

/**
 * One path per file, whatever links lead to it: the lock stands beside the file itself. Creates the directory. Throws
 * `ledger_unavailable` where it cannot be used.
 */
export function realFile(file: string): string {
  try {
    mkdirSync(dirname(file), { recursive: true });
    return existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(file)), basename(file));
  } catch (cause) {
    throw new TollgateError('ledger_unavailable', `the directory of ledger \`${file}\` cannot be used`, { cause });
  }
}
