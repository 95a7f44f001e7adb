import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RedisError, type RedisErrorCode, redisErrorOf } from '../../src/redis/error.ts';

function reply(message: string): Error {
  const error = new Error(message);
  error.name = 'ReplyError';
  return error;
}

// biome-ignore format: a row a line
const rows: readonly (readonly [cause: unknown, code: RedisErrorCode, outcome: 'none' | 'unknown'])[] = [
  /* 1 */ [new Error('Command timed out'), 'timeout', 'unknown'],
  /* 2 */ [new Error("Stream isn't writeable and enableOfflineQueue options is false"), 'unavailable', 'none'],
  /* 3 */ [new Error('Connection is closed.'), 'cut', 'unknown'],
  /* 4 */ [new Error('Reached the max retries per request limit (which is 0).'), 'cut', 'unknown'],
  /* 5 */ [reply("READONLY You can't write against a read only replica."), 'readonly', 'none'],
  /* 6: R10 in a script */ [reply("ERR READONLY You can't write against a read only replica. script: 0ab, on @user_script:1."), 'readonly', 'none'],
  /* 7: R11 */ [reply("OOM command not allowed when used memory > 'maxmemory'."), 'oom', 'none'],
  /* 8: R14 */ [reply('BUSY Redis is busy running a script.'), 'busy', 'none'],
  /* 9 */ [reply('LOADING Redis is loading the dataset in memory'), 'loading', 'none'],
  /* 10: R22 */ [reply('WRONGPASS invalid username-password pair or user is disabled.'), 'denied', 'none'],
  /* 11: R22 */ [reply('NOAUTH Authentication required.'), 'denied', 'none'],
  /* 12: R18 */ [reply('CLUSTERDOWN The cluster is down'), 'cluster', 'none'],
  /* 13: R17 */ [reply('TRYAGAIN Multiple keys request during rehashing of slot'), 'cluster', 'none'],
  /* 14 */ [new Error('Failed to refresh slots cache.'), 'cluster', 'none'],
  /* 15: R19 */ [reply('WRONGTYPE Operation against a key holding the wrong kind of value'), 'fault', 'unknown'],
  /* 16 */ ['text', 'fault', 'unknown'],
];

describe('errors of redis', () => {
  for (const [i, [cause, code, outcome]] of rows.entries()) {
    it(`row ${i + 1}: ${cause instanceof Error ? cause.message : String(cause)}`, () => {
      const error = redisErrorOf(cause);
      assert.deepEqual([error.code, error.outcome], [code, outcome]);
    });
  }

  it('R22: keeps nothing of the command that failed', () => {
    const cause = Object.assign(reply('WRONGPASS invalid'), {
      command: { name: 'auth', args: ['tollgate', 'hunter2'] },
    });
    const error = redisErrorOf(cause);
    assert.equal(JSON.stringify([error, error.message, error.stack, error.cause]).includes('hunter2'), false);
  });

  it('is made once', () => {
    const error = new RedisError('busy');
    assert.equal(redisErrorOf(error), error);
  });
});
