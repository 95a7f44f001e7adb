/** What the log and the audit are told of the policy: each thing once. */
import type { Logger } from 'pino';
import type { Audit, AuditEvent } from '../core/audit.ts';
import type { Policy } from '../policy/policy.ts';

/** Lines of the log for one bundle; how many more there are is said. */
const LINES_MAX = 20;

/** Why what lies in the directory is not in force. */
export interface PolicyFault {
  /** Of the refused bundle; empty where not even that is known. */
  readonly version: string;
  readonly atMs: number;
  /** As `tollgate check` prints them, at most 1000. */
  readonly problems: readonly string[];
}

/** Who reads that the bundle is refused looks for another fault than one of the settings, which hold up no other file. */
function stays(problems: readonly string[]): string {
  return problems.every((problem) => /^tollgate\.(?:yaml|json):/.test(problem))
    ? 'tollgate.yaml is not valid: its settings stay as they were; the other files are in force'
    : 'the bundle is not valid: the last good one stays in force';
}

export class PolicyNews {
  readonly #log: Logger;
  readonly #audit: Audit | undefined;
  /** What is said where there is no valid bundle at all. */
  readonly #none: string;

  /** Of an observed bundle nothing is on record: it decides nothing. */
  constructor(log: Logger, { audit, isObserved = false }: { readonly audit?: Audit; readonly isObserved?: boolean }) {
    this.#log = log;
    this.#audit = audit;
    this.#none = isObserved
      ? 'the observed bundle is not valid: nothing is observed until it is mended'
      : 'the bundle is not valid and there is no other: every call is refused until it is mended';
  }

  loaded(
    policy: Policy,
    { before, why, tookMs }: { readonly before: string | undefined; readonly why: string; readonly tookMs: number },
  ): void {
    const { version, priceVersion } = policy;
    const about = { policy_version: version, before, price_version: priceVersion, why, took_ms: tookMs };
    this.#log.info({ code: 'policy_loaded', ...about }, 'policy loaded');
    const changed = { before: before ?? null, after: version };
    this.#record({ object: version, ...changed, outcome: 'done', why, policyVersion: version });
  }

  /** `inForce`: the version that stays; undefined: none. */
  refused(
    { version, problems }: PolicyFault,
    { inForce, outcome }: { readonly inForce: string | undefined; readonly outcome: 'refused' | 'failed' },
  ): void {
    this.#log.error(
      { code: 'policy_refused', policy_version: inForce, refused_version: version, problems: problems.length },
      inForce === undefined ? this.#none : stays(problems),
    );
    this.#lines('error', 'bundle_problem', problems);
    const first = problems[0] ?? '';
    this.#record({
      object: version,
      before: inForce ?? null,
      after: inForce ?? null,
      outcome,
      why: problems.length > 1 ? `${first}, and ${problems.length - 1} more` : first,
      ...(inForce !== undefined && { policyVersion: inForce }),
    });
  }

  mended(version: string | undefined): void {
    this.#log.info({ code: 'policy_mended', policy_version: version }, 'what lies in the directory is in force');
  }

  warnings(texts: readonly string[]): void {
    this.#lines('warn', 'bundle_warning', texts);
  }

  moving(): void {
    this.#log.warn({ code: 'bundle_moving' }, 'the bundle is being written all the time; it is looked at again soon');
  }

  readerDied(why: string): void {
    this.#log.error({ code: 'bundle_reader_died', why }, 'the thread that reads bundles died');
  }

  settingsTaken(settings: readonly string[]): void {
    this.#log.info({ code: 'settings_taken', settings }, 'tollgate.yaml changed: these are in force');
  }

  restartNeeded(settings: readonly string[]): void {
    this.#log.warn({ code: 'restart_needed', settings }, 'tollgate.yaml changed: a restart puts it in force');
  }

  #lines(level: 'warn' | 'error', code: string, texts: readonly string[]): void {
    for (const text of texts.slice(0, LINES_MAX)) this.#log[level]({ code }, text);
    const left = texts.length - LINES_MAX;
    if (left > 0) this.#log[level]({ code }, `and ${left} more; \`tollgate check\` prints them all`);
  }

  #record(event: Omit<AuditEvent, 'who' | 'role' | 'verb'>): void {
    // The audit tells its own failure to the log.
    this.#audit?.append({ who: 'tollgate', role: 'system', verb: 'policy_reload', ...event }).catch(() => undefined);
  }
}
