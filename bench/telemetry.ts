/** What measuring costs a decision, and what a collector that is down does to it: nothing, or it is not built right. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { startTelemetry, type Telemetry } from '../src/app/telemetry.ts';
import { systemClock } from '../src/core/clock.ts';
import type { Call } from '../src/decision/call.ts';
import type { Hold } from '../src/ledger/hold.ts';
import { allowed, callOf, entryOf } from './decide.ts';
import { type BenchOptions, type Figure, figureOf, percentile } from './report.ts';
import { openRig, type Rig } from './rig.ts';

const BATCH = 64;
const NESTED = 5;
/** Decisions of one turn, one turn each 5 ms: 5,000 a second. */
const TURN_DECISIONS = 25;
const TURN_MS = 5;
const TURNS = 40;
/** Nobody listens there. */
const REFUSED = 'http://127.0.0.1:1';

interface Side {
  readonly name: string;
  readonly rig: Rig;
  readonly telemetry: Telemetry | undefined;
  readonly call: Call;
  readonly samples: number[];
  /** Of each round, in µs. */
  readonly p50s: number[];
  readonly p99s: number[];
}

export async function benchTelemetry(options: BenchOptions): Promise<readonly Figure[]> {
  return [...(await costs(options)), ...(await collectors(options))];
}

/** The same decisions and ends without telemetry, with metrics, and with a trace and a usage event of each; in turn. */
async function costs({ quick }: BenchOptions): Promise<Figure[]> {
  const collector = await startCollector('ok');
  const sides: Side[] = [];
  try {
    sides.push(await openSide('without telemetry'));
    sides.push(await openSide('with metrics', { otlp: undefined, traces: 0 }));
    sides.push(await openSide('with metrics, and a trace of each', { otlp: collector.url, traces: 1 }));
    const rounds = quick ? 40 : 1200;
    for (let round = -rounds / 4; round < rounds; round++) {
      for (const { rig, call, samples } of sides) {
        const startMs = performance.now();
        for (let i = 0; i < BATCH; i++) allowed(rig.decide(call));
        if (round >= 0) samples.push(((performance.now() - startMs) * 1000) / BATCH);
        rig.changes();
        rig.release();
      }
      // What waits to be sent goes in turns of its own.
      if (round % 8 === 0) await sleep(1);
    }
    const [base] = sides;
    return sides.flatMap((side) => {
      const figure = figureOf(side.samples, {
        name: `decide(call), ${NESTED} nested limits, ${side.name}`,
        unit: 'µs',
        bar: undefined,
      });
      return side === base
        ? [figure]
        : [figure, shareOf(side.samples, base!.samples, `${side.name}, share of without`)];
    });
  } finally {
    await closeAll(sides);
    await collector.close();
  }
}

/** Latency of each decision at 5,000 a second, each call ended and told of, with a tenth of them traced. Rounds take turns. */
async function collectors({ quick }: BenchOptions): Promise<Figure[]> {
  const [silent, slow] = [await startCollector('silent'), await startCollector('slow')];
  const sides: Side[] = [];
  try {
    sides.push(await openSide('no collector', { otlp: undefined, traces: 0 }));
    for (const [name, otlp] of [
      ['refused', REFUSED],
      ['silent', silent.url],
      ['slow', slow.url],
    ] as const) {
      sides.push(await openSide(`collector ${name}`, { otlp, traces: 0.1 }));
    }
    const rounds = quick ? 2 : 24;
    for (let round = quick ? 0 : -2; round < rounds; round++) {
      for (const side of sides) await paced(side, round >= 0);
    }
    const [base] = sides;
    return sides.flatMap((side) => {
      const all = figureOf(side.samples, { name: `a decision at 5,000/s, ${side.name}`, unit: 'µs', bar: undefined });
      if (side === base) return [all];
      return [
        all,
        shareOf(side.p50s, base!.p50s, `a decision at 5,000/s, ${side.name}, p50 of a round, share of no collector`),
        shareOf(side.p99s, base!.p99s, `a decision at 5,000/s, ${side.name}, p99 of a round, share of no collector`),
      ];
    });
  } finally {
    await closeAll(sides);
    await silent.close();
    await slow.close();
  }
}

async function paced({ rig, call, samples, p50s, p99s }: Side, counts: boolean): Promise<void> {
  const own: number[] = [];
  let holds: Hold[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    for (let i = 0; i < TURN_DECISIONS; i++) {
      const startMs = performance.now();
      holds.push(allowed(rig.decide(call)));
      own.push((performance.now() - startMs) * 1000);
    }
    rig.changes();
    await sleep(TURN_MS);
    for (const hold of holds) rig.take(entryOf(hold));
    holds = [];
  }
  rig.release();
  if (!counts) return;
  samples.push(...own);
  own.sort((a, b) => a - b);
  p50s.push(percentile(own, 50));
  p99s.push(percentile(own, 99));
}

/** Round by round, as the two stood side by side. */
function shareOf(samples: readonly number[], base: readonly number[], name: string): Figure {
  return figureOf(
    samples.map((sample, round) => (sample / base[round]!) * 100),
    { name, unit: '%', bar: undefined },
  );
}

async function openSide(
  name: string,
  to?: { readonly otlp: string | undefined; readonly traces: number },
): Promise<Side> {
  const settings = { headersFile: undefined, everyMs: 1_000, timeoutMs: 5_000, accountsMax: 100 };
  const telemetry =
    to === undefined
      ? undefined
      : await startTelemetry({ settings: { ...settings, ...to }, clock: systemClock, onFailure: () => {} });
  const rig = await openRig({ nested: NESTED, ledger: 'none', ...(telemetry === undefined ? {} : { telemetry }) });
  return { name, rig, telemetry, call: callOf(rig), samples: [], p50s: [], p99s: [] };
}

async function closeAll(sides: readonly Side[]): Promise<void> {
  for (const { rig, telemetry } of sides) {
    await telemetry?.close();
    await rig.close();
  }
}

async function startCollector(
  behaviour: 'ok' | 'silent' | 'slow',
): Promise<{ url: string; close(): Promise<unknown> }> {
  const worker = new Worker(new URL('./telemetry-collector.ts', import.meta.url), { workerData: behaviour });
  const [port] = (await once(worker, 'message')) as [number];
  return { url: `http://127.0.0.1:${port}`, close: () => worker.terminate() };
}
