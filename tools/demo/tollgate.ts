/** Tollgate as processes of their own: commands that end, and the one that serves. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const CLI = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const COMMAND_MS = 60_000;
const READY_MS = 15_000;
/** Longer than Tollgate takes to finish what is under way. */
const STOP_MS = 10_000;

/** A Tollgate that serves, and where. */
export interface Serving {
  readonly child: ChildProcess;
  readonly check: { readonly port: number };
  readonly accessLog: { readonly port: number };
}

/** Runs one command to its end; answers what it printed. Throws with what it said where it fails. */
export async function runTollgate(args: readonly string[]): Promise<string> {
  try {
    return (await run(process.execPath, [CLI, ...args], { timeout: COMMAND_MS })).stdout;
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
    throw new Error(`\`tollgate ${args[0]}\` failed: ${said}`, { cause });
  }
}

/** Starts Tollgate on free ports, its log in a file; resolves when it serves. Leaves nothing running if it does not. */
export async function serveTollgate(bundle: string, log: string): Promise<Serving> {
  const file = await open(log, 'w');
  const child = spawn(process.execPath, [CLI, 'serve', '--config', bundle], { stdio: ['ignore', 'ignore', file.fd] });
  await file.close();
  const until = performance.now() + READY_MS;
  for (;;) {
    const text = await readFile(log, 'utf8');
    const line = text.split('\n').find((each) => each.endsWith('}') && each.includes('"code":"serving"'));
    if (line !== undefined) {
      const { check, access_log } = JSON.parse(line) as { check: string; access_log: string };
      return { child, check: portOf(check), accessLog: portOf(access_log) };
    }
    if (hasEnded(child) || performance.now() > until) {
      await stopTollgate(child);
      throw new Error(`tollgate did not start: ${text}`);
    }
    await sleep(20);
  }
}

/** SIGINT, which ends without the drain, and SIGKILL after 10 s. Safe to call twice. */
export async function stopTollgate(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(killer);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function portOf(endpoint: string): { port: number } {
  return { port: Number(endpoint.slice(endpoint.lastIndexOf(':') + 1)) };
}
