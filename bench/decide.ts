/** One decision in process, from an already decoded call, and the settlement that ends it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from '../src/decision/call.ts';
import type { Decision } from '../src/decision/decision.ts';
import { isFault } from '../src/dialects/dialect.ts';
import { dialect } from '../src/dialects/dialects.ts';
import { holdToFields } from '../src/ledger/fields.ts';
import type { Hold } from '../src/ledger/hold.ts';
import type { LogEntry } from '../src/metering/entry.ts';
import { askedOf, decodeOurs, requestOf } from './grpc-handlers.ts';
import { type Bar, type BenchOptions, type Figure, figureOf, measure } from './report.ts';
import { openRig, type Rig } from './rig.ts';

/** Decisions in one sample, and in one commit of what they changed. */
const BATCH = 64;
/** Decisions of one turn, one turn each 5 ms: 5,000 a second, well below what the writer takes. */
const TURN_DECISIONS = 25;
const TURN_MS = 5;
const TURNS = 40;

/** Decisions with 1 and 5 nested limits, in memory alone and with the ledger's writer behind them; and a settlement. */
export async function benchDecide(options: BenchOptions): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const nested of [1, 5] as const) {
    const bar: Bar | undefined = nested === 5 ? { most: 10 } : undefined;
    const about = { name: `${nested} nested limit${nested === 1 ? '' : 's'}`, bar, ...options };
    const rigs: Rig[] = [];
    try {
      const bare = await openRig({ nested, ledger: 'none' });
      rigs.push(bare);
      const sqlite = await openRig({ nested, ledger: 'sqlite' });
      rigs.push(sqlite);
      figures.push(...(await alone(bare, about)), ...(await paced({ bare, sqlite }, about)));
    } finally {
      for (const rig of rigs) await rig.close();
    }
  }
  return figures;
}

interface About extends BenchOptions {
  readonly name: string;
  readonly bar: Bar | undefined;
}

/** The same call again and again, as Envoy would ask it; without a deadline. */
export function callOf(rig: Rig): Call {
  return { ...decodeOurs(requestOf(askedOf(rig))), deadlineMs: Number.POSITIVE_INFINITY };
}

async function alone(rig: Rig, { name, bar, quick }: About): Promise<Figure[]> {
  const call = callOf(rig);
  const facts = dialect('openai-chat')!.read(call.body);
  if (isFault(facts)) throw new Error(facts.message);
  const timeMs = quick ? 200 : 1500;
  const inBatches = (one: () => unknown) => {
    let done = 0;
    return () => {
      one();
      if (++done % BATCH === 0) rig.changes();
    };
  };
  const decided = await measure(
    `decide(call), ${name}, body of ${call.body.length} B`,
    inBatches(() => allowed(rig.decide(call))),
    { batch: BATCH, after: rig.release, timeMs, bar },
  );
  const withoutScan = await measure(
    `identify + plan + reserve + conclude, ${name}`,
    inBatches(() => rig.decideFacts(call.headers, facts)),
    { batch: BATCH, after: rig.release, timeMs, bar },
  );
  let entries: LogEntry[] = [];
  const prepare = (): void => {
    entries = Array.from({ length: BATCH }, () => entryOf(allowed(rig.decide(call))));
  };
  prepare();
  const settled = await measure(
    `settle and book one access-log entry, ${name}`,
    inBatches(() => rig.take(entries.pop()!)),
    { batch: BATCH, after: prepare, timeMs: timeMs / 2 },
  );
  return [decided, withoutScan, settled];
}

/**
 * CPU of the main thread at a steady pace, caches cold as they are between two turns, without and with all it does to hand
 * rows and counters to the writer. Rounds take turns.
 */
async function paced({ bare, sqlite }: { bare: Rig; sqlite: Rig }, { name, bar, quick }: About): Promise<Figure[]> {
  const sides = [bare, sqlite].map((rig) => ({ rig, call: callOf(rig), samples: [] as number[] }));
  const rounds = quick ? 2 : 8;
  for (let round = quick ? 0 : -2; round < rounds; round++) {
    for (const { rig, call, samples } of sides) {
      const before = process.threadCpuUsage();
      for (let turn = 0; turn < TURNS; turn++) {
        for (let i = 0; i < TURN_DECISIONS; i++) allowed(rig.decide(call));
        if (rig.ledger === undefined) rig.changes();
        await sleep(TURN_MS);
      }
      const { user, system } = process.threadCpuUsage(before);
      // The first rounds warm up.
      if (round >= 0) samples.push((user + system) / (TURNS * TURN_DECISIONS));
      rig.release();
      await rig.ledger?.flush();
    }
  }
  const words = ['alone', 'handing over to SQLite'];
  return sides.map(({ samples }, side) =>
    figureOf(samples, { name: `decide(call), ${name}, at 5,000/s ${words[side]}, main thread`, unit: 'µs', bar }),
  );
}

export function allowed(decision: Decision | Promise<Decision>): Hold {
  if (decision instanceof Promise) throw new Error('a decision had to wait');
  if (decision.outcome === 'deny') throw new Error(`the call is refused: ${decision.message}`);
  return decision.hold;
}

/** The end of a request that the provider answered with usage. */
export function entryOf(hold: Hold): LogEntry {
  return {
    kind: 'end',
    decision: new Map(holdToFields(hold)),
    requestId: undefined,
    usage: new Map<string, string | number>([
      ['model', hold.model ?? ''],
      ['prompt_tokens', 400],
      ['completion_tokens', 200],
    ]),
    status: 200,
    details: 'via_upstream',
    attempts: 1,
    upstreamBytes: 2500,
    firstByte: true,
    responseBytes: 1200,
    responseContentType: 'application/json',
    durationMs: 900,
  };
}
