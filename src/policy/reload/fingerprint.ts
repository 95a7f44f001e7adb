/** What can be seen of a bundle's directory without reading its files: enough to know that something changed. */
import { readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../../core/errors.ts';
import { isDocumentName, SUBDIRECTORIES } from '../directory.ts';

/** What is seen of one file, its link followed. */
export interface Stamp {
  /** Device, inode, mode, owner, size, times of content and of inode: another text is another file, or another content. */
  readonly text: string;
  /** When its content was written, by the clock of the file system, ms. */
  readonly writtenMs: number;
}

export interface Fingerprint {
  /** Equal where nothing changed. */
  readonly text: string;
  /** By path relative to the directory. */
  readonly files: ReadonlyMap<string, Stamp>;
}

/** The link that a mounted ConfigMap or Secret is swapped by. */
export const MOUNT_LINK = '..data';
/** Beyond so many the loader refuses the directory anyway. */
const FILES_MAX = 10_000;
/** Looked at together, so that a large directory does not take all threads of the file system. */
const BATCH = 16;

/** Lists and looks at every file that may be the bundle's. Never throws: what cannot be looked at is seen as that. */
export async function fingerprintOf(dir: string): Promise<Fingerprint> {
  const names: string[] = [];
  const lines: string[] = [`${MOUNT_LINK} ${await readlink(join(dir, MOUNT_LINK)).catch(() => '')}`];
  for (const below of ['', ...SUBDIRECTORIES]) {
    try {
      const found = (await readdir(join(dir, below))).filter(isDocumentName).toSorted();
      names.push(...found.map((name) => (below === '' ? name : `${below}/${name}`)));
    } catch (cause) {
      lines.push(`${below} ${systemCodeOf(cause)}`);
    }
  }
  const files = new Map<string, Stamp>();
  for (let from = 0; from < Math.min(names.length, FILES_MAX); from += BATCH) {
    const batch = names.slice(from, from + BATCH);
    const stamps = await Promise.all(batch.map((name) => stampOf(join(dir, name))));
    for (const [index, name] of batch.entries()) files.set(name, stamps[index]!);
  }
  for (const [name, { text }] of files) lines.push(`${name} ${text}`);
  return { text: lines.join('\n'), files };
}

async function stampOf(path: string): Promise<Stamp> {
  try {
    const { dev, ino, mode, uid, gid, size, mtimeNs, ctimeNs, mtimeMs } = await stat(path, { bigint: true });
    return { text: [dev, ino, mode, uid, gid, size, mtimeNs, ctimeNs].join(' '), writtenMs: Number(mtimeMs) };
  } catch (cause) {
    return { text: systemCodeOf(cause) ?? 'unknown', writtenMs: 0 };
  }
}
