/** Whose files differ. */
import { createHash } from 'node:crypto';
import type { BundleFile, FileRole } from '../directory.ts';

export interface FileChange {
  readonly file: string;
  /** Who owns files of its kind. */
  readonly owner: 'finance' | 'platform' | 'security';
  readonly change: 'added' | 'changed' | 'removed';
}

const OWNERS: Readonly<Record<FileRole, FileChange['owner']>> = {
  access: 'security',
  keys: 'security',
  plans: 'finance',
  accounts: 'finance',
  traffic: 'platform',
  models: 'platform',
  settings: 'platform',
};

/** Files that differ, by owner and name; tollgate.yaml too. */
export function diffFiles(before: readonly BundleFile[], after: readonly BundleFile[]): readonly FileChange[] {
  const [was, is] = [hashes(before), hashes(after)];
  const changes: FileChange[] = [];
  for (const { file, role } of [...after, ...before.filter((each) => !is.has(each.file))]) {
    if (was.get(file) === is.get(file)) continue;
    const change = !was.has(file) ? 'added' : is.has(file) ? 'changed' : 'removed';
    changes.push({ file, owner: OWNERS[role], change });
  }
  return changes.toSorted((a, b) => (`${a.owner} ${a.file}` < `${b.owner} ${b.file}` ? -1 : 1));
}

function hashes(files: readonly BundleFile[]): ReadonlyMap<string, string> {
  return new Map(files.map(({ file, bytes }) => [file, createHash('sha256').update(bytes).digest('base64')]));
}
