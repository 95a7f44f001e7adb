import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EnvoyError } from './errors.ts';
import { findEnvoy } from './find.ts';

export interface StartEnvoyOptions {
  /** Path of a bootstrap file (see `writeBootstrap`). */
  readonly bootstrap: string;
  /** Directory for envoy.log and the admin address; made if missing. */
  readonly dir: string;
  /** The binary; default: `findEnvoy()`. */
  readonly bin?: string;
}

export interface RunningEnvoy {
  readonly pid: number;
  /** The gateway, `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly port: number;
  readonly adminUrl: string;
  readonly logPath: string;
  /** Resolves when the process has ended, by itself or by `stop`. */
  readonly exited: Promise<void>;
  /**
   * SIGTERM, and SIGKILL after 5 s. Safe to call twice. Envoy does not flush its access log on the way: entries of the last
   * 100 ms are lost, so wait that long after the last answer where they matter.
   */
  stop(): Promise<void>;
}

/** From the start to an answer of /ready at the admin port. */
const READY_WITHIN_MS = 15_000;
const STOP_WITHIN_MS = 5000;

/**
 * Starts Envoy and waits until it serves. It dies with this process: at a normal exit, and on Linux with `setpriv` at any.
 * @throws EnvoyError `port_in_use` or `envoy_failed`, with the reason from its log
 */
export async function startEnvoy(options: StartEnvoyOptions): Promise<RunningEnvoy> {
  const bin = options.bin ?? (await findEnvoy());
  await mkdir(options.dir, { recursive: true });
  const logPath = join(options.dir, 'envoy.log');
  const addressPath = join(options.dir, 'admin-address');
  await rm(addressPath, { force: true });
  const log = await open(logPath, 'w');
  const args = ['-c', options.bootstrap, '--admin-address-path', addressPath, '--disable-hot-restart'];
  args.push('--concurrency', '1', '--log-level', 'warning');
  const [command, ...prefix] = [...dyingWithParent(), bin];
  const child = spawn(command!, [...prefix, ...args], { stdio: ['ignore', log.fd, log.fd] });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  await log.close();
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  void exited.then(() => process.removeListener('exit', kill));
  try {
    const adminUrl = await ready({ child, addressPath, logPath });
    const port = await gatewayPort(adminUrl);
    const url = `http://127.0.0.1:${port}`;
    return { pid: child.pid!, url, port, adminUrl, logPath, exited, stop: () => stop(child, exited) };
  } catch (error) {
    await stop(child, exited);
    throw error;
  }
}

/** `setpriv` lets the kernel kill the child when its parent ends, however it ends. */
function dyingWithParent(): string[] {
  const setpriv = '/usr/bin/setpriv';
  return process.platform === 'linux' && existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL', '--'] : [];
}

/** Waits for /ready at the address that this very process has bound, and returns its URL. */
async function ready(wait: {
  readonly child: ChildProcess;
  readonly addressPath: string;
  readonly logPath: string;
}): Promise<string> {
  const until = performance.now() + READY_WITHIN_MS;
  let state = 'no admin address';
  while (performance.now() < until) {
    if (wait.child.exitCode !== null || wait.child.signalCode !== null || wait.child.pid === undefined) {
      throw await failure(wait.logPath, 'has ended');
    }
    const bound = await readFile(wait.addressPath, 'utf8').catch(() => '');
    if (bound !== '') {
      try {
        const answer = await fetch(`http://${bound}/ready`, { signal: AbortSignal.timeout(1000) });
        state = (await answer.text()).trim();
        if (answer.status === 200) return `http://${bound}`;
      } catch (error) {
        state = error instanceof Error ? error.message : String(error);
      }
    }
    await sleep(20);
  }
  throw await failure(wait.logPath, `is not ready after ${READY_WITHIN_MS} ms (${state})`);
}

async function failure(logPath: string, what: string): Promise<EnvoyError> {
  const log = await readFile(logPath, 'utf8').catch(() => '');
  const taken = /cannot bind '([^']+)': Address already in use/.exec(log)?.[1];
  if (taken !== undefined) {
    return new EnvoyError('port_in_use', `\`${taken}\` is in use: stop what listens there, or choose another port`);
  }
  const lines = log.split('\n').filter((line) => /\[(error|critical)\]|error while loading/.test(line));
  const reason = (lines.at(-1) ?? log.trim().split('\n').at(-1) ?? '').slice(0, 2000);
  return new EnvoyError('envoy_failed', `Envoy ${what}: ${reason} (its log is \`${logPath}\`)`);
}

/** The port of the first listener, as Envoy says that it has bound it. */
async function gatewayPort(adminUrl: string): Promise<number> {
  const answer = await fetch(`${adminUrl}/listeners?format=json`, { signal: AbortSignal.timeout(5000) });
  const listing = (await answer.json()) as {
    listener_statuses?: { local_address?: { socket_address?: { port_value?: number } } }[];
  };
  const port = listing.listener_statuses?.[0]?.local_address?.socket_address?.port_value;
  if (port === undefined) throw new EnvoyError('envoy_failed', 'Envoy has no listener with a TCP port');
  return port;
}

async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  if (child.pid === undefined) return;
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
  await exited;
  clearTimeout(killer);
}
