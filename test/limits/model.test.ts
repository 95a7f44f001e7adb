import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import { aHistory, Player, SETTLE_WITHIN_MS } from './history.ts';
import { IDLE_MS, look, said, step } from './model.ts';
import { Reference } from './reference.ts';

describe('the memory store and the reference', () => {
  it('answer alike, and count alike, over any history', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(aHistory({ opsMax: 60, adjusted: false }), (history) => {
        const player = new Player(
          (nowMs) => new MemoryLimitStore({ nowMs, monotonicMs: nowMs }, { settleWithinMs: 10 * SETTLE_WITHIN_MS }),
        );
        const reference = new Reference({ idleMs: IDLE_MS });
        for (const op of history) {
          const expected = step(reference, player, op);
          const answer = said(op, player.play(op));
          assert.deepEqual(answer, expected, JSON.stringify(op));
          assert.deepEqual(player.look(), look(reference, player.now), JSON.stringify(op));
          const kind = `${op.op} ${(answer as { outcome?: string })?.outcome ?? (op.op === 'settle' ? answer : '')}`;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
      }),
      { seed: 20, numRuns: 800 },
    );
    // The histories reach every outcome, else they prove little.
    for (const kind of [
      'reserve admitted',
      'reserve refused',
      'reserve known',
      'reserve moved',
      'settle changed',
      'settle same',
      'settle superseded',
      'settle conflict',
    ]) {
      assert.ok((seen.get(kind) ?? 0) >= 20, `${kind}: ${seen.get(kind)}`);
    }
  });
});
