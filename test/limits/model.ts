/** The reference played beside a store: what it answers, and how it counts. */
import type { Expired, ReserveAnswer, SettleAnswer } from '../../src/limits/store.ts';
import { LIMIT_NAMES, type Op, type Player, spendOfOp } from './history.ts';
import type { Reference, Told } from './reference.ts';

/** When a run of a history ends. */
export const IDLE_MS = 3000;

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
export function look(reference: Reference, now: number): string[] {
  return LIMIT_NAMES.flatMap((limit) =>
    (limit === 'total' ? ['r', 's'] : [undefined]).map((run) => {
      const spend = spendOfOp({ limit, amount: 0, observe: true, yieldsAt: undefined }, run);
      const { used, spent } = reference.state(spend, run, now);
      return `${spend.counter} ${used}/${spent}`;
    }),
  );
}

/** What the reference answers to an op. */
export function step(reference: Reference, player: Player, op: Op): unknown {
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

/** As much of a store's answer as the reference gives. */
export function said(op: Op, answer: unknown): unknown {
  if (op.op === 'reserve') return told(answer as ReserveAnswer);
  if (op.op === 'settle') return (answer as SettleAnswer).outcome;
  if (op.op === 'expire') return (answer as Expired[]).map(({ id }) => id);
  return answer;
}
