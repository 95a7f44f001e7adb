/** How many events of one name are told in a minute; the rest is counted, and told with the next one. */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.ts';

const WINDOW_MS = 60_000;

interface Window {
  startedMs: number;
  told: number;
  suppressed: number;
}

export class EventWindows {
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #windows: LRUCache<string, Window>;

  /** `namesMax`: names that are remembered; the least used one starts anew when it returns. */
  constructor(clock: Clock, { perMinute, namesMax }: { readonly perMinute: number; readonly namesMax: number }) {
    this.#clock = clock;
    this.#perMinute = perMinute;
    this.#windows = new LRUCache({ max: namesMax });
  }

  /** Undefined: not to be told, and counted. Else how many of this name were not told since the last that was. */
  admit(name: string): number | undefined {
    const window = this.#windowOf(name);
    if (window.told >= this.#perMinute) {
      window.suppressed++;
      return undefined;
    }
    const { suppressed } = window;
    window.told++;
    window.suppressed = 0;
    return suppressed;
  }

  /** A window that is over keeps what it suppressed until it has been told. */
  #windowOf(name: string): Window {
    const nowMs = this.#clock.monotonicMs();
    const window = this.#windows.get(name) ?? { startedMs: nowMs, told: 0, suppressed: 0 };
    if (nowMs - window.startedMs >= WINDOW_MS) {
      window.startedMs = nowMs;
      window.told = 0;
    }
    this.#windows.set(name, window);
    return window;
  }
}
