import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_BEHAVIOUR, type StubBehaviour } from './behaviour.ts';
import { type StubRecord, StubRecords } from './records.ts';

/** Requests remembered. */
const RECORDS_MAX = 10_000;

/** What is ordered of the stub and what it has seen: how it answers, which answers wait, which requests came. */
export class Steering {
  readonly #records = new StubRecords(RECORDS_MAX);
  readonly #waiting = new Set<() => void>();
  #behaviour: StubBehaviour = DEFAULT_BEHAVIOUR;

  /** How requests are answered that order nothing for themselves. */
  get behaviour(): StubBehaviour {
    return this.#behaviour;
  }

  /** Changes how all later requests are answered; fields not named stay. `hold: false` does not release. */
  setBehaviour(change: Partial<StubBehaviour>): void {
    this.#behaviour = { ...this.#behaviour, ...change };
  }

  /** Requests with their raw bodies, oldest first; the latest 10000. */
  records(): readonly StubRecord[] {
    return this.#records.all();
  }

  /** Those with this `x-tollgate-decision`, one for each attempt. */
  recordsOf(decisionId: string): readonly StubRecord[] {
    return this.records().filter((record) => record.decisionId === decisionId);
  }

  add(request: IncomingMessage, body: Buffer): StubRecord {
    return this.#records.add(request, body);
  }

  /** Resolves once this many requests have come since the start or `reset`; rejects after `withinMs` (default 10000). */
  async arrived(count: number, withinMs = 10_000): Promise<void> {
    const until = performance.now() + withinMs;
    while (this.#records.total < count) {
      if (performance.now() > until) {
        throw new Error(`${this.#records.total} of ${count} requests after ${withinMs} ms`);
      }
      await sleep(5);
    }
  }

  /**
   * Whether the answer to a request is a failure. `failures` of its own header are the first attempts of its decision; else it
   * takes one of those that were ordered for whoever comes.
   */
  isFailing({ decisionId }: StubRecord, own: Partial<StubBehaviour>): boolean {
    if (own.failures !== undefined) return this.recordsOf(decisionId ?? '').length <= own.failures;
    const { failures } = this.#behaviour;
    if (failures > 0) this.setBehaviour({ failures: failures - 1 });
    return failures > 0;
  }

  /** Resolves at `release`, or when the client goes away. */
  hold(response: ServerResponse): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.#waiting.delete(go);
        resolve();
      };
      this.#waiting.add(go);
      response.once('close', go);
    });
  }

  /** Answers waiting for `release`. */
  held(): number {
    return this.#waiting.size;
  }

  /** Lets all held answers go, and later ones pass. */
  release(): void {
    this.setBehaviour({ hold: false, holdAfter: undefined });
    for (const go of this.#waiting) go();
  }

  /** Default behaviour, no records, nothing held. */
  reset(): void {
    this.release();
    this.#behaviour = DEFAULT_BEHAVIOUR;
    this.#records.clear();
  }
}
