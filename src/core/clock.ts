/** Where time comes from. Nothing below the composition root calls `Date.now()`. */
export interface Clock {
  /** Wall clock, integer milliseconds since the Unix epoch. May jump. */
  nowMs(): number;
  /** Monotonic, milliseconds from an arbitrary origin; for durations and deadlines. Never jumps. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
