/** What docs/kubernetes.md shows is so. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { findEnvoy } from '../../tools/envoy/find.ts';
import { SECRETS } from '../../tools/k8s/lay-out.ts';
import { checkOverlay } from '../../tools/k8s/overlay.ts';
import { needEnvoy } from '../support/envoy.ts';
import { needKustomize } from '../support/kustomize.ts';
import { ROOT, spawnNode } from '../support/process.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

const run = promisify(execFile);
const need = await needKustomize();
const skip = need.skip || (await needEnvoy()).skip;
const page = await readFile(join(ROOT, 'docs/kubernetes.md'), 'utf8');
const blocks = [...page.matchAll(/^ *```[a-z]*\n([\s\S]*?)^ *```$/gm)].map(([, block]) =>
  block!.replace(/^ {3}/gm, ''),
);
const [command, shown, kustomization, secrets, key] = blocks as [string, string, string, string, string];

/** What the page's commands need of the repository, in a directory of its own. */
async function repositoryCopy(scope: Scope): Promise<string> {
  const dir = await tempDir(scope);
  for (const part of ['package.json', 'src', 'envoy', 'k8s'])
    await cp(join(ROOT, part), join(dir, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  return dir;
}

describe('docs/kubernetes.md', () => {
  test('the command prints the table that is shown', { skip }, async (t) => {
    assert.equal(command, 'npm ci && npm run k8s\n');
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: { k8s: string } };
    assert.equal(scripts.k8s, 'node tools/k8s/main.ts');
    const child = spawnNode(t, ['tools/k8s/main.ts']);
    assert.equal((await child.ended).code, 0);
    assert.equal(child.stdout(), shown);
  });

  test('a kustomization of the reader’s stands on an overlay', { skip }, async (t) => {
    const dir = await repositoryCopy(t);
    const own = join(dir, 'deploy');
    await mkdir(own);
    await writeFile(join(own, 'kustomization.yaml'), kustomization);
    const options = {
      root: ROOT,
      dir: own,
      kustomize: need.kustomize!,
      envoy: await findEnvoy(),
      work: join(dir, 'work'),
    };
    const { objects, faults } = await checkOverlay(options);
    assert.deepEqual(faults, []);
    assert.match(JSON.stringify(objects), /"image":"registry\.example\/tollgate:0\.1\.0"/);
  });

  test('the Secrets are those that the manifests mount; what makes them runs', async (t) => {
    const made = [...secrets.matchAll(/create secret generic (\S+) (.*)$/gm)].map(([, name, files]) => [
      name,
      [...files!.matchAll(/--from-file=(\S+)/g)].map(([, path]) => basename(path!)),
    ]);
    assert.deepEqual(
      made,
      [...SECRETS].map(([name, data]) => [name, Object.keys(data)]),
    );
    const dir = await repositoryCopy(t);
    const here = secrets.split('\n').filter((line) => !line.startsWith('kubectl'));
    const { stdout } = await run('sh', ['-ec', `${here.join('\n')}\n${key}`], { cwd: dir, timeout: 60_000 });
    assert.match(stdout, /^tg_prod_\S+$/m);
    for (const [, path] of secrets.matchAll(/--from-file=(\S+)/g)) await readFile(join(dir, path!));
    await readFile(join(dir, 'k8s/base/bundle/keys/acme.yaml'));
    for (const [, name] of secrets.matchAll(/apply -f (\S+)/g)) await readFile(join(dir, name!));
  });

  test('a key of the bundle reaches the pod by the two lines that are named', { skip }, async (t) => {
    const dir = await repositoryCopy(t);
    const [, generated, placed] = /\(`(keys-acme[^`]*)`\)[\s\S]*?\(`(\{ key: keys-acme[^`]*)`\)/.exec(page)!;
    const add = async (path: string, before: string, line: string) => {
      const text = await readFile(join(dir, path), 'utf8');
      assert.ok(text.includes(before), path);
      const indent = /^ */.exec(before)![0];
      await writeFile(join(dir, path), text.replace(before, `${before}${indent}- ${line}\n`));
    };
    const file = join(dir, 'k8s/base/bundle/keys/acme.yaml');
    await mkdir(join(file, '..'));
    const digest = `hmac-sha256:v1:${'A'.repeat(43)}`;
    const bound = 'kind: service, class: interactive, environment: prod, owner: it@acme.example';
    const day = (fromNow: number) => new Date(Date.now() + fromNow * 86_400_000).toISOString().slice(0, 10);
    await writeFile(
      file,
      `abcdefghjkmn: {account: acme, digest: "${digest}", ${bound}, created: ${day(-1)}, expires: ${day(30)}}\n`,
    );
    const overlay = join(dir, 'k8s/overlays/sidecar');
    const check = async (work: string) =>
      checkOverlay({
        root: ROOT,
        dir: overlay,
        kustomize: need.kustomize!,
        envoy: await findEnvoy(),
        work: join(dir, work),
      });
    await add('k8s/base/kustomization.yaml', '      - access.yaml=bundle/access.yaml\n', generated!);
    const half = await check('half');
    assert.deepEqual(
      half.faults.map(({ rule, text }) => `${rule}: ${text}`),
      ['dangling-config: key `keys-acme.yaml` of ConfigMap `tollgate-bundle` is mounted nowhere'],
    );
    await add('k8s/base/stateful-set.yaml', '                    - { key: access.yaml, path: access.yaml }\n', placed!);
    assert.deepEqual((await check('whole')).faults, []);
  });
});
