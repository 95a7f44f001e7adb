/** The files of a bundle's directory: which there are, which there may be, and the hash over them. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../core/errors.ts';
import { type Problems, show, topOf } from './problem.ts';

/** Names without extension of the bundle's files; each once, as `.yaml` or `.json`. */
const SINGLE = ['access', 'plans', 'traffic', 'models'] as const;
const MANY = ['accounts', 'keys'] as const;
const SETTINGS = 'tollgate';
const EXTENSIONS = ['.yaml', '.json'] as const;
/** Names that the file of the settings may have. */
export const SETTINGS_FILES: readonly string[] = EXTENSIONS.map((extension) => SETTINGS + extension);
/** Directories whose files are the bundle's. */
export const SUBDIRECTORIES: readonly string[] = MANY;
/** What may stand in a message as it is. */
const SAFE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const FILES_MAX = 10_000;
/** No file of a bundle may be larger; the parser's own bounds are lower. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** All of them together: they are in memory at once. 10 000 accounts are about 1 MiB. */
const ALL_BYTES_MAX = 64 * 1024 * 1024;

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
 * YAML nor JSON are not the bundle's; a YAML or JSON file that it does not know is an error, a directory with such files or
 * a copy of one under another ending a warning.
 */
export async function readBundleFiles(dir: string, problems: Problems): Promise<readonly BundleFile[]> {
  const names = await list(dir, '', problems);
  if (names === undefined) return [];
  const wanted: Omit<BundleFile, 'bytes'>[] = [];
  for (const name of names) {
    const role = roleOf(name);
    if (role !== undefined) wanted.push({ role, file: name });
    else if (isMeant(name))
      reportUnknown(
        name,
        problems,
        [...SINGLE, SETTINGS].map((each) => `${each}.yaml`),
      );
    else if (!isMany(name)) await warnIgnored(dir, name, problems);
  }
  for (const role of MANY) {
    if (!names.includes(role)) continue;
    for (const name of (await list(dir, role, problems)) ?? []) {
      const file = `${role}/${name}`;
      if (isDocument(name) && SAFE.test(name)) wanted.push({ role, file });
      else if (isMeant(name)) reportUnknown(file, problems, []);
      else await warnIgnored(dir, file, problems);
    }
  }
  const found: BundleFile[] = [];
  let bytesLeft = ALL_BYTES_MAX;
  for (const { role, file } of wanted) {
    const bytes = await read({ dir, file, bytesMax: Math.min(FILE_BYTES_MAX, bytesLeft) }, problems);
    if (bytes === undefined) continue;
    bytesLeft -= bytes.length;
    found.push({ role, file, bytes });
  }
  lintSingle(found, problems);
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
    problems.report('file-size', topOf(below || '.'), {
      text: `expected at most ${FILES_MAX} files, found ${names.length}`,
    });
  } catch (cause) {
    const what = below === '' ? `directory ${show(dir)}` : 'the directory';
    problems.report('file-unreadable', topOf(below || '.'), { text: `${what} cannot be read (${why(cause)})` });
  }
  return undefined;
}

/** The role of a file at the top of the bundle; undefined: it has none. */
function roleOf(name: string): FileRole | undefined {
  if (SETTINGS_FILES.includes(name)) return 'settings';
  return SINGLE.find((role) => EXTENSIONS.some((extension) => name === role + extension));
}

/** Whether a name may be that of a bundle's file; where it is, and whether it is known, is another question. */
export function isDocumentName(name: string): boolean {
  return !name.startsWith('.') && isMeant(name);
}

/** Whether whoever wrote it may take it for a file of the bundle. */
function isMeant(name: string): boolean {
  return /\.(ya?ml|json5?)$/i.test(name);
}

function isMany(name: string): boolean {
  return MANY.some((each) => each === name);
}

/** Nothing below an unknown directory is read, nor a copy like `access.yaml.bak`: told where one may believe that it is. */
async function warnIgnored(dir: string, file: string, problems: Problems): Promise<void> {
  if (isMeant(file.replace(/[.~][A-Za-z0-9]*~?$/, ''))) {
    problems.report('file-ignored', topOf(shown(file)), { text: 'a file of this name is not read' });
    return;
  }
  const below = await readdir(join(dir, file)).catch(() => []);
  // Other directories may be anybody's: key sets of issuers, sockets.
  if (!below.some((name) => /\.ya?ml$/i.test(name) || roleOf(name) !== undefined || isMany(name))) return;
  problems.report('file-ignored', topOf(shown(file)), {
    text: 'a directory of this name is no part of a bundle; nothing in it is read',
    misspelt: { name: file, known: MANY },
  });
}

function isDocument(name: string): boolean {
  return EXTENSIONS.some((extension) => name.endsWith(extension));
}

function reportUnknown(file: string, problems: Problems, known: readonly string[]): void {
  problems.report('file-unknown', topOf(shown(file)), {
    text: 'no file of a bundle has this name',
    misspelt: { name: file, known },
  });
}

function shown(file: string): string {
  return file.replace(/[^A-Za-z0-9._/-]/g, '?').slice(0, 200);
}

async function read(
  { dir, file, bytesMax }: { readonly dir: string; readonly file: string; readonly bytesMax: number },
  problems: Problems,
): Promise<Buffer | undefined> {
  try {
    const found = await stat(join(dir, file));
    // A pipe would keep the loader waiting.
    if (!found.isFile()) {
      problems.report('file-unreadable', topOf(file), { text: 'expected a file, found something else' });
    } else if (found.size > bytesMax) {
      const text = `expected at most ${FILE_BYTES_MAX} bytes, ${ALL_BYTES_MAX} in all files; found ${found.size}`;
      problems.report('file-size', topOf(file), { text });
    } else return await readFile(join(dir, file));
  } catch (cause) {
    problems.report('file-unreadable', topOf(file), { text: `the file cannot be read (${why(cause)})` });
  }
  return undefined;
}

/** Each single file is there, and once. */
function lintSingle(found: readonly BundleFile[], problems: Problems): void {
  for (const role of [...SINGLE, 'settings' as const]) {
    const files = found.filter((each) => each.role === role).map(({ file }) => file);
    if (files.length === 0 && role !== 'settings') {
      problems.report('file-missing', topOf(`${role}.yaml`), { text: 'the bundle needs this file' });
    }
    if (files.length > 1)
      problems.report('file-unknown', topOf(files[1]!), { text: `\`${files[0]}\` says the same; keep one` });
  }
}

function why(cause: unknown): string {
  return systemCodeOf(cause) ?? 'unknown error';
}
