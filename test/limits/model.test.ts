import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import type { Expired, ReserveAnswer, SettleAnswer } from '../../src/limits/store.ts';
import { aHistory, LIMIT_NAMES, type Op, Player, SETTLE_WITHIN_MS, spendOfOp } from './history.ts';
import { Reference, type Told } from './reference.ts';

const IDLE_MS = 3000;

function told(answer: ReserveAnswer): Told | { outcome: string } {
  switch (answer.outcome) {
    case 'admitted':
      return { outcome: 'admitted', candidate: answer.candidate, over: [...answer.over] };
    case 'refused': {
      const { candidate, blocked, waitMs, overdue } = answer;
      return { outcome: 'refused', candidate, blocked: [...blocked], waitMs, overdue };
    }
    case 'known':
      return { outcome: 'known', candidate: answer.candidate };
    default:
      return { outcome: answer.outcome };
  }
}

/** Every counter as the reference has it, as `Player.look` shows it. */
function look(reference: Reference, now: number): string[] {
  return LIMIT_NAMES.flatMap((limit) =>
    (limit === 'total' ? ['r', 's'] : [undefined]).map((run) => {
      const spend = spendOfOp({ limit, amount: 0, observe: true, yieldsAt: undefined }, run);
      const { used, spent } = reference.state(spend, run, now);
      return `${spend.counter} ${used}/${spent}`;
    }),
  );
}

function step(reference: Reference, player: Player, op: Op): unknown {
  const now = player.now;
  switch (op.op) {
    case 'reserve':
      return reference.reserve(player.askOf(op), now, {
        dry: op.mode === 'dry',
        force: op.mode === 'force' ? op.candidates.length - 1 : undefined,
      });
    case 'settle': {
      const { mintedAt } = player.factsOf(op.id, undefined);
      return reference.settle(String(op.id), { mintedAt, rank: op.rank, now }, player.settlementsOf(op));
    }
    case 'expire':
      return reference.expire(now, op.max);
    case 'extend':
      return reference.extend(String(op.id), now + op.ms);
    default:
      return undefined;
  }
}

function said(op: Op, answer: unknown): unknown {
  if (op.op === 'reserve') return told(answer as ReserveAnswer);
  if (op.op === 'settle') return (answer as SettleAnswer).outcome;
  if (op.op === 'expire') return (answer as Expired[]).map(({ id }) => id);
  return answer;
}

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
