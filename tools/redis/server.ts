/** Redis servers for tests and benches: without persistence, each in a directory of its own, on 127.0.0.1. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_MS = 10_000;
const BINARY = 'redis-server';

/** Undefined: Redis can be started here. Else why not. */
export function redisMissing(): string | undefined {
  const { error, status } = spawnSync(BINARY, ['--version'], { stdio: 'ignore' });
  return error === undefined && status === 0 ? undefined : `\`${BINARY}\` is not installed`;
}

export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  signal(signal: NodeJS.Signals): void;
  /** Ends it and removes its directory. Does nothing to one that has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts one that answers. `args`: as on its command line, after ours. `port`: of one that is started again. */
export async function startRedis(
  options: { readonly args?: readonly string[]; readonly port?: number; readonly isSentinel?: boolean } = {},
): Promise<RedisServer> {
  const port = options.port ?? (await freePort());
  const dir = await mkdtemp(join(tmpdir(), 'tg-redis-'));
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir];
  // A Sentinel writes what it knows into its file; a server of ours writes nothing.
  const file = join(dir, 'sentinel.conf');
  if (options.isSentinel === true) await writeFile(file, '');
  const kind = options.isSentinel === true ? [file, '--sentinel'] : ['--save', '', '--appendonly', 'no'];
  const all = options.isSentinel === true ? [...kind, ...own] : [...own, ...kind];
  const child = spawn(BINARY, [...all, ...(options.args ?? [])], { stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      if (text.length < 65_536) text += part;
    });
  }
  const server: RedisServer = {
    port,
    pid: child.pid ?? 0,
    signal: (signal) => void child.kill(signal),
    async stop(signal = 'SIGTERM') {
      await stop(child, signal);
      process.removeListener('exit', kill);
      await rm(dir, { recursive: true, force: true });
    },
  };
  const untilMs = performance.now() + READY_MS;
  while (!/Ready to accept connections|Sentinel ID is/.test(text)) {
    if (child.exitCode !== null || performance.now() > untilMs) {
      await server.stop('SIGKILL');
      throw new Error(`redis did not start: ${text}`);
    }
    await sleep(5);
  }
  return server;
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  // One that is stopped by a signal hears no other.
  child.kill('SIGCONT');
  const killer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(killer);
}

async function freePort(): Promise<number> {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, 'close');
  return port;
}
