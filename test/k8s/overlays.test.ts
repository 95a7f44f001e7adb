/** The command of docs/kubernetes.md: every overlay renders and is valid; what is wrong is named by the check that sees it. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { stringify } from 'yaml';
import { findEnvoy } from '../../tools/envoy/find.ts';
import { K8sError } from '../../tools/k8s/errors.ts';
import { render } from '../../tools/k8s/objects.ts';
import { checkOverlay, OVERLAYS, type OverlayResult } from '../../tools/k8s/overlay.ts';
import { needEnvoy } from '../support/envoy.ts';
import { needKustomize } from '../support/kustomize.ts';
import { ROOT, spawnNode } from '../support/process.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

const need = await needKustomize();
const skip = need.skip || (await needEnvoy()).skip;
const KINDS = {
  sidecar: 'StatefulSet',
  daemonset: 'DaemonSet',
  istio: 'StatefulSet EnvoyFilter AuthorizationPolicy Telemetry Sidecar PeerAuthentication DestinationRule',
};

/** A kustomization of the reader's that stands on an overlay. */
async function standingOn(dir: string, overlay: string, more: object = {}): Promise<string> {
  const own = join(dir, 'own');
  await mkdir(own);
  const resources = [relative(own, join(ROOT, 'k8s/overlays', overlay))];
  const base = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources };
  await writeFile(join(own, 'kustomization.yaml'), stringify({ ...base, ...more }));
  if (overlay === 'istio')
    await copyFile(join(ROOT, 'k8s/overlays/istio/meshconfig.yaml'), join(own, 'meshconfig.yaml'));
  return own;
}

async function checked(scope: Scope, overlay: string, more: object): Promise<OverlayResult> {
  const dir = await tempDir(scope);
  const own = await standingOn(dir, overlay, more);
  const work = join(dir, 'work');
  return checkOverlay({ root: ROOT, dir: own, kustomize: need.kustomize!, envoy: await findEnvoy(), work });
}

/** What `npm run k8s -- ARGS` runs. */
async function command(scope: Scope, args: readonly string[]) {
  const child = spawnNode(scope, ['tools/k8s/main.ts', ...args]);
  const { code } = await child.ended;
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}

describe('npm run k8s', { skip }, () => {
  // All three at once, as a table: page.test.ts.
  test('renders what is named, and finds nothing wrong', async (t) => {
    const { code, stdout, stderr } = await command(t, ['istio', 'daemonset', '--json']);
    const { overlays } = JSON.parse(stdout) as { overlays: { overlay: string; objects: number; faults: unknown[] }[] };
    assert.deepEqual(
      overlays.map(({ overlay, faults }) => [overlay, faults]),
      [
        ['istio', []],
        ['daemonset', []],
      ],
    );
    assert.equal(code, 0);
    assert.equal(stderr, '1/2 istio\n2/2 daemonset\n');
  });

  test('each has what it is for, and none a hostPath or a Secret', async () => {
    for (const name of OVERLAYS) {
      const text = await render(join(ROOT, 'k8s/overlays', name), need.kustomize!);
      for (const kind of KINDS[name].split(' ')) assert.match(text, new RegExp(`^kind: ${kind}$`, 'm'), name);
      assert.doesNotMatch(text, /hostPath:|^kind: Secret$/m);
    }
  });

  test('a table, the faults below it, and exit 1 for a kustomization of the reader’s', async (t) => {
    const own = await standingOn(await tempDir(t), 'sidecar', { replicas: [{ name: 'tollgate', count: 2 }] });
    const { code, stdout } = await command(t, [own]);
    assert.equal(code, 1);
    assert.match(stdout, /^overlay +objects +schema +rules +bundle +envoy\n/);
    assert.match(stdout, / {2}11 {2}valid {3}1 wrong {2}valid {3}valid\n/);
    assert.match(
      stdout,
      /: rules one-writer: StatefulSet tollgate\/tollgate: one process per ledger, found 2 replicas\n$/,
    );
  });

  for (const [n, args, code, said] of [
    [1, ['--help'], 0, /^npm run k8s -- .*\n[\s\S]*Example:\n/],
    [2, ['-h'], 0, /Exit codes: 0 all valid, 1 /],
    [3, ['--frob'], 2, /^k8s: Unknown option '--frob'/],
    [4, ['sidecars'], 2, /^k8s: expected one of `sidecar`, `daemonset`, `istio` or a directory, found `sidecars`\n/],
    [5, ['./docs/'], 1, /docs` cannot be rendered: .*kustomization/],
  ] as const) {
    test(`usage ${n}: ${args.join(' ')}: exit ${code}`, async (t) => {
      const answer = await command(t, args);
      assert.equal(answer.code, code);
      assert.match(code === 0 ? answer.stdout : answer.stderr, code === 1 ? new RegExp(said.source, 's') : said);
    });
  }
});

describe('what is wrong', { skip }, () => {
  test('an image of no version', async (t) => {
    const { faults } = await checked(t, 'daemonset', { images: [{ name: 'tollgate', newTag: 'latest' }] });
    assert.deepEqual(
      faults.map(({ check, rule }) => [check, rule]),
      [['rules', 'latest-tag']],
    );
  });

  test('a bundle that `tollgate check` refuses', async (t) => {
    const literals = ['access.yaml=owner: security@acme.example\nrules: []\nfrob: 1\n'];
    const configMapGenerator = [{ name: 'tollgate-bundle', namespace: 'tollgate', behavior: 'merge', literals }];
    const { faults } = await checked(t, 'sidecar', { configMapGenerator });
    assert.ok(faults.length > 0);
    assert.ok(faults.every(({ check, at }) => check === 'bundle' && at === 'StatefulSet tollgate/tollgate, tollgate'));
    assert.match(faults.map(({ text }) => text).join('\n'), /access\.yaml.*`frob`/);
  });

  test('a field that Envoy does not know, in the file of a pod and inside an EnvoyFilter', async (t) => {
    const literals = ['envoy.yaml=static_resourced: {}\n'];
    const configMapGenerator = [{ name: 'tollgate-envoy', namespace: 'tollgate', behavior: 'merge', literals }];
    const inPod = await checked(t, 'sidecar', { configMapGenerator });
    assert.deepEqual(
      inPod.faults.map(({ check, at }) => [check, at]),
      [['envoy', 'StatefulSet tollgate/tollgate, envoy']],
    );
    assert.match(inPod.faults[0]!.text, /static_resourced/);

    const path = '/spec/configPatches/1/patch/value/typed_config/max_request_byte';
    const patches = [
      { target: { kind: 'EnvoyFilter', name: 'tollgate-filters' }, patch: stringify([{ op: 'add', path, value: 1 }]) },
    ];
    const inFilter = await checked(t, 'istio', { patches });
    assert.deepEqual(
      inFilter.faults.map(({ check }) => check),
      ['envoy'],
    );
    assert.match(inFilter.faults[0]!.text, /max_request_byte/);
  });

  test('nothing, with the sample’s access log in place of Telemetry’s', async (t) => {
    const dir = await tempDir(t);
    const own = await standingOn(dir, 'istio');
    const components = [relative(own, join(ROOT, 'k8s/components/istio-access-log'))];
    const { faults, objects } = await checked(t, 'istio', { components });
    assert.deepEqual(faults, []);
    assert.ok(!objects.some(({ kind }) => kind === 'Telemetry'));
    assert.ok(objects.some(({ metadata }) => metadata.name === 'tollgate-access-log'));
  });

  test('a directory without a kustomization cannot be rendered', async (t) => {
    const dir = await tempDir(t);
    const options = { root: ROOT, dir, kustomize: need.kustomize!, envoy: '/bin/false', work: join(dir, 'work') };
    await assert.rejects(checkOverlay(options), K8sError);
  });
});
