/** The audit of a process: what is said to it is freed of secrets, kept, and told to the log with its hash. */
import { userInfo } from 'node:os';
import type { Logger } from 'pino';
import type { Audit, AuditEvent, AuditValue, AuditVerb } from '../core/audit.ts';
import type { Clock } from '../core/clock.ts';
import { programBeside } from '../core/program.ts';
import { openAudit } from '../ledger/audit-book.ts';
import type { Append, AuditThreadData } from '../ledger/audit-thread.ts';
import { Desk } from '../ledger/desk.ts';
import { redact, redactText } from '../telemetry/redact.ts';
import type { SecretsOptions } from './secrets.ts';

/** How long another process may keep the file to itself; a record takes milliseconds. */
const BUSY_MS = 1_500;
/** The whole of an append. */
const APPEND_MS = 2_000;
/** Records that may wait for the disk; each is a person's deed, or a bundle's. */
const WAITING_MAX = 64;

const THREAD = programBeside(import.meta.url, '../ledger/audit-thread');

const SYSTEM = { who: 'tollgate', role: 'system' } as const;

export interface AuditOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The audit of `serve`. Records are written by a thread. Each one is told to the log too: a log that lies elsewhere shows an
 * audit that was made anew. One that cannot be written is an error in the log, with all that it says, before it rejects.
 */
export class ServingAudit implements Audit {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #desk: Desk<Append, { readonly seq: number; readonly hash: string }>;

  constructor({ file, clock, log }: AuditOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#desk = new Desk({
      thread: THREAD,
      data: { file, busyMs: BUSY_MS } satisfies AuditThreadData,
      deadlineMs: APPEND_MS,
      waitingMax: WAITING_MAX,
      code: 'audit_unavailable',
      name: 'the audit',
    });
  }

  async append(event: AuditEvent): Promise<void> {
    const clean = cleanEvent(event);
    try {
      const kept = await this.#desk.ask({ event: clean, atMs: this.#clock.nowMs() });
      this.#log.info({ ...clean, code: 'audit', audit_seq: kept.seq, audit_hash: kept.hash }, 'audit');
    } catch (cause) {
      this.#log.error({ ...clean, code: 'audit_failed', cause }, 'a record of the audit could not be written');
      throw cause;
    }
  }

  /** A record of what the process does of itself; one that cannot be written is told to the log, and holds nothing up. */
  tell(verb: AuditVerb, object: string, more: Partial<Pick<AuditEvent, 'outcome' | 'why'>> = {}): void {
    this.append({ ...SYSTEM, outcome: 'done', verb, object, ...more }).catch(() => undefined);
  }

  /** The last record, and the end of the thread; 2 s at most. */
  async end(policyVersion: string): Promise<void> {
    await this.append({ ...SYSTEM, outcome: 'done', verb: 'serve_stop', object: policyVersion }).catch(() => undefined);
    await this.close();
  }

  close(): Promise<void> {
    return this.#desk.close();
  }
}

/** Records of secret files that were taken, or refused, while the process runs. */
export function secretReloads(audit: ServingAudit): NonNullable<SecretsOptions['onReload']> {
  return (what, outcome, why) => audit.tell('secret_reload', what, { outcome, ...(why === undefined ? {} : { why }) });
}

/** The audit of a command, which may wait for the disk itself. */
export function commandAudit(file: string, clock: Clock): Audit {
  return {
    append: async (event) => {
      const book = openAudit(file, { busyMs: BUSY_MS });
      try {
        book.append(cleanEvent(event), clock.nowMs());
      } finally {
        book.close();
      }
    },
  };
}

/** Whoever runs a command, as the operating system knows them. */
export function operator(): Pick<AuditEvent, 'who' | 'role'> {
  try {
    return { who: userInfo().username, role: 'operator' };
  } catch {
    // A container's user may have no name.
    return { who: `uid ${process.getuid?.() ?? 'unknown'}`, role: 'operator' };
  }
}

function cleanEvent({ before, after, why, ...event }: AuditEvent): AuditEvent {
  return {
    ...event,
    who: redactText(event.who),
    object: redactText(event.object),
    ...(before === undefined ? {} : { before: redact(before) as AuditValue }),
    ...(after === undefined ? {} : { after: redact(after) as AuditValue }),
    ...(why === undefined ? {} : { why: redactText(why) }),
  };
}
