/** What the admin port shows and does, from the parts of a running process. */
import type { AdminPorts, Caller, KeyView, PolicyView } from '../../admin/ports.ts';
import type { KnownToken } from '../../admin/tokens.ts';
import type { Audit } from '../../core/audit.ts';
import type { Clock } from '../../core/clock.ts';
import { TollgateError } from '../../core/errors.ts';
import { parseDecisionId } from '../../core/ids.ts';
import { keyRow } from '../../identity/key-list.ts';
import { createKey, type Registry, revokeKeyOf } from '../../identity/key-registry.ts';
import type { Peppers } from '../../identity/peppers.ts';
import type { Desk } from '../../ledger/desk.ts';
import type { MemoryLimitStore } from '../../limits/memory-store.ts';
import type { ApiKey, Policy } from '../../policy/policy.ts';
import type { Settings } from '../../policy/settings.ts';
import type { EventLog } from '../../telemetry/log.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { PolicyInForce } from '../policy-in-force.ts';
import { accountsPage, accountView, instant, limitsView } from './account-view.ts';
import type { BookQuestion } from './book-thread.ts';
import { configView } from './config-view.ts';
import { pageOf } from './page.ts';

export interface AdminParts {
  /** The bundle's directory. */
  readonly dir: string;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly audit: Audit;
  readonly lifecycle: Lifecycle;
  readonly policy: Pick<PolicyInForce, 'current' | 'status' | 'reload'>;
  readonly store: Pick<MemoryLimitStore, 'peek'>;
  readonly peppers: Peppers;
  readonly version: Readonly<Record<string, string>>;
  /** Prometheus text. */
  metrics(): Promise<string>;
}

/** Beside what the app has: the reading thread, and the tokens for the dump. */
export interface PortParts extends AdminParts {
  readonly books: Desk<BookQuestion, string | undefined>;
  tokens(): readonly KnownToken[];
}

export function adminPorts(parts: PortParts): AdminPorts {
  const { settings, events, audit, lifecycle, policy, books } = parts;
  const look = (): { policy: Policy; nowMs: number; peek: MemoryLimitStore['peek'] } => ({
    policy: inForce(parts),
    nowMs: parts.clock.nowMs(),
    peek: (ref) => parts.store.peek(ref),
  });
  return {
    version: parts.version,
    readiness: () => {
      const { ok, why } = lifecycle.ready();
      return { ready: ok, reasons: why, policy_version: policy.current()?.version };
    },
    metrics: () => parts.metrics(),
    policy: () => policyView(parts),
    reload: (caller) => reload(parts, caller),
    config: () => configView(settings, parts.tokens()),
    accounts: (query) => accountsPage(inForce(parts), query),
    account: (path) => accountView(path, look()),
    limits: (account) => limitsView(account, look()),
    decision: async (id) => {
      if (parseDecisionId(id) === undefined) throw new TollgateError('not_found', 'there is no decision of such an id');
      return books.ask({ what: 'decision', id });
    },
    decisions: async (query) => textOf(await books.ask({ what: 'decisions', query })),
    keys: ({ account, ...query }) => keysPage(parts, { account, ...query }),
    createKey: async (request, caller) => {
      const asked = { policy: inForce(parts), peppers: parts.peppers, nowMs: parts.clock.nowMs() };
      const { key, id, expires } = await createKey(request, asked, registryOf(parts, caller));
      await policy.reload(`key ${id} was made`);
      return { key, id, expires, live: policy.current()?.keys.has(id) ?? false };
    },
    revokeKey: async (id, caller) => {
      // What could not be recorded is told by the audit itself.
      const outcome = await revokeKeyOf(id, registryOf(parts, caller), () => {});
      await policy.reload(`key ${id} was revoked`);
      return { id, outcome, live: policy.current()?.keys.get(id)?.revoked ?? true };
    },
    audit: async (query) => textOf(await books.ask({ what: 'audit', query })),
    refused: ({ who, role, object, why }) => {
      const event = { who, role, verb: 'admin_refused', object, outcome: 'refused', ...versionOf(parts) } as const;
      audit.append(why === undefined ? event : { ...event, why }).catch(() => undefined);
    },
    failed: (cause) => void events.write('error', 'admin_failed', { cause }),
  };
}

function inForce({ policy }: AdminParts): Policy {
  const current = policy.current();
  if (current === undefined) throw new TollgateError('bundle_invalid', 'no policy is in force');
  return current;
}

function versionOf({ policy }: AdminParts): { readonly policyVersion?: string } {
  const version = policy.current()?.version;
  return version === undefined ? {} : { policyVersion: version };
}

function textOf(text: string | undefined): string {
  if (text === undefined) throw new TypeError('a list has an answer');
  return text;
}

function policyView({ policy }: AdminParts): PolicyView | undefined {
  const { version, loadedAtMs, fault } = policy.status();
  if (version === '' && fault === undefined) return undefined;
  const refused = fault && { version: fault.version, at: instant(fault.atMs), problems: fault.problems };
  return { version, since: instant(loadedAtMs), refused };
}

/**
 * Reads the bundle anew for somebody who asks. It is not held up where the audit cannot be written: what is read may be the
 * revocation that they wait for, and the version in force stands in every row of the ledger.
 */
async function reload(
  { policy, audit }: AdminParts,
  { who, role }: Caller,
): Promise<Awaited<ReturnType<PolicyInForce['reload']>>> {
  const before = policy.status().version;
  const found = await policy.reload(`${role} asked for it`);
  const isDone = found.outcome === 'loaded' || found.outcome === 'unchanged';
  const event = {
    who,
    role,
    verb: 'policy_reload',
    object: found.version,
    before: { version: before },
    after: { version: found.version, outcome: found.outcome },
    outcome: isDone ? 'done' : found.outcome === 'refused' ? 'refused' : 'failed',
    policyVersion: found.version,
  } as const;
  // The audit tells its own failure to the log.
  await audit.append(event).catch(() => undefined);
  return found;
}

function registryOf(parts: AdminParts, { who, role }: Caller): Registry {
  return {
    dir: parts.dir,
    audit: parts.audit,
    actor: { who, role },
    policyVersion: parts.policy.current()?.version,
  };
}

/** Sorted once: to sort 100 000 for each page would hold up decisions. */
const keysById = new WeakMap<Policy, readonly ApiKey[]>();

function sortedKeys(policy: Policy): readonly ApiKey[] {
  let keys = keysById.get(policy);
  if (keys === undefined) {
    keys = [...policy.keys.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    keysById.set(policy, keys);
  }
  return keys;
}

function isWithin(path: string, account: string): boolean {
  return path === account || path.startsWith(`${account}/`);
}

function keysPage(parts: AdminParts, query: Parameters<AdminPorts['keys']>[0]): ReturnType<AdminPorts['keys']> {
  const policy = inForce(parts);
  const nowMs = parts.clock.nowMs();
  const { account } = query;
  const keys = sortedKeys(policy);
  const meant = account === undefined ? keys : keys.filter((key) => isWithin(key.account, account));
  const { entries, next } = pageOf(meant, ({ id }) => id, query);
  const shown = entries.map((key): KeyView => {
    return { ...keyRow(key, policy, nowMs), environment: key.environment, revoked: key.revoked };
  });
  return { entries: shown, next };
}
