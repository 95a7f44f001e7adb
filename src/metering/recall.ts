import type { Found } from '../ledger/ledger.ts';

/** What is known of a decision once the ledger was asked; undefined: it did not say in time. */
export type Recalled = Found | undefined;

/**
 * Decisions that are being asked of the ledger: each once, however many entries name it meanwhile. Bounded by the entries of
 * one message a stream, for the stream waits for the answers.
 */
export class Recalls {
  readonly #find: (decisionId: string) => Promise<Found>;
  readonly #asked = new Map<string, Promise<Recalled>>();

  constructor(find: (decisionId: string) => Promise<Found>) {
    this.#find = find;
  }

  has(decisionId: string): boolean {
    return this.#asked.has(decisionId);
  }

  /** Never rejects. Who asks first goes on first. */
  ask(decisionId: string): Promise<Recalled> {
    const earlier = this.#asked.get(decisionId);
    if (earlier !== undefined) return earlier;
    const asked = this.#find(decisionId).then(
      (found) => this.#answered(decisionId, found),
      () => this.#answered(decisionId, undefined),
    );
    this.#asked.set(decisionId, asked);
    return asked;
  }

  #answered(decisionId: string, found: Recalled): Recalled {
    this.#asked.delete(decisionId);
    return found;
  }
}
