import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RowQueue } from '../../src/ledger/queue.ts';

/** A queue whose rows each change one counter, which says how many there were. */
function counting() {
  let written = 0;
  let told = 0;
  const queue = new RowQueue(() => {
    if (told === written) return [];
    told = written;
    return [{ counter: 'written', state: String(written), dropAtMs: 9 }];
  });
  return {
    queue,
    push: (count: number) => {
      for (let times = 0; times < count; times += 1) {
        written += 1;
        queue.push('h', String(written));
      }
    },
    /** Rows of the oldest segment, the first of them, and its counters; undefined: nothing waits. */
    head: () => {
      const head = queue.head();
      return head && [head.batch.rows.length, head.batch.rows[0], head.batch.counters];
    },
  };
}

const state = (written: number): string => `[["written","${written}",9]]`;

test('a backlog is cut into segments, each with the counters as its own rows left them', () => {
  const { queue, push, head } = counting();
  push(4_500);
  assert.equal(queue.segments, 3);
  const segments: unknown[] = [];
  for (let next = head(); next !== undefined; next = head()) {
    segments.push(next);
    queue.drop();
  }
  assert.deepEqual(segments, [
    [2_000, '1', state(2_000)],
    [2_000, '2001', state(4_000)],
    [500, '4001', state(4_500)],
  ]);
  assert.equal(queue.rows, 0);
});

test('rows that come while a segment is in flight wait for the next, with their counters', () => {
  const { queue, push, head } = counting();
  push(3);
  assert.deepEqual(head(), [3, '1', state(3)]);
  push(2_001);
  assert.deepEqual(head(), [3, '1', state(3)], 'the same until it is dropped');
  assert.deepEqual([queue.segments, queue.opened, queue.dropped], [3, 3, 0]);
  queue.drop();
  assert.deepEqual(head(), [2_000, '4', state(2_003)]);
  queue.drop();
  assert.deepEqual(head(), [1, '2004', state(2_004)]);
});

test('counters that changed without a row are a segment of their own', () => {
  let changed = [{ counter: 'c', state: '1', dropAtMs: 9 }];
  const queue = new RowQueue(() => changed);
  queue.takeCounters();
  changed = [{ counter: 'c', state: '2', dropAtMs: 9 }];
  assert.deepEqual(queue.head()?.batch, { kinds: '', rows: [], counters: '[["c","2",9]]' });
  changed = [];
  queue.drop();
  assert.equal(queue.head(), undefined);
});
