import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ExportQueue } from '../../src/telemetry/export-queue.ts';

/** A receiver that answers when it is told to. */
function receiver() {
  const batches: number[][] = [];
  const waiting: { resolve: (rejected: number) => void; reject: (error: Error) => void }[] = [];
  const send = (batch: readonly number[]): Promise<number> => {
    batches.push([...batch]);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const next = async () => {
    while (waiting.length === 0) await turn();
    return waiting.shift()!;
  };
  return { batches, send, next };
}

const sumOf = (counts: object): number => Object.values(counts).reduce((sum: number, n) => sum + Number(n), 0);

describe('export queue', () => {
  test('O2: of a burst of 10,000 the newest are dropped, and the counter is the loss', async () => {
    const { batches, send, next } = receiver();
    const queue = new ExportQueue({ send });
    const taken = Array.from({ length: 10_000 }, (_, i) => queue.offer(i)).filter(Boolean).length;
    assert.equal(taken, 4096);
    assert.deepEqual(queue.counts(), { sent: 0, full: 5904, failed: 0, rejected: 0 });
    const closed = queue.close();
    for (let i = 0; i < 16; i++) (await next()).resolve(0);
    await closed;
    assert.deepEqual(queue.counts(), { sent: 4096, full: 5904, failed: 0, rejected: 0 });
    assert.deepEqual(
      batches.flat(),
      Array.from({ length: 4096 }, (_, i) => i),
    );
    assert.equal(10_000 - batches.flat().length, queue.counts().full);
  });

  test('one batch is on its way at a time, and what is lost with it is counted', async () => {
    const { batches, send, next } = receiver();
    const failures: unknown[] = [];
    const queue = new ExportQueue({ send, batchMax: 10, queueMax: 100, failed: (error) => failures.push(error) });
    for (let i = 0; i < 35; i++) queue.offer(i);
    const first = await next();
    assert.deepEqual([batches.length, queue.size], [1, 35]);
    first.reject(new Error('no'));
    (await next()).resolve(4);
    (await next()).resolve(0);
    const closed = queue.close();
    (await next()).resolve(99);
    await closed;
    assert.deepEqual(queue.counts(), { sent: 16, full: 0, failed: 10, rejected: 9 });
    assert.equal(sumOf(queue.counts()), 35);
    assert.equal(failures.length, 1);
    assert.equal(queue.offer(1), false);
  });

  test('few items go when their time has come', async () => {
    const { batches, send, next } = receiver();
    const queue = new ExportQueue({ send, everyMs: 5 });
    queue.offer(1);
    queue.offer(2);
    const keep = setTimeout(() => {}, 5000);
    (await next()).resolve(0);
    clearTimeout(keep);
    assert.deepEqual(batches, [[1, 2]]);
  });

  test('what is given up is counted as failed', async () => {
    const { send, next } = receiver();
    const queue = new ExportQueue({ send, batchMax: 2 });
    for (let i = 0; i < 5; i++) queue.offer(i);
    const flying = await next();
    const closed = queue.close();
    queue.drop();
    flying.reject(new Error('cut'));
    await closed;
    assert.deepEqual(queue.counts(), { sent: 0, full: 0, failed: 5, rejected: 0 });
  });
});
