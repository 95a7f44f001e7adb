import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { type AdminRig, adminFor } from '../admin/rig.ts';
import { runCli, spawnNode } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

const scope = fileScope();
let rig: AdminRig;
let onSocket: AdminRig;

before(async () => {
  rig = await adminFor(scope, { roles: [] });
  onSocket = await adminFor(scope, { roles: [], listen: 'unix:run/admin' });
});

const address = () => rig.url.replace('http://', '');

test('a probe is told 0 where it is ready, by address, by socket, and by what tollgate.yaml says', async () => {
  const ready = await runCli(scope, ['health', '--admin', address()]);
  assert.equal(ready.code, 0, ready.stderr);
  assert.equal(JSON.parse(ready.stdout).ready, true);
  const byConfig = await runCli(scope, ['health', '--config', onSocket.dir]);
  assert.equal(byConfig.code, 0, byConfig.stderr);
  const live = await runCli(scope, ['health', '--config', onSocket.dir, '--live']);
  assert.deepEqual([live.code, live.stdout], [0, '{"live":true}\n']);
});

test('the file alone is the same command, and loads neither the policy nor a server', async (t) => {
  const trace = ['--input-type=module', '--eval', LOADED];
  const child = spawnNode(t, trace, { env: { TOLLGATE_ADMIN: address() } });
  const { code } = await child.ended;
  assert.equal(code, 0, child.output());
  const loaded = JSON.parse(child.stdout().split('\n').at(-2)!) as string[];
  assert.ok(loaded.some((file) => file.endsWith('src/cli/health.ts')));
  const heavy = loaded.filter((file) => /zod|grpc|sqlite|hono|pino|src\/(app|admin|ledger|limits)\//.test(file));
  assert.deepEqual(heavy, []);
});

/** Runs the command, and prints what was loaded for it. */
const LOADED = `
import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({ resolve(name, context, next) { const found = next(name, context); loaded.push(found.url); return found; } });
const { healthCommand } = await import('./src/cli/health.ts');
await healthCommand().parseAsync(['--admin', process.env.TOLLGATE_ADMIN], { from: 'user' });
console.log(JSON.stringify(loaded));
`;

test('one that ends lives, and is not ready', async (t) => {
  const own = await adminFor(t, { roles: [] });
  own.lifecycle.enter('draining');
  const at = own.url.replace('http://', '');
  const ready = await runCli(t, ['health', '--admin', at]);
  assert.deepEqual([ready.code, JSON.parse(ready.stdout).reasons], [1, ['the process is ending']]);
  assert.equal((await runCli(t, ['health', '--admin', at, '--live'])).code, 0);
});

test('one that takes connections and never answers is not waited for', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1');
  t.after(() => void silent.close());
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const { code, stderr } = await runCli(t, ['health', '--admin', `127.0.0.1:${port}`]);
  assert.deepEqual([code, stderr], [1, 'tollgate: the admin port does not answer: is `tollgate serve` running?\n']);
});

const WRONG: readonly [yaml: string, code: number, said: RegExp][] = [
  ['listen: {admin: off}\n', 2, /there is no admin port/],
  ['tls: {admin: check}\n', 2, /asks for certificates/],
  ['listen: {admin: nowhere}\n', 2, /expected an address/],
  ['listen: {admin: "127.0.0.1:1"}\n', 1, /does not answer/],
];
for (const [index, [yaml, code, said]] of WRONG.entries()) {
  test(`wrong ${index}: exit ${code}`, async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, 'tollgate.yaml'), yaml);
    const answer = await runCli(t, ['health', '--config', dir]);
    assert.equal(answer.code, code);
    assert.match(answer.stderr, said);
  });
}

test('neither an address nor a directory, or both, is wrong usage', async () => {
  assert.equal((await runCli(scope, ['health'])).code, 2);
  assert.equal((await runCli(scope, ['health', '--admin', '127.0.0.1:1', '--config', '.'])).code, 2);
});
