import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LoadedBundle, loadBundle } from '../../src/policy/bundle.ts';
import type { Policy } from '../../src/policy/policy.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

export const BUNDLES = fileURLToPath(new URL('../testdata/bundles/', import.meta.url));

/**
 * A copy of the base bundle with `overlay` (a directory below bundles/) and `files` laid over it; a file that is undefined is
 * taken away. Gone at the end of the scope.
 */
export async function bundleWith(
  scope: Scope,
  {
    overlay,
    files = {},
    base = 'base',
  }: { overlay?: string; files?: Record<string, string | Uint8Array | undefined>; base?: string },
): Promise<string> {
  const dir = await tempDir(scope);
  await cp(join(BUNDLES, base), dir, { recursive: true });
  if (overlay !== undefined) await cp(join(BUNDLES, overlay), dir, { recursive: true, force: true });
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, file)), { recursive: true });
    if (content === undefined) await rm(join(dir, file), { recursive: true });
    else await writeFile(join(dir, file), content);
  }
  return dir;
}

/** The policy of a bundle that must be valid; fails with its problems. */
export function policyOf(loaded: LoadedBundle): Policy {
  if (loaded.policy !== undefined) return loaded.policy;
  throw new Error(loaded.problems.map(({ file, line, text }) => `${file}:${line}: ${text}`).join('\n'));
}

export async function loadWith(scope: Scope, files: Record<string, string>): Promise<LoadedBundle> {
  return loadBundle(await bundleWith(scope, { files }));
}
