import { type Hold, untraced } from '../ledger/hold.ts';
import type { End } from '../ledger/ledger.ts';

/** A hold in memory. */
export interface Held {
  readonly hold: Hold;
  /** When its reservation expires now; heartbeats move it later. Epoch ms. */
  readonly expiresAtMs: number;
  /** Whether the ledger took its row. */
  readonly booked: boolean;
  /** `entry`: the hold was lost, this is its copy from the access log. */
  readonly source: End['source'];
}

/**
 * The holds that have not ended, and the last ones that have, for entries that come again. Bounded: the oldest go first;
 * the ledger still has their rows, and the copy in the access-log entry serves.
 */
export class HeldMap {
  readonly #open = new Map<string, Held>();
  readonly #ended = new Map<string, Held>();
  readonly #openMax: number;
  readonly #endedMax: number;
  #evicted = 0;

  constructor({ openMax, endedMax }: { readonly openMax: number; readonly endedMax: number }) {
    this.#openMax = openMax;
    this.#endedMax = endedMax;
  }

  /** Remembers a hold that is open. */
  open(held: Held): void {
    this.#open.set(held.hold.decisionId, held);
    if (this.#open.size > this.#openMax) {
      dropOldest(this.#open);
      this.#evicted++;
    }
  }

  extend(decisionId: string, expiresAtMs: number): void {
    const held = this.#open.get(decisionId);
    if (held !== undefined) this.#open.set(decisionId, { ...held, expiresAtMs });
  }

  /** Remembers that a hold has ended; without its trace, which nothing here needs again. */
  end(held: Held): void {
    const { decisionId, trace } = held.hold;
    this.#open.delete(decisionId);
    this.#ended.set(decisionId, trace.length === 0 ? held : { ...held, hold: untraced(held.hold) });
    if (this.#ended.size > this.#endedMax) dropOldest(this.#ended);
  }

  get(decisionId: string): Held | undefined {
    return this.#open.get(decisionId) ?? this.#ended.get(decisionId);
  }

  openOne(decisionId: string): Held | undefined {
    return this.#open.get(decisionId);
  }

  /** Open ones now, and how many were forgotten for want of room. */
  counts(): { readonly open: number; readonly evicted: number } {
    return { open: this.#open.size, evicted: this.#evicted };
  }
}

/** A hold as it was decided, before any heartbeat. */
export function heldOf(hold: Hold, known: Pick<Held, 'booked' | 'source'>): Held {
  return { hold, expiresAtMs: hold.expiresAtMs, ...known };
}

/** A Map keeps the order of insertion. */
function dropOldest(map: Map<string, Held>): void {
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
