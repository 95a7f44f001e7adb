import { type Hold, untraced } from '../ledger/hold.ts';
import type { End } from '../ledger/ledger.ts';
import type { RequestIndex } from './requests.ts';

/** A hold in memory. */
export interface Held {
  readonly hold: Hold;
  /** When its reservation expires now; heartbeats move it later. Epoch ms. */
  readonly expiresAtMs: number;
  /** Whether the ledger took its row. */
  readonly booked: boolean;
  /** `entry`: the hold was lost, this is its copy from the access log. */
  readonly source: End['source'];
  /** Envoy's request id, for entries that came without our answer; undefined: not known, as after a restart. */
  readonly requestId?: string | undefined;
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
  readonly #requests: RequestIndex;
  #evicted = 0;

  constructor(requests: RequestIndex, { openMax, endedMax }: { readonly openMax: number; readonly endedMax: number }) {
    this.#requests = requests;
    this.#openMax = openMax;
    this.#endedMax = endedMax;
  }

  /** Remembers a hold that is open. False: its request has ended already, without our answer. */
  open(held: Held): boolean {
    const { hold, requestId } = held;
    this.#open.set(hold.decisionId, held);
    if (this.#open.size > this.#openMax) {
      const oldest = dropOldest(this.#open);
      if (oldest?.requestId !== undefined) this.#requests.close(oldest.requestId);
      this.#evicted++;
    }
    return requestId === undefined || this.#requests.open(requestId, hold.decisionId);
  }

  extend(decisionId: string, expiresAtMs: number): void {
    const held = this.#open.get(decisionId);
    if (held !== undefined) this.#open.set(decisionId, { ...held, expiresAtMs });
  }

  /** Remembers that a hold has ended; without its trace, which nothing here needs again. */
  end(held: Held): void {
    const { decisionId, trace } = held.hold;
    if (this.#open.delete(decisionId) && held.requestId !== undefined) this.#requests.close(held.requestId);
    this.#ended.set(decisionId, trace.length === 0 ? held : { ...held, hold: untraced(held.hold) });
    if (this.#ended.size > this.#endedMax) dropOldest(this.#ended);
  }

  get(decisionId: string): Held | undefined {
    return this.#open.get(decisionId) ?? this.#ended.get(decisionId);
  }

  openOne(decisionId: string): Held | undefined {
    return this.#open.get(decisionId);
  }

  /** The open hold of a request that has ended without our answer; if none is, the request is remembered. */
  unanswered(requestId: string): Held | undefined {
    const decisionId = this.#requests.ended(requestId);
    return decisionId === undefined ? undefined : this.#open.get(decisionId);
  }

  /** Open ones now, and how many were forgotten for want of room. */
  counts(): { readonly open: number; readonly evicted: number } {
    return { open: this.#open.size, evicted: this.#evicted };
  }
}

/** A hold as it was decided, before any heartbeat. */
export function heldOf(hold: Hold, known: Pick<Held, 'booked' | 'source' | 'requestId'>): Held {
  return { hold, expiresAtMs: hold.expiresAtMs, ...known };
}

/** A Map keeps the order of insertion. */
function dropOldest(map: Map<string, Held>): Held | undefined {
  for (const [key, oldest] of map) {
    map.delete(key);
    return oldest;
  }
  return undefined;
}
