import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { isExecutable } from '../executable.ts';
import { EnvoyError } from './errors.ts';
import { installEnvoy, installedEnvoy } from './install.ts';

const run = promisify(execFile);

/** The first Envoy with sse_to_metadata, without which streams are billed by estimate and the sample does not load. */
const ENVOY_MINOR_MIN = 38;

export interface FindEnvoyOptions {
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where a pinned Envoy lies or will lie; default `TOLLGATE_TOOLS_DIR`, else `.tools` in the root of the repository. */
  readonly toolsDir?: string;
  /** Told what is being done, one line each; default: standard error. */
  readonly say?: (line: string) => void;
}

/**
 * Finds an Envoy to run: `ENVOY_BIN`, else `envoy` of PATH if it is 1.38 or newer, else the pinned one, which is
 * installed first if need be (37 MB, once). Returns an absolute path.
 * @throws EnvoyError with what to do, if there is none and none can be installed
 */
export async function findEnvoy(options: FindEnvoyOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const say = options.say ?? ((line: string) => process.stderr.write(`${line}\n`));
  const named = env['ENVOY_BIN'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new EnvoyError('envoy_missing', `ENVOY_BIN is \`${named}\`, which is not an executable file`);
  }
  for (const dir of (env['PATH'] ?? '').split(delimiter)) {
    if (dir === '') continue;
    const candidate = join(dir, 'envoy');
    if (!(await isExecutable(candidate))) continue;
    const version = await envoyVersion(candidate);
    if (version !== undefined && isRecent(version)) return candidate;
    say(`passing over ${candidate}: ${version ?? 'no version'} found, 1.${ENVOY_MINOR_MIN} or newer expected`);
  }
  const toolsDir = options.toolsDir ?? env['TOLLGATE_TOOLS_DIR'];
  const at = toolsDir === undefined ? {} : { toolsDir };
  return (await installedEnvoy(toolsDir)) ?? (await installEnvoy({ ...at, say }));
}

/** `1.40.0` of what the binary says of itself; undefined if it does not run or says something else. */
async function envoyVersion(bin: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(bin, ['--version'], { timeout: 10_000 });
    return /\/(\d+\.\d+\.\d+)(?:-[^/]*)?\//.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

function isRecent(version: string): boolean {
  const [major, minor] = version.split('.').map(Number);
  return major! > 1 || (major === 1 && minor! >= ENVOY_MINOR_MIN);
}
