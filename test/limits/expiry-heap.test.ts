import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Expiring, ExpiryHeap } from '../../src/limits/expiry-heap.ts';

describe('the expiry heap', () => {
  it('gives what expires first, whatever was pushed, moved or removed', () => {
    const step = fc.record({
      what: fc.constantFrom('push', 'push', 'remove', 'move'),
      expiresAt: fc.nat(50),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const heap = new ExpiryHeap();
        const items: { id: string; expiresAt: number; heapIndex: number }[] = [];
        for (const [index, { what, expiresAt, pick }] of steps.entries()) {
          const at = items.length === 0 ? -1 : pick % items.length;
          if (what === 'push') {
            const item = { id: String(index).padStart(3, '0'), expiresAt, heapIndex: -1 };
            items.push(item);
            heap.push(item);
          } else if (at >= 0 && what === 'remove') {
            const [item] = items.splice(at, 1);
            heap.remove(item!);
            assert.equal(item!.heapIndex, -1);
          } else if (at >= 0) {
            items[at]!.expiresAt = expiresAt;
            heap.moved(items[at]!);
          }
          const first = items.reduce<Expiring | undefined>((best, item) => {
            if (best === undefined || item.expiresAt < best.expiresAt) return item;
            return item.expiresAt === best.expiresAt && item.id < best.id ? item : best;
          }, undefined);
          assert.equal(heap.first, first);
          assert.equal(heap.size, items.length);
        }
      }),
      { seed: 50, numRuns: 300 },
    );
  });
});
