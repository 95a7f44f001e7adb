/** What parts of a process know of themselves, for whoever reads metrics. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { SqliteLedger } from '../ledger/sqlite-ledger.ts';
import type { MemoryLimitStore } from '../limits/memory-store.ts';
import type { Meter } from '../metering/meter.ts';
import type { Settings } from '../policy/settings.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import { droppedLines } from '../telemetry/log.ts';
import type { LoadWatch } from './load.ts';

/** The parts that are asked when somebody reads metrics. */
export interface ReadParts {
  readonly store: MemoryLimitStore;
  readonly meter: Meter;
  readonly ledger: SqliteLedger;
  readonly load: Pick<LoadWatch, 'counts'>;
  readonly settings: Pick<Settings, 'countersMax'>;
  /** Counts of what should never happen, by name. */
  anomalies(): Readonly<Record<string, number>>;
}

export function showParts(of: Instruments, { store, meter, ledger, load, settings, anomalies }: ReadParts): void {
  of.observe('checksShed', () => [...load.counts().shed].map(([name, count]) => [[name], count] as const));
  of.observe('ledgerQueue', () => [[[], ledger.counts().queued]]);
  of.observe('ledgerCommits', () => [[[], ledger.counts().commits]]);
  of.observe('ledgerFailing', () => [[[], ledger.counts().failures]]);
  of.observe('ledgerRows', () => {
    const { committed, repeated, conflicts, superseded, folded, turnedAway, lost, rejected } = ledger.counts();
    const rows = {
      committed,
      repeated,
      conflict: conflicts,
      superseded,
      folded,
      turned_away: turnedAway,
      lost,
      rejected,
    };
    return Object.entries(rows).map(([outcome, count]) => [[outcome], count] as const);
  });
  of.observe('anomalies', () => Object.entries(anomalies()).map(([fault, count]) => [[fault], count] as const));
  of.observe('reservationsOpen', () => [[[], meter.counts().open]]);
  of.observe('counters', () => [[[], store.counts().counters]]);
  of.observe('countersMax', () => [[[], settings.countersMax]]);
}

/** Heap, loop, and the log's reader. */
export function showProcess(of: Instruments, loop: LoopDelay): void {
  of.observe('heapUsed', () => [[[], getHeapStatistics().used_heap_size]]);
  of.observe('heapLimit', () => [[[], getHeapStatistics().heap_size_limit]]);
  of.observe('loopDelayP99', () => [[[], loop.p99S]]);
  of.observe('loopDelayMax', () => [[[], loop.takeMaxS()]]);
  of.observe('logDropped', () => [[[], droppedLines()]]);
}

const RESOLUTION_MS = 20;

/** How late the loop comes to what is due, in s. */
export class LoopDelay {
  /** What it has is the time between two looks. */
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  start(): void {
    this.#histogram.enable();
  }

  stop(): void {
    this.#histogram.disable();
  }

  get p99S(): number {
    return delayS(this.#histogram.percentile(99));
  }

  /** The longest since it was last asked; begins anew. */
  takeMaxS(): number {
    const most = delayS(this.#histogram.max);
    this.#histogram.reset();
    return most;
  }
}

function delayS(ns: number): number {
  return Number.isFinite(ns) ? Math.max(0, ns / 1e6 - RESOLUTION_MS) / 1000 : 0;
}
