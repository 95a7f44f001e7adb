/** Loads a bundle's directory: every problem at once, and what may be used if there is none. */
import { compilePolicy } from './compile.ts';
import { type BundleFile, readBundleFiles, SETTINGS_FILES, versionOf } from './directory.ts';
import { ParsedFiles, readDocuments } from './documents.ts';
import type { Policy } from './policy.ts';
import { assemblePolicy, type PolicyParts } from './policy-parts.ts';
import { type Problem, Problems } from './problem.ts';
import { lintPeppers, lintReach } from './reach.ts';
import { lintFinished } from './reload/finished.ts';
import { compileSettings, type Settings, type SettingsNeeds } from './settings.ts';
import { unserved } from './unserved.ts';

export interface LoadedBundle {
  /** Undefined: at least one error in the bundle's files. */
  readonly policy: Policy | undefined;
  /** What `policy` was made of: plain data, that another thread can make it of again. */
  readonly parts: PolicyParts | undefined;
  /** Undefined: at least one error in tollgate.yaml. All defaults where there is no such file. */
  readonly settings: Settings | undefined;
  /** Errors, by file, line, column. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Problems beyond the first 1000. */
  readonly dropped: number;
  /** What the bundle asks for and this version does not serve yet, one sentence each. */
  readonly unserved: readonly string[];
  /** Hash of the bundle's files, 16 hex digits; the policy's version. */
  readonly version: string;
}

/**
 * Reads, checks and compiles the bundle in `dir`. Never throws for what is wrong in it, not even for a directory that is
 * not there: that is a problem like the others. Reads files, writes nothing. 10 000 accounts take about a second, on the
 * calling thread. `parsed`: kept from load to load, it spares what has not changed.
 */
export async function loadBundle(
  dir: string,
  { parsed = new ParsedFiles() }: { readonly parsed?: ParsedFiles } = {},
): Promise<LoadedBundle> {
  const problems = new Problems();
  const files = await readBundleFiles(dir, problems);
  return judgeFiles(dir, { files, parsed }, problems);
}

/** Reads and checks tollgate.yaml of `dir` alone: for what needs no policy. Problems elsewhere are not told. */
export async function loadSettings(dir: string): Promise<Pick<LoadedBundle, 'settings' | 'problems' | 'warnings'>> {
  const problems = new Problems();
  const files = await readBundleFiles(dir, problems);
  const settings = await soundSettings(dir, files, { lastsMaxMs: 0 }, problems);
  return { settings, ...split(problems.sorted().filter(({ file }) => SETTINGS_FILES.includes(file))) };
}

/**
 * The same of files that were read from `dir`; what was wrong with reading them stands in `problems`. `marked`: files that
 * have to end with `...`.
 */
export async function judgeFiles(
  dir: string,
  {
    files,
    parsed,
    marked = new Set(),
  }: {
    readonly files: readonly BundleFile[];
    readonly parsed: ParsedFiles;
    readonly marked?: ReadonlySet<string>;
  },
  problems: Problems,
): Promise<LoadedBundle> {
  lintFinished(files, marked, problems);
  const version = versionOf(files);
  const documents = readDocuments(files, problems, parsed);
  const parts = documents === undefined ? undefined : compilePolicy(documents, { dir, version }, problems);
  const policy = parts === undefined || problems.errors > 0 ? undefined : assemblePolicy(parts);
  if (policy !== undefined && documents !== undefined) lintReach(documents, policy, problems);
  const lastsMaxMs = Math.max(0, ...[...(parts?.routes.values() ?? [])].map((route) => route.lastsMaxMs));
  const settings = await soundSettings(dir, files, { lastsMaxMs }, problems);
  // Without the file the bundle is judged apart from where it will run.
  if (documents !== undefined && settings !== undefined && files.some(({ role }) => role === 'settings'))
    lintPeppers(documents, settings, problems);
  return {
    policy,
    parts: policy === undefined ? undefined : parts,
    // Of a directory that cannot be read nobody knows whether there is a tollgate.yaml.
    settings: problems.isWrong('.') ? undefined : settings,
    ...split(problems.sorted()),
    dropped: problems.dropped,
    unserved: documents === undefined ? [] : unserved(documents),
    version,
  };
}

/** Undefined: something is wrong with tollgate.yaml, be it that it cannot be read or is there twice. */
async function soundSettings(
  dir: string,
  files: readonly BundleFile[],
  needs: SettingsNeeds,
  problems: Problems,
): Promise<Settings | undefined> {
  const file = files.find(({ role }) => role === 'settings');
  const settings = await compileSettings(dir, file, needs, problems);
  return SETTINGS_FILES.some((name) => problems.isWrong(name)) ? undefined : settings;
}

function split(all: readonly Problem[]): Pick<LoadedBundle, 'problems' | 'warnings'> {
  return {
    problems: all.filter(({ severity }) => severity === 'error'),
    warnings: all.filter(({ severity }) => severity === 'warning'),
  };
}
