/** keys/*.yaml as `tollgate keys` changes them: one entry more, or one revoked, whole or not at all. Holds digests, never keys. */
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Document, isMap, parseDocument } from 'yaml';
import { systemCodeOf, TollgateError } from '../core/errors.ts';
import type { Kind } from '../policy/policy.ts';

/** One key as the file says it. Dates are days like `2026-01-31`. */
export interface KeyEntry {
  readonly account: string;
  /** `hmac-sha256:v1:…`. */
  readonly digest: string;
  readonly kind: Kind;
  readonly class: string;
  readonly environment: string;
  readonly owner: string;
  readonly created: string;
  /** The last day on which it is valid. */
  readonly expires: string;
}

/** Another command holds the lock for milliseconds; whoever waits longer waits for one that died. */
const LOCK_WAIT_MS = 5_000;
const LOCK_POLL_MS = 20;
/** No folding of long lines, and maps as the documentation writes them. */
const FORM = { lineWidth: 0, flowCollectionPadding: false } as const;

/** The file for the keys of an account: one for each customer. */
export function keyFileOf(keysDir: string, account: string): string {
  // A file whose name begins with a dot is not the bundle's.
  return join(keysDir, `${account.split('/')[0]!.replace(/^\./, '_')}.yaml`);
}

/**
 * Adds an entry to `file`, which is made if it is not there (its directory must be). Readers see the old file or the new
 * one. Throws `bundle_invalid` where the file is no mapping of keys or has the id, and changes nothing then.
 */
export async function appendKey(file: string, id: string, entry: KeyEntry): Promise<void> {
  await withLock(dirname(file), async () => {
    const before = (await readIfThere(file)) ?? '';
    const line = new Document({ [id]: entry });
    const map = line.get(id, true);
    if (isMap(map)) map.flow = true;
    const after = `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}${line.toString(FORM)}`;
    assertAppended({ before, after, id, file });
    await replace(file, after);
  });
}

/**
 * Marks a key as revoked in whichever file of `keysDir` declares it. Needs no other part of the bundle to be in order.
 * `already`: it was before. `unknown`: no file declares it.
 */
export async function revokeKey(keysDir: string, id: string): Promise<'revoked' | 'already' | 'unknown'> {
  return withLock(keysDir, async () => {
    for (const name of (await readdir(keysDir)).toSorted()) {
      if (!/^[^.].*\.(?:yaml|json)$/.test(name)) continue;
      const file = join(keysDir, name);
      const text = await readFile(file, 'utf8');
      const keys = parseDocument(text);
      const entry = keys.get(id);
      if (!isMap(entry)) {
        // The file that cannot be read may be the one that has the key: silence would pass for "not here".
        if (keys.errors.length > 0) throw unreadable(file);
        continue;
      }
      if (keys.errors.length > 0) throw unreadable(file);
      if (entry.get('revoked') === true) return 'already';
      entry.set('revoked', true);
      await replace(file, name.endsWith('.json') ? `${JSON.stringify(keys.toJS(), null, 2)}\n` : keys.toString(FORM));
      return 'revoked';
    }
    return 'unknown';
  });
}

/** Text appended to a file that ends inside something (a flow map, a block text) would mean something else. */
function assertAppended(change: {
  readonly before: string;
  readonly after: string;
  readonly id: string;
  readonly file: string;
}): void {
  const before = parseDocument(change.before);
  const after = parseDocument(change.after);
  const names = isMap(before.contents) ? before.contents.items.length : 0;
  const isMapping = before.contents === null || isMap(before.contents);
  if (before.errors.length > 0 || !isMapping) throw unreadable(change.file);
  if (before.has(change.id))
    throw new TollgateError('bundle_invalid', `\`${change.file}\` has a key \`${change.id}\` already`);
  const fits = after.errors.length === 0 && isMap(after.contents) && after.contents.items.length === names + 1;
  if (!fits || !after.has(change.id)) {
    throw new TollgateError(
      'bundle_invalid',
      `\`${change.file}\`: expected a mapping with one key a line, which an entry can be added to`,
    );
  }
}

function unreadable(file: string): TollgateError {
  return new TollgateError(
    'bundle_invalid',
    `\`${file}\` is not a mapping of keys; \`tollgate check\` shows what is wrong`,
  );
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes beside the file, then renames over it, both flushed: after a crash there is the one or the other. */
async function replace(file: string, text: string): Promise<void> {
  const mode = (await stat(file).catch(() => undefined))?.mode ?? 0o644;
  const draft = join(dirname(file), `.${basename(file)}.${process.pid}.tmp`);
  try {
    const handle = await open(draft, 'w', mode & 0o777);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  const directory = await open(dirname(file), 'r');
  await directory.sync().finally(() => directory.close());
}

/** One command at a time changes the keys of a bundle; two at once would lose one's entry. */
async function withLock<T>(keysDir: string, change: () => Promise<T>): Promise<T> {
  const lock = join(keysDir, '.lock');
  for (let waitedMs = 0; ; waitedMs += LOCK_POLL_MS) {
    try {
      await (await open(lock, 'wx')).close();
      break;
    } catch (cause) {
      if (systemCodeOf(cause) !== 'EEXIST')
        throw new TollgateError('bundle_invalid', `\`${keysDir}\` cannot be written`, { cause });
      if (waitedMs >= LOCK_WAIT_MS) {
        throw new TollgateError(
          'bundle_invalid',
          `another command changes these keys; if none runs, remove \`${lock}\``,
        );
      }
      await sleep(LOCK_POLL_MS);
    }
  }
  try {
    return await change();
  } finally {
    await rm(lock, { force: true });
  }
}
