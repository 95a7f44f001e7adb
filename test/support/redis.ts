import { setTimeout as sleep } from 'node:timers/promises';
import { RedisConnection, type RedisListener } from '../../src/redis/connection.ts';
import type { RedisSettings } from '../../src/redis/options.ts';
import { type RedisServer, redisMissing, startRedis } from '../../tools/redis/server.ts';
import type { Scope } from './scope.ts';

/** What `describe` and `test` take: why all is skipped, or `false`. */
export interface RedisNeed {
  readonly skip: string | false;
}

/** Whether tests over Redis can run here. A missing Redis is a loud skip at a desk, and an error where CI=true. */
export function needRedis(): RedisNeed {
  const why = redisMissing();
  if (why === undefined) return { skip: false };
  if (process.env['CI'] === 'true') throw new Error(why);
  process.stderr.write(`SKIPPED, NOT PROVEN: tests over Redis: ${why}\n`);
  return { skip: why };
}

/** A server for the time of the scope. */
export async function redisFor(scope: Scope, ...args: string[]): Promise<RedisServer> {
  const server = await startRedis({ args });
  scope.after(() => server.stop('SIGKILL'));
  return server;
}

/** A connection for the time of the scope, ready. Its deadline is far away unless given: a busy machine is no fault. */
export async function connectionFor(
  scope: Scope,
  port: number,
  { listener, ...settings }: Partial<RedisSettings> & { readonly listener?: RedisListener } = {},
): Promise<RedisConnection> {
  const connection = new RedisConnection(
    {
      topology: { kind: 'single', address: { host: '127.0.0.1', port } },
      commandTimeoutMs: 5000,
      socketTimeoutMs: 5000,
      connectTimeoutMs: 5000,
      ...settings,
    },
    listener,
  );
  scope.after(() => connection.close());
  const untilMs = performance.now() + 10_000;
  while (!connection.isReady) {
    if (performance.now() > untilMs) throw new Error('no connection to redis within 10 s');
    await sleep(2);
  }
  return connection;
}
