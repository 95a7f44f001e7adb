/** The client against a real Redis behind a proxy that loses, cuts and delays. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RedisConnection } from '../../src/redis/connection.ts';
import { RedisError, type RedisErrorCode } from '../../src/redis/error.ts';
import { scriptOf } from '../../src/redis/script.ts';
import { freePort } from '../support/ports.ts';
import { connectionFor, needRedis, redisFor } from '../support/redis.ts';
import { tcpProxyFor } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const INCREMENT = scriptOf('increment', "return redis.call('INCR', KEYS[1])");

/** The code that a call fails with. */
async function codeOf(call: Promise<unknown>): Promise<RedisErrorCode | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    assert.ok(error instanceof RedisError, String(error));
    return error.code;
  }
}

describe('a connection to redis', needRedis(), () => {
  it('R1: is made in the background; until then every call fails at once', async (t) => {
    const port = await freePort();
    const failures: RedisErrorCode[] = [];
    const settings = { topology: { kind: 'single', address: { host: '127.0.0.1', port } } } as const;
    const connection = new RedisConnection(settings, { onFailure: ({ code }) => failures.push(code) });
    t.after(() => connection.close());
    assert.equal(await codeOf(connection.command('get', 'a')), 'unavailable');
    assert.equal(connection.isReady, false);
    await until('failures are told', () => failures.length >= 2);
  });

  it('R7: 20 calls whose replies are lost and whose link is reset are made 20 times, not 40', async (t) => {
    const { port } = await redisFor(t);
    const proxy = await tcpProxyFor(t, port);
    const direct = await connectionFor(t, port);
    const connection = await connectionFor(t, proxy.port);
    await connection.run(INCREMENT, ['warm'], []);
    for (let call = 0; call < 20; call++) {
      await until('the link is there', () => connection.isReady);
      proxy.faults.toClient = 'drop';
      const dropped = proxy.dropped;
      const code = codeOf(connection.run(INCREMENT, ['counter'], []));
      await until('the reply is lost', () => proxy.dropped > dropped);
      proxy.faults.toClient = 'pass';
      proxy.reset();
      assert.equal(await code, 'cut');
    }
    await until('the link is there again', () => connection.isReady);
    assert.equal(await direct.command('get', 'counter'), '20');
  });

  it('R5: a link that answers nothing is closed, and the next one works', async (t) => {
    const { port } = await redisFor(t);
    const proxy = await tcpProxyFor(t, port);
    const connection = await connectionFor(t, proxy.port, {
      commandTimeoutMs: 50,
      socketTimeoutMs: 100,
      connectTimeoutMs: 200,
    });
    proxy.faults.toServer = 'drop';
    assert.equal(await codeOf(connection.command('get', 'a')), 'timeout');
    await until('the link is given up', async () => {
      await codeOf(connection.command('get', 'a'));
      return !connection.isReady;
    });
    proxy.faults.toServer = 'pass';
    proxy.reset();
    await until('the next one works', async () => (await codeOf(connection.command('get', 'a'))) === undefined);
  });

  it('R6: calls that timed out against a stopped server land once each when it goes on', async (t) => {
    const server = await redisFor(t);
    const direct = await connectionFor(t, server.port);
    const connection = await connectionFor(t, server.port, { commandTimeoutMs: 40 });
    await connection.run(INCREMENT, ['warm'], []);
    server.signal('SIGSTOP');
    const codes = await Promise.all(
      Array.from({ length: 64 }, (_, i) => codeOf(connection.run(INCREMENT, [`op-${i}`], []))),
    );
    server.signal('SIGCONT');
    assert.deepEqual(new Set(codes), new Set(['timeout']));
    const keys = Array.from({ length: 64 }, (_, i) => `op-${i}`);
    await until('all have landed', async () => !((await direct.command('mget', ...keys)) as unknown[]).includes(null));
    assert.deepEqual(new Set((await direct.command('mget', ...keys)) as unknown[]), new Set(['1']));
  });

  it('R10: where a replica answers it reconnects, and says so', async (t) => {
    const primary = await redisFor(t);
    const server = await redisFor(t);
    const proxy = await tcpProxyFor(t, server.port);
    const connection = await connectionFor(t, proxy.port);
    await connection.command('replicaof', '127.0.0.1', primary.port);
    const { links } = proxy;
    assert.equal(await codeOf(connection.run(INCREMENT, ['counter'], [])), 'readonly');
    await until('it reconnects', () => proxy.links > links && connection.isReady);
    await connection.command('replicaof', 'no', 'one');
    assert.equal(await connection.run(INCREMENT, ['counter'], []), 1);
  });

  it('R11: no memory for writes is told as that, and nothing is half done', async (t) => {
    const { port } = await redisFor(t);
    const connection = await connectionFor(t, port);
    await connection.command('config', 'set', 'maxmemory-policy', 'noeviction');
    await connection.command('config', 'set', 'maxmemory', '1');
    assert.equal(await codeOf(connection.run(INCREMENT, ['counter'], [])), 'oom');
    await connection.command('config', 'set', 'maxmemory', '0');
    assert.equal(await connection.run(INCREMENT, ['counter'], []), 1);
  });

  it('R13: a script that the server has forgotten is sent again: no call fails, each is made once', async (t) => {
    const { port } = await redisFor(t);
    const connection = await connectionFor(t, port);
    const calls: Promise<unknown>[] = [];
    for (let call = 0; call < 500; call++) {
      calls.push(connection.run(INCREMENT, ['counter'], []));
      if (call % 25 === 0) calls.push(connection.command('script', 'flush'));
    }
    await Promise.all(calls);
    assert.equal(await connection.command('get', 'counter'), '500');
  });

  it('R22: a wrong password is told as that, without it', async (t) => {
    const { port } = await redisFor(t, '--requirepass', 'right-one');
    const errors: RedisError[] = [];
    const settings = {
      topology: { kind: 'single', address: { host: '127.0.0.1', port } },
      password: 'wrong-one',
    } as const;
    const connection = new RedisConnection(settings, { onFailure: (error) => errors.push(error) });
    t.after(() => connection.close());
    await until('it is told', () => errors.some(({ code }) => code === 'denied'));
    const shown = errors.map((error) => `${error.message} ${error.stack} ${JSON.stringify(error)}`).join();
    assert.equal(/right-one|wrong-one/.test(shown), false);
  });

  it('is named, and closes', async (t) => {
    const { port } = await redisFor(t);
    const direct = await connectionFor(t, port);
    const connection = await connectionFor(t, port, { name: 'tollgate-test' });
    assert.match(String(await direct.command('client', 'list')), / name=tollgate-test /);
    const pending = codeOf(connection.command('blpop', 'nothing', 0));
    await connection.close();
    assert.equal(await pending, 'cut');
    assert.equal(await codeOf(connection.command('get', 'a')), 'cut');
  });
});
