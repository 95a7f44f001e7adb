/** Peppers: what API keys are digested under. One file for each version, so that a rotation adds a file and takes one away. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { TollgateError } from '../core/errors.ts';
import { secretFileFault } from '../policy/secret-file.ts';
import { PEPPER_FILE } from '../policy/settings.ts';

const PEPPER_BYTES = 32;

/** Peppers by version. Where they may change, `byVersion` is another map afterwards. */
export interface Peppers {
  /** The version that new keys are digested under; undefined: there is none, and no key can be proved. */
  readonly newest: string | undefined;
  readonly byVersion: ReadonlyMap<string, KeyObject>;
}

/** The text of a new pepper file: 32 random bytes in hex and a line feed. */
export function newPepperText(): string {
  return `${randomBytes(PEPPER_BYTES).toString('hex')}\n`;
}

/** Reads the text of a pepper file: 64 hex digits and at most one line feed. Undefined for anything else. */
export function parsePepper(text: string): KeyObject | undefined {
  const match = /^([0-9a-fA-F]{64})\n?$/.exec(text);
  return match === null ? undefined : createSecretKey(Buffer.from(match[1]!, 'hex'));
}

/**
 * Reads the pepper files of `versions` (`v1` → path), as the settings name them. None is allowed: then every key is refused.
 * Throws `secret_unreadable`, which names file and remedy and never a content. Blocks: for start and commands.
 */
export function peppersOf(versions: ReadonlyMap<string, string>): Peppers {
  return peppersIn(new Map([...versions].map(([version, file]) => [version, readPepper(file)])));
}

function peppersIn(byVersion: ReadonlyMap<string, KeyObject>): Peppers {
  const newest = [...byVersion.keys()].toSorted((a, b) => Number(b.slice(1)) - Number(a.slice(1)))[0];
  return { newest, byVersion };
}

function readPepper(file: string): KeyObject {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (cause) {
    const remedy = `\`tollgate keys pepper ${file}\` makes one`;
    throw new TollgateError('secret_unreadable', `pepper file \`${file}\` cannot be read; ${remedy}`, { cause });
  }
  const pepper = parsePepper(text);
  if (pepper === undefined) {
    throw new TollgateError('secret_unreadable', `pepper file \`${file}\`: expected 64 hex digits and nothing else`);
  }
  return pepper;
}

/** What a look at the pepper files found. Versions, and for a file that cannot be used why: never a content. */
export interface PepperChange {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly gone: readonly string[];
  /** These versions stay as they were, or are not there yet. */
  readonly faults: ReadonlyMap<string, string>;
}

/** Peppers of a process that serves: they follow their files, and a reload may name others. */
export class LivePeppers implements Peppers {
  #versions: ReadonlyMap<string, string>;
  #peppers: Peppers;
  /** Looks come one after the other, so that the last one asked for counts. */
  #turn: Promise<unknown> = Promise.resolve();

  /** As `peppersOf`: reads at once, and throws where one cannot be read. */
  constructor(versions: ReadonlyMap<string, string>) {
    this.#versions = versions;
    this.#peppers = peppersOf(versions);
  }

  get newest(): string | undefined {
    return this.#peppers.newest;
  }

  get byVersion(): ReadonlyMap<string, KeyObject> {
    return this.#peppers.byVersion;
  }

  /** Takes what the files hold now. Never rejects: a file that is gone or cannot be used leaves its version as it was. */
  refresh(): Promise<PepperChange> {
    return this.#look(undefined);
  }

  /** As `refresh`, for other files or versions; those that are not among them are forgotten. */
  follow(versions: ReadonlyMap<string, string>): Promise<PepperChange> {
    return this.#look(versions);
  }

  #look(versions: ReadonlyMap<string, string> | undefined): Promise<PepperChange> {
    const found = this.#turn.then(async () => {
      const named = versions ?? this.#versions;
      const read = await Promise.all(
        [...named].map(async ([version, file]) => [version, await pepperIn(file)] as const),
      );
      return this.#take(named, read);
    });
    this.#turn = found;
    return found;
  }

  #take(
    versions: ReadonlyMap<string, string>,
    read: readonly (readonly [version: string, found: KeyObject | string])[],
  ): PepperChange {
    const before = this.byVersion;
    const after = new Map<string, KeyObject>();
    const faults = new Map<string, string>();
    for (const [version, found] of read) {
      const kept = typeof found === 'string' ? before.get(version) : found;
      if (typeof found === 'string') faults.set(version, found);
      if (kept !== undefined) after.set(version, kept);
    }
    const added = [...after.keys()].filter((version) => !before.has(version));
    const gone = [...before.keys()].filter((version) => !after.has(version));
    const changed = [...after].filter(([version, key]) => before.get(version)?.equals(key) === false);
    this.#versions = versions;
    if (added.length + gone.length + changed.length > 0) this.#peppers = peppersIn(after);
    return { added, gone, changed: changed.map(([version]) => version), faults };
  }
}

/** The pepper in `file`, or what is wrong with it. */
async function pepperIn(file: string): Promise<KeyObject | string> {
  const fault = await secretFileFault(file, PEPPER_FILE);
  if (fault !== undefined) return fault;
  const text = await readFile(file, 'latin1').catch(() => '');
  return parsePepper(text) ?? 'something else than 64 hex digits';
}
