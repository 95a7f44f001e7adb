/** The files of a bundle's directory: which there are, which there may be, and the hash over them. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../core/errors.ts';
import { nearest, type Problems } from './problem.ts';

/** Names without extension of the bundle's files; each once, as `.yaml` or `.json`. */
const SINGLE = ['access', 'plans', 'traffic', 'models'] as const;
const MANY = ['accounts', 'keys'] as const;
const SETTINGS_NAME = 'tollgate';
const EXTENSIONS = ['.yaml', '.json'] as const;
/** What may stand in a message as it is. */
const SAFE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const FILES_MAX = 10_000;
/** No file of a bundle may be larger; the parser's own bounds are lower. */
const READ_BYTES_MAX = 16 * 1024 * 1024;

export type FileRole = (typeof SINGLE)[number] | (typeof MANY)[number] | 'settings';

export interface BundleFile {
  readonly role: FileRole;
  /** Relative to the directory, with `/`. */
  readonly file: string;
  readonly bytes: Buffer;
}

/** Where `tollgate keys` writes key files: `keys/` below the bundle's directory. */
export function keysDirectory(dir: string): string {
  return join(dir, 'keys');
}

/**
 * Reads every file of the bundle and tollgate.yaml, in the order of their names. Hidden files and files that are neither
 * YAML nor JSON are not the bundle's; a YAML or JSON file that it does not know is an error.
 */
export async function readBundleFiles(dir: string, problems: Problems): Promise<readonly BundleFile[]> {
  const found: BundleFile[] = [];
  const names = await list(dir, '', problems);
  if (names === undefined) return [];
  for (const name of names) {
    const role = roleOf(name, problems);
    if (role !== undefined) found.push(...(await read(dir, name, role, problems)));
  }
  for (const role of MANY) {
    if (!names.includes(role)) continue;
    for (const name of (await list(dir, role, problems)) ?? []) {
      const file = `${role}/${name}`;
      if (isDocument(name) && SAFE.test(name)) found.push(...(await read(dir, file, role, problems)));
      else if (/\.(ya?ml|json5?)$/i.test(name)) unknown(file, undefined, problems);
    }
  }
  complain(found, problems);
  return found.toSorted((a, b) => (a.file < b.file ? -1 : 1));
}

/** sha256 over names and bytes in the order of names, 16 hex digits; tollgate.yaml is left out. */
export function versionOf(files: readonly BundleFile[]): string {
  const hash = createHash('sha256');
  for (const { role, file, bytes } of files) {
    if (role !== 'settings') hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex').slice(0, 16);
}

async function list(dir: string, below: string, problems: Problems): Promise<readonly string[] | undefined> {
  try {
    const names = (await readdir(join(dir, below))).filter((name) => !name.startsWith('.')).toSorted();
    if (names.length <= FILES_MAX) return names;
    problems.report('file-size', top(below || '.'), {
      text: `expected at most ${FILES_MAX} files, found ${names.length}`,
    });
  } catch (cause) {
    const text = `the directory cannot be read (${why(cause)})`;
    problems.report('file-unreadable', top(below || '.'), { text });
  }
  return undefined;
}

function roleOf(name: string, problems: Problems): FileRole | undefined {
  const known = [...SINGLE, SETTINGS_NAME];
  const stem = known.find((each) => EXTENSIONS.some((extension) => name === each + extension));
  if (stem === SETTINGS_NAME) return 'settings';
  if (stem !== undefined) return stem as FileRole;
  if (/\.(ya?ml|json5?)$/i.test(name))
    unknown(
      name,
      nearest(
        name,
        known.map((each) => `${each}.yaml`),
      ),
      problems,
    );
  return undefined;
}

function unknown(file: string, meant: string | undefined, problems: Problems): void {
  problems.report('file-unknown', top(file.replace(/[^A-Za-z0-9._/-]/g, '?').slice(0, 200)), {
    text: 'no file of a bundle has this name',
    nearest: meant,
  });
}

async function read(dir: string, file: string, role: FileRole, problems: Problems): Promise<BundleFile[]> {
  try {
    const found = await stat(join(dir, file));
    // A pipe would keep the loader waiting.
    if (!found.isFile()) {
      problems.report('file-unreadable', top(file), { text: 'expected a file, found something else' });
      return [];
    }
    const { size } = found;
    if (size > READ_BYTES_MAX) {
      problems.report('file-size', top(file), { text: `expected at most ${READ_BYTES_MAX} bytes, found ${size}` });
      return [];
    }
    return [{ role, file, bytes: await readFile(join(dir, file)) }];
  } catch (cause) {
    problems.report('file-unreadable', top(file), { text: `the file cannot be read (${why(cause)})` });
    return [];
  }
}

function complain(found: readonly BundleFile[], problems: Problems): void {
  for (const role of [...SINGLE, 'settings' as const]) {
    const files = found.filter((each) => each.role === role).map(({ file }) => file);
    if (files.length === 0 && role !== 'settings') {
      problems.report('file-missing', top(`${role}.yaml`), { text: 'the bundle needs this file' });
    }
    if (files.length > 1)
      problems.report('file-unknown', top(files[1]!), { text: `\`${files[0]}\` says the same; keep one` });
  }
}

function isDocument(name: string): boolean {
  return EXTENSIONS.some((extension) => name.endsWith(extension));
}

function top(file: string) {
  return { file, line: 1, column: 1, path: '' };
}

function why(cause: unknown): string {
  return systemCodeOf(cause) ?? 'unknown error';
}
