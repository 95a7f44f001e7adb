/** The pod of the overlay `sidecar`, on this machine: its files, its sockets, its probes, and a call through it. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { startEnvoy } from '../../tools/envoy/start.ts';
import { layOut } from '../../tools/k8s/lay-out.ts';
import { type Container, containersOf, parseManifests, render, workloadsOf } from '../../tools/k8s/objects.ts';
import type { JsonMap } from '../../tools/k8s/sample.ts';
import { STUB_KEYS } from '../../tools/stub/keys.ts';
import { startStub } from '../../tools/stub/server.ts';
import { needEnvoy } from '../support/envoy.ts';
import { send } from '../support/http.ts';
import { needKustomize } from '../support/kustomize.ts';
import { ROOT, runCli, spawnNode } from '../support/process.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

const need = await needKustomize();
const { skip } = await needEnvoy();

test('the pod serves a call on its own sockets, and answers its probes', { skip: need.skip || skip }, async (t) => {
  const dir = await tempDir(t);
  const objects = parseManifests(await render(join(ROOT, 'k8s/overlays/sidecar'), need.kustomize!));
  const { pod } = workloadsOf(objects)[0]!;
  const [tollgate, envoy] = containersOf(pod) as [Container, Container];
  // As the kubelet makes an emptyDir with an fsGroup: open to all of the pod.
  const run = join(dir, 'run/tollgate');
  await mkdir(run, { recursive: true });
  await chmod(run, 0o2777);
  await mkdir(join(dir, 'var/lib/tollgate'), { recursive: true });
  await layOut({ objects, pod, container: tollgate, isToRun: true }, dir);
  await layOut({ objects, pod, container: envoy, isToRun: true }, dir);

  const config = join(dir, 'etc/tollgate');
  const bind = [
    '--account',
    'acme/search',
    '--class',
    'interactive',
    '--kind',
    'service',
    '--owner',
    'it@acme.example',
  ];
  const created = await runCli(t, ['keys', 'create', '--config', config, ...bind]);
  assert.equal(created.code, 0, created.stderr);
  const serving = spawnNode(t, [
    'src/cli/main.ts',
    ...tollgate.args!.map((word) => (word === '/etc/tollgate' ? config : word)),
  ]);
  await serving.line(/"code":"serving"/);
  assert.equal((await stat(join(run, 'own'))).mode & 0o777, 0o750);
  for (const name of ['check', 'access-log', 'admin']) {
    assert.equal((await stat(join(run, 'own', `${name}.sock`))).mode & 0o777, 0o660, name);
  }

  const codes = async () => [
    await probe(t, tollgate.livenessProbe, config),
    await probe(t, tollgate.readinessProbe, config),
  ];
  assert.deepEqual(await codes(), [0, 0]);

  const stub = await startStub();
  t.after(() => stub.stop());
  const bootstrap = await onThisMachine(dir, stub.port);
  const gateway = await startEnvoy({ bootstrap, dir });
  t.after(() => gateway.stop());
  const answer = await send({
    url: gateway.url,
    path: '/v1/chat/completions',
    headers: { authorization: `Bearer ${created.stdout.trim()}` },
    body: { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 20 },
  });
  assert.equal(answer.status, 200, answer.text);
  assert.match(String(answer.headers['x-tollgate-decision']), /./);

  const health = await healthUrl(gateway.adminUrl);
  const states = async () =>
    Promise.all(['/live', '/ready', '/v1/models'].map(async (path) => (await fetch(health + path)).status));
  assert.deepEqual(await states(), [200, 200, 404]);
  await fetch(`${gateway.adminUrl}/healthcheck/fail`, { method: 'POST' });
  assert.deepEqual(await states(), [200, 503, 404]);

  assert.equal((await serving.kill('SIGTERM')).code, 0);
  assert.deepEqual(await codes(), [1, 1]);
});

/** Exit code of a probe's command: the image's program is this repository's source. */
async function probe(scope: Scope, asked: Container['livenessProbe'], config: string): Promise<number | null> {
  const [node, program, ...args] = asked?.exec?.command ?? [];
  assert.equal(node, 'node');
  const source = program!.replace('/app/dist/', 'src/').replace(/\.js$/, '.ts');
  const child = spawnNode(scope, [source, ...args.map((word) => (word === '/etc/tollgate' ? config : word))]);
  return (await child.ended).code;
}

/** The pod's bootstrap with free ports, and the stub as OpenAI. */
async function onThisMachine(dir: string, stubPort: number): Promise<string> {
  const path = join(dir, 'etc/envoy/envoy.yaml');
  const root = parse(await readFile(path, 'utf8')) as {
    admin: { address: { socket_address: JsonMap } };
    static_resources: { listeners: { address: { socket_address: JsonMap } }[]; clusters: JsonMap[] };
  };
  root.admin.address.socket_address['port_value'] = 0;
  for (const { address } of root.static_resources.listeners) {
    Object.assign(address.socket_address, { address: '127.0.0.1', port_value: 0 });
  }
  const openai = root.static_resources.clusters.find(({ name }) => name === 'openai')!;
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value: stubPort } } };
  openai['type'] = 'STATIC';
  openai['load_assignment'] = { cluster_name: 'openai', endpoints: [{ lb_endpoints: [{ endpoint }] }] };
  delete openai['transport_socket'];
  await writeFile(path, stringify(root, { lineWidth: 0 }));
  const secret = join(dir, 'etc/envoy-secrets/openai.yaml');
  const text = await readFile(secret, 'utf8');
  await writeFile(secret, text.replace('stand-in', `Bearer ${STUB_KEYS.openai}`));
  return path;
}

/** Where the listener `health` is. */
async function healthUrl(adminUrl: string): Promise<string> {
  const { listener_statuses: listeners } = (await (await fetch(`${adminUrl}/listeners?format=json`)).json()) as {
    listener_statuses: { name: string; local_address: { socket_address: { port_value: number } } }[];
  };
  const found = listeners.find(({ name }) => name === 'health');
  return `http://127.0.0.1:${found!.local_address.socket_address.port_value}`;
}
