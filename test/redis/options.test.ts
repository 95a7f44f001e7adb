import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterOptions, linkOptions, type RedisSettings, retryDelayMs } from '../../src/redis/options.ts';

const address = { host: 'redis.internal', port: 6379 };
const single: RedisSettings = { topology: { kind: 'single', address }, username: 'tollgate', password: 'secret' };
const sentinel: RedisSettings = {
  topology: { kind: 'sentinel', sentinels: [address], group: 'main', sentinelPassword: 'other' },
  tls: { servername: 'redis.internal' },
};
const cluster: RedisSettings = { topology: { kind: 'cluster', nodes: [address] }, commandTimeoutMs: 30 };

/** With any other value of one of these, a call can be made twice, or never end. */
const PINNED = {
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  commandTimeout: 25,
  connectTimeout: 300,
  socketTimeout: 300,
  protocol: 2,
  enableAutoPipelining: false,
};

function pick(from: object, like: object): Record<string, unknown> {
  const entries = new Map(Object.entries(from));
  return Object.fromEntries(Object.keys(like).map((key) => [key, entries.get(key)]));
}

describe('options of redis', () => {
  it('are pinned for a single server', () => {
    const options = linkOptions(single);
    const expected = {
      ...PINNED,
      ...address,
      enableOfflineQueue: false,
      username: 'tollgate',
      password: 'secret',
      db: 0,
    };
    assert.deepEqual(pick(options, expected), expected);
  });

  it('R8: and behind Sentinels, which watch for a failover', () => {
    const options = linkOptions(sentinel);
    const expected = {
      ...PINNED,
      enableOfflineQueue: false,
      sentinels: [address],
      name: 'main',
      failoverDetector: true,
      sentinelPassword: 'other',
      enableTLSForSentinelMode: true,
    };
    assert.deepEqual(pick(options, expected), expected);
    assert.equal(options.sentinelRetryStrategy?.(9), 200);
  });

  it('R15: and for each node of a cluster, whose queue is off where that counts', () => {
    const options = clusterOptions(cluster);
    const expected = { enableOfflineQueue: false, maxRedirections: 4, scaleReads: 'master', retryDelayOnTryAgain: 20 };
    assert.deepEqual(pick(options, expected), expected);
    assert.deepEqual(pick(options.redisOptions, PINNED), { ...PINNED, commandTimeout: 30 });
  });

  it('R10: reconnect where a replica answers, without sending again; not on other errors', () => {
    const { reconnectOnError } = linkOptions(single);
    assert.equal(reconnectOnError?.(new Error("READONLY You can't write against a read only replica.")), 1);
    assert.equal(reconnectOnError?.(new Error('OOM command not allowed')), false);
  });

  it('wait 50 to 1000 ms before they reconnect, half of it by chance', () => {
    const delays = [1, 2, 5, 6, 100].map((attempt) => [retryDelayMs(attempt, 0), retryDelayMs(attempt, 1)]);
    assert.deepEqual(delays, [
      [25, 50],
      [50, 100],
      [400, 800],
      [500, 1000],
      [500, 1000],
    ]);
  });
});
