import { before, describe } from 'node:test';
import { RedisLimitStore } from '../../src/limits/redis-store.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { limitStoreContract } from '../contract/limit-store.ts';
import { connectionFor, needRedis, redisFor } from '../support/redis.ts';
import { fileScope } from '../support/scope.ts';

describe('the limit store over Redis', needRedis(), () => {
  const scope = fileScope();
  let connection: RedisConnection;
  let opened = 0;
  before(async () => {
    const { port } = await redisFor(scope);
    connection = await connectionFor(scope, port);
  });

  limitStoreContract(
    'redis',
    ({ settleWithinMs }) => {
      let nowMs = 0;
      const store = new RedisLimitStore(connection, {
        namespace: `contract-${opened++}`,
        settleWithinMs,
        nowMs: () => nowMs,
      });
      return {
        store,
        setNow(now) {
          nowMs = now;
        },
      };
    },
    { isBounded: false },
  );
});
