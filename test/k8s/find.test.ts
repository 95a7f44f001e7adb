/** Which kustomize renders. */
import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { K8sError } from '../../tools/k8s/errors.ts';
import { findKustomize } from '../../tools/k8s/find.ts';
import { tempDir } from '../support/temp.ts';

/** A program that answers every call with a line. */
async function fake(dir: string, name: string, says: string): Promise<string> {
  await mkdir(dir, { recursive: true });
  const path = join(dir, name);
  await writeFile(path, `#!/bin/sh\ncat <<'END'\n${says}\nEND\n`);
  await chmod(path, 0o755);
  return path;
}

const kubectl = (version: string) => JSON.stringify({ clientVersion: {}, kustomizeVersion: version }, undefined, 2);

describe('kustomize', () => {
  test('KUSTOMIZE_BIN comes first, as what its name says', async (t) => {
    const dir = await tempDir(t);
    for (const [name, subcommand] of [
      ['kubectl-1.30', 'kustomize'],
      ['kustomize', 'build'],
    ] as const) {
      const bin = await fake(dir, name, '');
      assert.deepEqual(await findKustomize({ env: { KUSTOMIZE_BIN: bin, PATH: '' } }), [bin, subcommand]);
    }
    const gone = join(dir, 'gone');
    const message = `KUSTOMIZE_BIN is \`${gone}\`, which is not an executable file`;
    await assert.rejects(findKustomize({ env: { KUSTOMIZE_BIN: gone } }), { name: K8sError.name, message });
  });

  test('an old one of PATH is passed over aloud, kustomize comes before kubectl', async (t) => {
    const dir = await tempDir(t);
    const old = await fake(join(dir, 'old'), 'kustomize', '{kustomize/v4.5.7  GitCommit:…}');
    const broken = await fake(join(dir, 'broken'), 'kubectl', 'error');
    const good = await fake(join(dir, 'good'), 'kubectl', kubectl('v5.0.1'));
    const said: string[] = [];
    const PATH = [old, broken, good].map((path) => join(path, '..')).join(':');
    assert.deepEqual(await findKustomize({ env: { PATH }, say: (line) => said.push(line) }), [good, 'kustomize']);
    assert.deepEqual(said, [
      `passing over ${old}: kustomize 4.5.7 found, 5 or newer expected`,
      `passing over ${broken}: kustomize no version found, 5 or newer expected`,
    ]);
    const newer = await fake(join(dir, 'good'), 'kustomize', 'v5.7.1');
    assert.deepEqual(await findKustomize({ env: { PATH }, say: () => {} }), [newer, 'build']);
  });

  test('the pinned one, where it lies already', async (t) => {
    const toolsDir = await tempDir(t);
    const pinned = await fake(toolsDir, 'kubectl-1.35', '');
    assert.deepEqual(await findKustomize({ env: { PATH: '' }, toolsDir }), [pinned, 'kustomize']);
  });
});
