/** Times of an access-log entry, clamped to what can be true: an Envoy's clock may be wrong, a duration negative. */
import type { Reader } from './reader.ts';

/** Entries come at most this long after their request began, whatever a clock says; nothing lasts longer. */
const AGE_MAX_MS = 24 * 60 * 60 * 1000;

/** google.protobuf.Timestamp as epoch ms, within the 24 h before `nowMs`. */
export function readTimestampMs(reader: Reader, nowMs: number): number {
  return clamp(readMs(reader), nowMs - AGE_MAX_MS, nowMs);
}

/** google.protobuf.Duration in ms, from 0 to 24 h. */
export function readDurationMs(reader: Reader): number {
  return clamp(readMs(reader), 0, AGE_MAX_MS);
}

/** Both messages are `int64 seconds` 1 and `int32 nanos` 2. Whole milliseconds, towards zero. */
function readMs(reader: Reader): number {
  let seconds = 0n;
  let nanos = 0n;
  const outer = reader.open();
  while (reader.more()) {
    const field = reader.field();
    if (field === 1) seconds = reader.int64();
    else if (field === 2) nanos = reader.int64();
    else reader.skip();
  }
  reader.close(outer);
  return Number(seconds * 1000n + nanos / 1_000_000n);
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
