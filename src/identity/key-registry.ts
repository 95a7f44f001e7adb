/** API keys of a bundle, made and revoked, by commands and by the admin port alike. Every change leaves a record. */
import { mkdir } from 'node:fs/promises';
import type * as z from 'zod';
import type { Audit, AuditEvent, AuditValue, AuditVerb } from '../core/audit.ts';
import { systemCodeOf, TollgateError } from '../core/errors.ts';
import { keysDirectory } from '../policy/directory.ts';
import { environment, keyId, kind, owner } from '../policy/forms.ts';
import type { Policy } from '../policy/policy.ts';
import { mintApiKey } from './api-key.ts';
import { digestText } from './digest.ts';
import { appendKey, type KeyEntry, keyFileOf, revokeKey } from './key-file.ts';
import { lifetimeOf } from './lifetime.ts';
import type { Peppers } from './peppers.ts';

/** Whose bundle, and who changes it. */
export interface Registry {
  /** The bundle's directory. */
  readonly dir: string;
  readonly audit: Audit;
  readonly actor: Pick<AuditEvent, 'who' | 'role'>;
  /** Of the policy that the change is judged by; undefined: none is known. */
  readonly policyVersion: string | undefined;
}

export interface NewKey {
  readonly account: string;
  readonly class: string;
  readonly kind: string;
  readonly owner: string;
  /** `90d`, or the last day; undefined: as long as `credentials.age_max` lets it. */
  readonly expires: string | undefined;
  /** Undefined: the bundle's. */
  readonly environment: string | undefined;
}

export interface MintedKey {
  /** The secret. It is in this value alone. */
  readonly key: string;
  readonly id: string;
  readonly environment: string;
  /** Last day, UTC. */
  readonly expires: string;
  /** Where its digest stands. */
  readonly file: string;
}

/**
 * Makes a key and puts its digest into keys/. Throws `usage` for what the policy does not know, `settings_invalid` without a
 * pepper, `bundle_read_only` where keys/ cannot be written. Without a record there is no key: where the audit cannot be
 * written, the entry is revoked again, nobody has seen the secret, and `audit_unavailable` is thrown.
 */
export async function createKey(
  asked: NewKey,
  { policy, peppers, nowMs }: { readonly policy: Policy; readonly peppers: Peppers; readonly nowMs: number },
  registry: Registry,
): Promise<MintedKey> {
  const { dir } = registry;
  let id = '';
  const keysDir = keysDirectory(dir);
  return recorded(registry, { verb: 'key_create', object: () => id || asked.account }, async () => {
    const lifetime = lifetimeOf(nowMs, { asked: asked.expires, ageMaxMs: policy.keyAgeMaxMs });
    if ('text' in lifetime) throw new TollgateError('usage', lifetime.text);
    assertKnown(asked, policy);
    if (peppers.newest === undefined)
      throw new TollgateError('settings_invalid', 'there is no pepper to digest keys under');
    const minted = mintApiKey(asked.environment ?? policy.environment);
    const file = keyFileOf(keysDir, asked.account);
    const entry: KeyEntry = {
      account: asked.account,
      digest: digestText(minted.key, peppers),
      kind: asked.kind as KeyEntry['kind'],
      class: asked.class,
      environment: minted.environment,
      owner: asked.owner,
      ...lifetime,
    };
    await writable(keysDir, async () => {
      await mkdir(keysDir, { recursive: true });
      await appendKey(file, minted.id, entry);
    });
    id = minted.id;
    const { digest: _digest, ...after } = entry;
    return {
      result: { key: minted.key, id, environment: minted.environment, expires: lifetime.expires, file },
      after,
      undo: async () => void (await revokeKey(keysDir, minted.id)),
    };
  });
}

/**
 * Revokes a key. Throws `usage` for what is no id (it is not repeated: it may be a whole key), `not_found`,
 * `bundle_read_only`. A key is revoked even where the audit cannot be written: closing is never held up by our own records;
 * `onUnrecorded` is told.
 */
export async function revokeKeyOf(
  id: string,
  registry: Registry,
  onUnrecorded: (cause: unknown) => void,
): Promise<'revoked' | 'already'> {
  if (!keyId.safeParse(id).success) throw new TollgateError('usage', 'expected a public id like `k7f3q2abcdef`');
  const keysDir = keysDirectory(registry.dir);
  return recorded(registry, { verb: 'key_revoke', object: () => id, onUnrecorded }, async () => {
    const outcome = await writable(keysDir, () => revokeKey(keysDir, id));
    if (outcome === 'unknown') throw new TollgateError('not_found', `no key \`${id}\` in \`${keysDir}\``);
    return { result: outcome, before: { revoked: outcome === 'already' }, after: { revoked: true } };
  });
}

interface Change<T> {
  readonly result: T;
  readonly before?: AuditValue;
  readonly after: AuditValue;
  /** Takes it back where it cannot be recorded. */
  undo?(): Promise<void>;
}

interface Deed {
  readonly verb: AuditVerb;
  object(): string;
  /** Told that the record could not be written of a change that stands all the same; undefined: then it does not stand. */
  onUnrecorded?(cause: unknown): void;
}

/** Makes the change and records it; one that is refused or fails is recorded too, as far as that is possible. */
async function recorded<T>(registry: Registry, deed: Deed, make: () => Promise<Change<T>>): Promise<T> {
  const { audit, actor, policyVersion } = registry;
  const event = (more: Pick<AuditEvent, 'outcome' | 'before' | 'after' | 'why'>): AuditEvent => ({
    ...actor,
    verb: deed.verb,
    object: deed.object(),
    ...(policyVersion === undefined ? {} : { policyVersion }),
    ...more,
  });
  let change: Change<T>;
  try {
    change = await make();
  } catch (error) {
    const isRefusal = error instanceof TollgateError;
    const why = isRefusal ? error.message : 'a failure of the system';
    await audit.append(event({ outcome: isRefusal ? 'refused' : 'failed', why })).catch(() => undefined);
    throw error;
  }
  const { result, before, after, undo } = change;
  try {
    await audit.append(event({ outcome: 'done', after, ...(before === undefined ? {} : { before }) }));
  } catch (cause) {
    if (deed.onUnrecorded === undefined) {
      await undo?.();
      throw cause;
    }
    deed.onUnrecorded(cause);
  }
  return result;
}

/** Says of a directory that nobody may write what to do instead. */
async function writable<T>(keysDir: string, change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    const code = systemCodeOf(error) ?? systemCodeOf(error instanceof Error ? error.cause : undefined);
    if (code !== 'EROFS' && code !== 'EACCES' && code !== 'EPERM') throw error;
    throw new TollgateError(
      'bundle_read_only',
      `\`${keysDir}\` cannot be written here (${code}): use \`tollgate keys\` where the bundle is kept, and publish it`,
      { cause: error },
    );
  }
}

function assertKnown(asked: NewKey, policy: Policy): void {
  if (policy.account(asked.account)?.declared !== true) {
    throw new TollgateError('usage', `expected an account that accounts/ declares, found \`${asked.account}\``);
  }
  if (!policy.classes.includes(asked.class)) {
    throw new TollgateError(
      'usage',
      `expected one of the classes \`${policy.classes.join('`, `')}\`, found \`${asked.class}\``,
    );
  }
  assertForm(asked.kind, kind);
  assertForm(asked.owner, owner);
  if (asked.environment !== undefined) assertForm(asked.environment, environment);
}

function assertForm(text: string, form: z.ZodType): void {
  if (form.safeParse(text).success) return;
  throw new TollgateError('usage', `expected ${form.description}, found \`${text}\``);
}
