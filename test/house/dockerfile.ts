/** A reader of the Dockerfile's small language, and a runner of its stages in an empty folder, for where there is no engine. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export interface Instruction {
  readonly line: number;
  readonly word: string;
  readonly rest: string;
}

/** Instructions in order, continued lines joined, comments left out. */
export function readDockerfile(text: string): Instruction[] {
  const found: Instruction[] = [];
  let pending = '';
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    pending += line.replace(/\\$/, ' ');
    if (line.endsWith('\\')) continue;
    const match = /^([A-Z]+)\s+(.*)$/.exec(pending.trim());
    if (match === null) throw new Error(`line ${index + 1}: not an instruction: ${pending}`);
    found.push({ line: index + 1, word: match[1]!, rest: match[2]! });
    pending = '';
  }
  return found;
}

/** What a stage leaves: its root directory, and what its last instructions say. */
export interface Stage {
  readonly name: string;
  readonly root: string;
  workdir: string;
  readonly env: Record<string, string>;
  user: string | undefined;
  entrypoint: readonly string[];
  cmd: readonly string[];
}

export interface RunnerOptions {
  /** The build context; only `copied` of it may be read. */
  readonly context: string;
  /** Empty; stages are made below it. */
  readonly dir: string;
  /** Environment of the commands, PATH and HOME included. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs commands as this user and group; undefined: as whoever runs the test. */
  readonly uid: number | undefined;
}

/** Runs every stage; throws with the output of the first command that fails. */
export function runStages(instructions: readonly Instruction[], options: RunnerOptions): Stage[] {
  const stages: Stage[] = [];
  for (const instruction of instructions) {
    if (instruction.word === 'FROM') stages.push(newStage(instruction.rest, stages.length, options));
    else apply(stages.at(-1)!, stages, instruction, options);
  }
  return stages;
}

/** Runs a command in the stage as its user, with absolute paths of the image read below its root. */
export function runIn(stage: Stage, argv: readonly string[], options: RunnerOptions) {
  const mapped = argv.map((word) => (word.startsWith(`${stage.workdir}/`) ? join(stage.root, word) : word));
  const as =
    options.uid === undefined ? [] : ['setpriv', `--reuid=${options.uid}`, `--regid=${options.uid}`, '--clear-groups'];
  const [program, ...args] = [...as, ...mapped];
  return spawnSync(program!, args, {
    cwd: join(stage.root, stage.workdir),
    env: { ...options.env, ...stage.env },
    encoding: 'utf8',
    timeout: 170_000,
  });
}

function newStage(rest: string, index: number, options: RunnerOptions): Stage {
  const name = / AS (\S+)$/i.exec(rest)?.[1] ?? String(index);
  const root = join(options.dir, `stage-${name}`);
  mkdirSync(root, { recursive: true });
  return { name, root, workdir: '/', env: {}, user: undefined, entrypoint: [], cmd: [] };
}

function apply(
  stage: Stage,
  stages: readonly Stage[],
  { line, word, rest }: Instruction,
  options: RunnerOptions,
): void {
  switch (word) {
    case 'WORKDIR':
      stage.workdir = rest;
      mkdirSync(join(stage.root, rest), { recursive: true });
      own(join(stage.root, rest), options.uid);
      return;
    case 'ENV':
      for (const pair of rest.split(/\s+/)) stage.env[pair.split('=')[0]!] = pair.slice(pair.indexOf('=') + 1);
      return;
    case 'COPY':
      copy(stage, stages, rest, options);
      return;
    case 'RUN': {
      const { status, stdout, stderr, error } = runIn(stage, ['sh', '-c', rest], options);
      if (status !== 0)
        throw new Error(`line ${line}: ${rest}: exit ${status} ${error?.message ?? ''}\n${stdout}\n${stderr}`);
      return;
    }
    case 'USER':
      stage.user = rest;
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(rest) as string[];
      return;
    case 'CMD':
      stage.cmd = JSON.parse(rest) as string[];
      return;
    case 'EXPOSE':
      return;
    default:
      throw new Error(`line ${line}: \`${word}\` is not an instruction that this test knows`);
  }
}

/** COPY of files into a directory (`…/`), and of one directory's contents into another. */
function copy(stage: Stage, stages: readonly Stage[], rest: string, options: RunnerOptions): void {
  const words = rest.split(/\s+/);
  const flags = words.filter((word) => word.startsWith('--'));
  const paths = words.filter((word) => !word.startsWith('--'));
  const from = flags.find((flag) => flag.startsWith('--from='))?.slice('--from='.length);
  const base = from === undefined ? options.context : stages.find(({ name }) => name === from)!.root;
  const target = paths.pop()!;
  const into = target.startsWith('/') ? join(stage.root, target) : join(stage.root, stage.workdir, target);
  for (const path of paths) {
    const source = join(base, path);
    if (!existsSync(source)) throw new Error(`COPY ${path}: not in ${from ?? 'the context'}`);
    const isDirectory = lstatSync(source).isDirectory();
    const to = isDirectory || !target.endsWith('/') ? into : join(into, path.split('/').at(-1)!);
    mkdirSync(isDirectory ? to : dirname(to), { recursive: true });
    cpSync(source, to, { recursive: true });
  }
  own(stage.root, options.uid);
}

/** Gives a tree to the user that the commands run as. */
function own(path: string, uid: number | undefined): void {
  if (uid === undefined) return;
  chownSync(path, uid, uid);
  for (const below of globSync('**', { cwd: path })) {
    const at = join(path, below);
    if (!lstatSync(at).isSymbolicLink()) chownSync(at, uid, uid);
  }
}

/** A `bin` directory with this Node and the npm of PATH, readable by anybody, wherever they lie on this host. */
export function toolbox(dir: string): string {
  const bin = join(dir, 'bin');
  mkdirSync(bin, { recursive: true });
  cpSync(process.execPath, join(bin, 'node'));
  cpSync(npmPackage(), join(dir, 'npm'), { recursive: true });
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\nexec ${join(bin, 'node')} ${join(dir, 'npm/bin/npm-cli.js')} "$@"\n`);
  for (const name of readdirSync(bin)) chmodSync(join(bin, name), 0o755);
  return bin;
}

function npmPackage(): string {
  const { stdout } = spawnSync('sh', ['-c', 'readlink -f "$(command -v npm)"'], { encoding: 'utf8' });
  return dirname(dirname(stdout.trim()));
}
