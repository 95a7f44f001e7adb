/**
 * `npm test [-- WORD …]`: every file test/…/*.test.ts, or those whose path contains one of the words. Rooms run two files
 * at a time, end-to-end files one by one (they own ports, an Envoy and the machine's attention). What a test stands on and
 * is missing is a loud skip at a desk, a failure where CI=true. Exits 0 if all that ran passed.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { findEnvoy } from './envoy/find.ts';

const ROOT = join(import.meta.dirname, '..');
const NODE_MAJOR = 24;
/** A single test that takes longer hangs. */
const TEST_TIMEOUT_MS = 180_000;

const NEEDS_ENVOY = /^test\/(e2e|envoy-config)\//;

/** Undefined: it is there, installed by now if need be. Else what to do. */
async function envoyMissing(): Promise<string | undefined> {
  try {
    await findEnvoy();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Test files by path, those that match a word if there are words. */
export function select(files: readonly string[], words: readonly string[]): string[] {
  return files
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word.replace(/^\.\//, ''))))
    .sort();
}

/** Leaves out, loudly, the files whose needs are missing. In CI that is an error. */
export async function withNeedsMet(
  files: readonly string[],
  { ci, say }: { readonly ci: boolean; readonly say: (line: string) => void },
): Promise<string[]> {
  const needing = files.filter((file) => NEEDS_ENVOY.test(file));
  const missing = needing.length === 0 ? undefined : await envoyMissing();
  if (missing === undefined) return [...files];
  say(`Envoy is missing: ${missing}`);
  if (ci) throw new Error(`${needing.length} test files need Envoy, and CI=true skips nothing`);
  say(`SKIPPED for want of Envoy: ${needing.join(' ')}`);
  return files.filter((file) => !needing.includes(file));
}

function say(line: string): void {
  process.stderr.write(`\n!! ${line}\n`);
}

/** Runs `node --test`; its exit code. */
function runTests(files: readonly string[], concurrency: number): Promise<number> {
  if (files.length === 0) return Promise.resolve(0);
  const options = ['--test', `--test-concurrency=${concurrency}`, `--test-timeout=${TEST_TIMEOUT_MS}`];
  const child = spawn(process.execPath, [...options, ...files], { cwd: ROOT, stdio: 'inherit' });
  // Ctrl-C reaches the whole group; staying until the children are gone keeps the terminal in order.
  process.on('SIGINT', () => undefined);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

async function main(words: readonly string[]): Promise<number> {
  const major = Number(process.versions.node.split('.')[0]);
  if (major !== NODE_MAJOR) {
    say(`Node ${NODE_MAJOR} expected, found ${process.versions.node}; \`npm ci\` brings one, \`npm test\` uses it`);
    return 1;
  }
  const all = globSync('test/**/*.test.ts', { cwd: ROOT }).map((file) => file.replaceAll('\\', '/'));
  const chosen = select(all, words);
  if (chosen.length === 0) {
    say(`no test file matches ${words.map((word) => `\`${word}\``).join(', ')}`);
    return 1;
  }
  const files = await withNeedsMet(chosen, { ci: process.env['CI'] === 'true', say });
  const rooms = await runTests(
    files.filter((file) => !file.startsWith('test/e2e/')),
    2,
  );
  const ends = await runTests(
    files.filter((file) => file.startsWith('test/e2e/')),
    1,
  );
  return rooms === 0 && ends === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
