/** An admin port over real parts: bundle, policy, counters, ledger and audit in a directory of its own. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { ServerBounds } from '../../src/admin/server.ts';
import { type AdminListener, startAdmin } from '../../src/app/admin/listener.ts';
import { ServingAudit } from '../../src/app/audit.ts';
import { Lifecycle } from '../../src/app/lifecycle.ts';
import { openSecrets } from '../../src/app/secrets.ts';
import type { AdminRole } from '../../src/core/admin-role.ts';
import { ADMIN_ROLES } from '../../src/core/admin-role.ts';
import { systemClock } from '../../src/core/clock.ts';
import { Health } from '../../src/envoy/health.ts';
import { newPepperText, peppersOf } from '../../src/identity/peppers.ts';
import { openAuditReader } from '../../src/ledger/audit-book.ts';
import type { AuditRecord } from '../../src/ledger/audit-record.ts';
import { openSqliteLedger, type SqliteLedger } from '../../src/ledger/sqlite-ledger.ts';
import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import { loadBundle } from '../../src/policy/bundle.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { formatProblem } from '../../src/policy/problem.ts';
import { createLog, EventLog } from '../../src/telemetry/log.ts';
import { bundleWith } from '../policy/bundles.ts';
import { type Answer, type Sent, send } from '../support/http.ts';
import type { Scope } from '../support/scope.ts';

/** Tokens as an operator would make them. */
export const TOKENS = Object.fromEntries(
  ADMIN_ROLES.map((role) => [role, createHash('sha256').update(`canary ${role}`).digest('hex')]),
) as Readonly<Record<AdminRole, string>>;

export interface AdminRig {
  readonly url: string;
  readonly dir: string;
  readonly policy: () => Policy;
  readonly store: MemoryLimitStore;
  readonly ledger: SqliteLedger;
  readonly lifecycle: Lifecycle;
  readonly listener: AdminListener;
  /** All lines of the log so far. */
  log(): string;
  /** A request as a role asks it; `undefined`: without a token. */
  ask(role: AdminRole | undefined, sent: Omit<Sent, 'url'>): Promise<Answer>;
  /** Records of the audit, the oldest first; none where there is no file yet. */
  records(): readonly AuditRecord[];
}

export interface RigOptions {
  readonly roles?: readonly AdminRole[];
  /** Lines of tollgate.yaml beside those of the rig. */
  readonly settings?: string;
  readonly files?: Record<string, string | undefined>;
  readonly bounds?: Partial<ServerBounds>;
  /** Files of secrets in the bundle's directory, by name. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Instead of `roles`: all of `admin`. */
  readonly admin?: string;
  /** Default 127.0.0.1:0. */
  readonly listen?: string;
}

/** Starts it for the time of the scope. */
export async function adminFor(scope: Scope, options: RigOptions = {}): Promise<AdminRig> {
  const { roles = ADMIN_ROLES.filter((role) => role !== 'metrics') } = options;
  const dir = await bundleWith(scope, { files: { ...options.files, ...settingsOf(roles, options) } });
  for (const [name, text] of Object.entries(options.secrets ?? {}))
    await writeFile(join(dir, name), text, { mode: 0o600 });
  for (const role of roles) await writeFile(join(dir, role), `${TOKENS[role]}\n`, { mode: 0o600 });
  await writeFile(join(dir, 'pepper'), newPepperText(), { mode: 0o600 });
  const { policy: first, settings, problems } = await loadBundle(dir);
  if (first === undefined || settings === undefined) throw new Error(problems.map(formatProblem).join('\n'));
  const lines: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  const log = createLog({ stream });
  const store = new MemoryLimitStore(systemClock);
  const ledger = await openSqliteLedger({ file: settings.ledger.path });
  const audit = new ServingAudit({ file: settings.audit.path, clock: systemClock, log });
  const lifecycle = new Lifecycle(new Health([]));
  lifecycle.enter('serving');
  const inForce = new InForce(dir, first);
  const events = new EventLog(log, systemClock, { perMinute: 100 });
  const listener = (await startAdmin({
    dir,
    settings,
    clock: systemClock,
    events,
    audit,
    lifecycle,
    policy: inForce,
    store,
    peppers: peppersOf(settings.peppers),
    version: { version: '0.0.0-test' },
    metrics: async () => '# TYPE tollgate_test counter\ntollgate_test 1\n',
    door: (await openSecrets(settings, { clock: systemClock, events })).doors.admin,
    ...(options.bounds && { bounds: options.bounds }),
  }))!;
  scope.after(async () => {
    await listener.close();
    await audit.close();
    await ledger.close();
  });
  const { endpoint } = listener;
  const url = endpoint.kind === 'tcp' ? `http://127.0.0.1:${endpoint.port}` : '';
  return {
    url,
    dir,
    policy: () => inForce.current(),
    store,
    ledger,
    lifecycle,
    listener,
    log: () => lines.join(''),
    ask: (role, sent) => send({ url, ...sent, headers: { ...tokenHeader(role), ...sent.headers } }),
    records: () => {
      const book = openAuditReader(settings.audit.path);
      if (book === undefined) return [];
      try {
        return book.list({ limit: 1_000 }).toReversed();
      } finally {
        book.close();
      }
    },
  };
}

function tokenHeader(role: AdminRole | undefined): Record<string, string> {
  return role === undefined ? {} : { authorization: `Bearer ${TOKENS[role]}` };
}

function settingsOf(
  roles: readonly AdminRole[],
  { settings = '', listen = '127.0.0.1:0', admin: written }: RigOptions,
) {
  const held = roles.map((role) => `${role}: {token: ${role}}`).join(', ');
  const admin = written ?? (roles.length === 0 ? '' : `admin: {roles: {${held}}}\n`);
  return {
    'tollgate.yaml': `listen: {admin: "${listen}"}\nledger: {path: data/ledger.db}\npeppers: {v1: pepper}\n${admin}${settings}`,
  };
}

/** Loads in this thread what the process loads in another: its own tests are test/policy and test/e2e. */
class InForce {
  readonly #dir: string;
  #policy: Policy;
  readonly #loadedAtMs = systemClock.nowMs();
  #problems: readonly string[] = [];

  constructor(dir: string, policy: Policy) {
    this.#dir = dir;
    this.#policy = policy;
  }

  current(): Policy {
    return this.#policy;
  }

  status() {
    const fault = this.#problems.length === 0 ? undefined : { version: '', atMs: 0, problems: this.#problems };
    return { version: this.#policy.version, loadedAtMs: this.#loadedAtMs, fault };
  }

  async reload() {
    const { policy, problems } = await loadBundle(this.#dir);
    this.#problems = problems.map(formatProblem);
    const before = this.#policy.version;
    this.#policy = policy ?? this.#policy;
    const outcome = policy === undefined ? 'refused' : policy.version === before ? 'unchanged' : 'loaded';
    return { outcome, version: this.#policy.version, problems: this.#problems } as const;
  }
}
