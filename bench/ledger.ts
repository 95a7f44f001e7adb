/** The ledger's intake: how many holds a second reach the disk, and what handing one over costs the thread that decides. */
import { setImmediate as turn } from 'node:timers/promises';
import { mintDecisionId } from '../src/core/ids.ts';
import type { Hold } from '../src/ledger/hold.ts';
import type { SqliteLedger } from '../src/ledger/sqlite-ledger.ts';
import { askedOf, decodeOurs, requestOf } from './grpc-handlers.ts';
import { type BenchOptions, type Figure, figureOf } from './report.ts';
import { openRig } from './rig.ts';

/** Rows that wait at most: the writer always has a batch, and the queue never fills. */
const WAITING_MAX = 8_000;
const TURN_ROWS = 100;

/** As fast as the disk takes them, with 5 spends each. A round ends when its last row is on disk. */
export async function benchLedger({ quick }: BenchOptions): Promise<readonly Figure[]> {
  const rig = await openRig({ nested: 5, ledger: 'sqlite' });
  try {
    const ledger = rig.ledger!;
    const decision = await rig.decide(decodeOurs(requestOf(askedOf(rig))));
    if (decision.outcome === 'deny') throw new Error(`the call is refused: ${decision.message}`);
    const perSecond: number[] = [];
    const mainUs: number[] = [];
    const rounds = quick ? 2 : 8;
    for (let round = -1; round < rounds; round++) {
      const found = await pour(ledger, { hold: decision.hold, rows: quick ? 4_000 : 15_000 });
      // The first round warms up.
      if (round < 0) continue;
      perSecond.push(found.perSecond);
      mainUs.push(found.mainUs);
    }
    return [
      figureOf(perSecond, { name: 'ledger, holds on disk', unit: '/s' }),
      figureOf(mainUs, { name: 'ledger, a hold, main thread', unit: 'µs' }),
    ];
  } finally {
    await rig.close();
  }
}

async function pour(
  ledger: SqliteLedger,
  { hold, rows }: { hold: Hold; rows: number },
): Promise<{ perSecond: number; mainUs: number }> {
  const startMs = performance.now();
  const before = process.threadCpuUsage();
  for (let row = 0; row < rows; ) {
    for (let i = 0; i < TURN_ROWS && ledger.counts().queued < WAITING_MAX; i++, row++) {
      const decidedAtMs = hold.decidedAtMs + row;
      if (!ledger.hold({ ...hold, decidedAtMs, decisionId: mintDecisionId(ledger.id, decidedAtMs) })) {
        throw new Error('the ledger is full');
      }
    }
    await turn();
  }
  await ledger.flush();
  const { user, system } = process.threadCpuUsage(before);
  return { perSecond: (rows * 1000) / (performance.now() - startMs), mainUs: (user + system) / rows };
}
