/** Programs of the repository that a bench looks at from outside. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_MS = 20_000;
const STOP_MS = 10_000;

export interface Program {
  readonly pid: number;
  /** The part of its output that said that it is ready. */
  readonly ready: RegExpExecArray;
  /** SIGTERM, and SIGKILL after ten seconds. */
  stop(): Promise<void>;
}

/** Runs `node ARGS` until it prints what `ready` matches. Throws with its output if it ends before, or is not ready in 20 s. */
export async function startProgram(args: readonly string[], ready: RegExp): Promise<Program> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      // Its later words are of no use here, and must not pile up.
      if (text.length < 65_536) text += part;
    });
  }
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.removeListener('exit', kill));
  const untilMs = performance.now() + READY_MS;
  for (;;) {
    const match = ready.exec(text);
    if (match !== null) return { pid: child.pid!, ready: match, stop: () => stop(child) };
    if (child.exitCode !== null || performance.now() > untilMs) {
      await stop(child);
      throw new Error(`\`${args[0]}\` did not start: ${text}`);
    }
    await sleep(10);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await once(child, 'exit');
  clearTimeout(killer);
}
