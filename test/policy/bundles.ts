import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type LoadedBundle, loadBundle } from '../../src/policy/bundle.ts';
import type { Policy } from '../../src/policy/policy.ts';

export const BUNDLES = fileURLToPath(new URL('../testdata/bundles/', import.meta.url));

/** A copy of the base bundle with `overlay` (a directory below bundles/) and `files` laid over it; gone after the test. */
export async function bundleWith(
  t: TestContext,
  {
    overlay,
    files = {},
    base = 'base',
  }: { overlay?: string; files?: Record<string, string | Uint8Array>; base?: string },
): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tollgate-bundle-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  await cp(join(BUNDLES, base), dir, { recursive: true });
  if (overlay !== undefined) await cp(join(BUNDLES, overlay), dir, { recursive: true, force: true });
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, file)), { recursive: true });
    await writeFile(join(dir, file), content);
  }
  return dir;
}

/** The policy of a bundle that must be valid; fails with its problems. */
export function policyOf(loaded: LoadedBundle): Policy {
  if (loaded.policy !== undefined) return loaded.policy;
  throw new Error(loaded.problems.map(({ file, line, text }) => `${file}:${line}: ${text}`).join('\n'));
}

export async function loadWith(t: TestContext, files: Record<string, string>): Promise<LoadedBundle> {
  return loadBundle(await bundleWith(t, { files }));
}
