import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scope } from './scope.ts';

/** A new directory, removed with all in it at the end of the scope. Short, so that Unix sockets fit into it. */
export async function tempDir(scope: Scope): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tg-'));
  scope.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
