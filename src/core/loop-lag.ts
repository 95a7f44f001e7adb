/**
 * How far an event loop is behind, from a timer that should ring every `everyMs` on it: by how much the last ring was late,
 * or by how much the next one is late already, whichever is more. So it is seen by the first call that is handled after a
 * stall, before any timer is. Times are monotonic.
 */
export class LoopLag {
  readonly #everyMs: number;
  #lastMs: number;
  #lateMs = 0;

  constructor({ everyMs, nowMs }: { readonly everyMs: number; readonly nowMs: number }) {
    this.#everyMs = everyMs;
    this.#lastMs = nowMs;
  }

  /** The timer rings. */
  tick(nowMs: number): void {
    this.#lateMs = this.#overdue(nowMs);
    this.#lastMs = nowMs;
  }

  /** ≥ 0. */
  lagMs(nowMs: number): number {
    return Math.max(this.#lateMs, this.#overdue(nowMs));
  }

  #overdue(nowMs: number): number {
    return Math.max(0, nowMs - this.#lastMs - this.#everyMs);
  }
}
