/** The keys of one issuer as they stand now: fetched when needed, seldom, and kept when fetching fails. */
import type { CryptoKey } from 'jose';
import type { Clock } from '../core/clock.ts';
import type { Issuer, KeySetPlace, Signature } from '../policy/issuer.ts';
import type { Policy } from '../policy/policy.ts';
import { KeyFetchFailure } from './key-fetch.ts';
import { type KeySet, readKeySet } from './key-set.ts';

/** Between two fetches of one issuer. A stranger chooses `kid`, so it must not choose how often we ask. */
const COOLDOWN_MS = 10_000;
/** The same while there are no keys at all, and nobody can be let in. */
const COOLDOWN_EMPTY_MS = 1_000;
/** An older set is fetched again beside the next look-up, so that a key that was taken away ends. */
const REFRESH_AFTER_MS = 300_000;
/**
 * Callers that wait for a fetch, of all issuers together. Anybody can be one with a `kid` of their own: without a bound they
 * fill the decisions under way while an issuer is slow, and Tollgate sheds callers who are known.
 */
export const WAITING_MAX = 50;

/** What a key ring stands on. */
export interface KeyRingPorts {
  readonly clock: Clock;
  /** Bounded in size and time; rejects where there is no set. */
  fetch(place: KeySetPlace): Promise<Uint8Array>;
  /** Counts and logs. `detail` holds nothing of a token. */
  onFault?(fault: KeyFault, about: { readonly issuer: string; readonly detail: string }): void;
}

/** `fetch_failed`: the set could not be had, the last one stays. `dropped`: keys of a new set are not used. */
export type KeyFault = 'fetch_failed' | 'dropped';

/** `unknown`: the issuer has no such key. `unavailable`: no set was ever had, or too many wait for one. */
type Lookup = CryptoKey | 'unknown' | 'unavailable';

class KeyRing {
  readonly #issuer: Issuer;
  readonly #ports: KeyRingPorts;
  #set: KeySet | undefined;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #gotAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  readonly #onSet: () => void;

  constructor(issuer: Issuer, ports: KeyRingPorts, onSet: () => void) {
    this.#issuer = issuer;
    this.#ports = ports;
    this.#onSet = onSet;
  }

  /** The key as far as it is there; an old set is fetched again meanwhile. */
  known(kid: string | undefined, algorithm: Signature): CryptoKey | undefined {
    const found = this.#set?.find(kid, algorithm);
    const isOld = this.#ports.clock.monotonicMs() - this.#gotAtMs >= REFRESH_AFTER_MS;
    if (found !== undefined && isOld) this.refresh();
    return found;
  }

  /** What is to be said as things stand. */
  lookup(kid: string | undefined, algorithm: Signature): Lookup {
    return this.#set === undefined ? 'unavailable' : (this.#set.find(kid, algorithm) ?? 'unknown');
  }

  /** The fetch under way, or a new one; undefined: none is due because the last began too lately. Never rejects. */
  refresh(): Promise<void> | undefined {
    if (this.#asking !== undefined) return this.#asking;
    const nowMs = this.#ports.clock.monotonicMs();
    // Counted from the beginning of the last try, good or bad: a dead endpoint is not asked more often either.
    if (nowMs - this.#askedAtMs < (this.#set === undefined ? COOLDOWN_EMPTY_MS : COOLDOWN_MS)) return undefined;
    this.#askedAtMs = nowMs;
    this.#asking = this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    const { name, keys, algorithms } = this.#issuer;
    try {
      const read = await readKeySet(await this.#ports.fetch(keys), algorithms);
      if (read === undefined) throw new KeyFetchFailure('no key set with a usable key');
      this.#set = read.set;
      this.#onSet();
      this.#gotAtMs = this.#ports.clock.monotonicMs();
      if (read.dropped.length > 0) {
        this.#ports.onFault?.('dropped', { issuer: name, detail: read.dropped.join(', ') });
      }
    } catch (cause) {
      const detail = cause instanceof KeyFetchFailure ? cause.message : 'the key set cannot be read';
      this.#ports.onFault?.('fetch_failed', { issuer: name, detail });
    }
  }
}

/** The key rings of a policy's issuers. A new policy keeps the rings whose issuer did not change its keys. */
export class KeyRings {
  readonly #ports: KeyRingPorts;
  #rings: ReadonlyMap<string, KeyRing> = new Map();
  #version = 0;
  #waiting = 0;

  constructor(ports: KeyRingPorts) {
    this.#ports = ports;
  }

  /** Another one as soon as any issuer's keys were fetched anew. */
  get version(): number {
    return this.#version;
  }

  /** Takes the issuers of `policy` for those that there are. */
  adopt(policy: Policy): void {
    this.#rings = this.#ringsOf(policy);
  }

  /** Takes the issuers of `policy` beside those that there are, and fetches what was not fetched lately. Never rejects. */
  async prepare(policy: Policy): Promise<void> {
    const rings = this.#ringsOf(policy);
    this.#rings = new Map([...this.#rings, ...rings]);
    await Promise.all([...rings.values()].map((ring) => ring.refresh()));
  }

  #ringsOf(policy: Policy): ReadonlyMap<string, KeyRing> {
    const rings = new Map<string, KeyRing>();
    for (const issuer of [...policy.issuers.values()].flat()) {
      rings.set(idOf(issuer), this.#rings.get(idOf(issuer)) ?? new KeyRing(issuer, this.#ports, () => this.#version++));
    }
    return rings;
  }

  /** The key of `issuer` that verifies `algorithm`. Waits only where it is not there, and at most for one fetch. */
  async key(issuer: Issuer, kid: string | undefined, algorithm: Signature): Promise<Lookup> {
    const ring = this.#rings.get(idOf(issuer));
    const known = ring?.known(kid, algorithm);
    if (known !== undefined) return known;
    if (ring === undefined) return 'unavailable';
    const fetching = ring.refresh();
    if (fetching === undefined) return ring.lookup(kid, algorithm);
    if (this.#waiting >= WAITING_MAX) return 'unavailable';
    this.#waiting += 1;
    await fetching;
    this.#waiting -= 1;
    return ring.lookup(kid, algorithm);
  }
}

function idOf({ name, keys, algorithms }: Issuer): string {
  return JSON.stringify([name, keys, algorithms]);
}
