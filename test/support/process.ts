import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from './scope.ts';

export const ROOT = join(import.meta.dirname, '..', '..');

/** Sources are stripped and compiled once for all children: halves the time that a command takes to start. */
const COMPILE_CACHE = join(ROOT, 'node_modules', '.cache', 'node-compile');

export interface Child {
  readonly pid: number;
  /** All output so far, both streams as they came. */
  output(): string;
  stdout(): string;
  stderr(): string;
  /** The first line of output that matches; rejects with the output if the process ends first, or after `withinMs` (10000). */
  line(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray>;
  /** Sends the signal and waits for the end; SIGKILL after 5 s. Does nothing to what has ended. */
  kill(signal?: NodeJS.Signals): Promise<Ended>;
  readonly ended: Promise<Ended>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a command said, and how it ended. */
export interface CliAnswer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tollgate ARGS` to its end. */
export async function runCli(scope: Scope, args: readonly string[]): Promise<CliAnswer> {
  const child = spawnNode(scope, ['src/cli/main.ts', ...args]);
  const { code } = await child.ended;
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}

/** Runs `node ARGS` (this very binary) in the root of the repository. Killed at the end of the scope, if not before. */
export function spawnNode(
  scope: Scope,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Child {
  const child = spawn(process.execPath, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { all: '', stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts.all += text;
      texts[name] += text;
    });
  }
  let hasEnded = false;
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      hasEnded = true;
      resolve({ code, signal });
    });
  });
  const handle: Child = {
    pid: child.pid ?? 0,
    output: () => texts.all,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    async line(pattern, withinMs = 10_000) {
      const until = performance.now() + withinMs;
      for (;;) {
        for (const line of texts.all.split('\n')) {
          const match = pattern.exec(line);
          if (match !== null) return match;
        }
        if (hasEnded) throw new Error(`ended without a line ${pattern}:\n${texts.all}`);
        if (performance.now() > until) throw new Error(`no line ${pattern} within ${withinMs} ms:\n${texts.all}`);
        await sleep(10);
      }
    },
    async kill(signal = 'SIGTERM') {
      if (!hasEnded) child.kill(signal);
      const killer = setTimeout(() => child.kill('SIGKILL'), 5000);
      try {
        return await ended;
      } finally {
        clearTimeout(killer);
      }
    },
    ended,
  };
  scope.after(async () => void (await handle.kill('SIGKILL')));
  return handle;
}
