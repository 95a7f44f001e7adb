/** Peppers: what API keys are digested under. One file for each version, so that a rotation adds a file and takes one away. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { TollgateError } from '../core/errors.ts';

const PEPPER_BYTES = 32;

/** Peppers by version. */
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
  const byVersion = new Map([...versions].map(([version, file]) => [version, readPepper(file)]));
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
