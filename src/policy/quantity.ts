/** Numbers as the bundle writes them: decimal text with `k` and `M`, money, percents, lengths of time, sizes. Exact. */
import { DAY_MS } from '../core/day.ts';
import { Decimal } from './source.ts';

/** Source of an expression, not anchored. */
export const DECIMAL = '(0|[1-9][0-9]{0,15})(?:\\.([0-9]{1,12}))?([kM])?';
const DECIMAL_FORM = new RegExp(`^${DECIMAL}$`);
const ZEROS = { k: 3, M: 6 } as const;

/**
 * `1.25` with 9 places is 1250000000n, `2k` with 0 is 2000n. Undefined: not such a number. `inexact`: more digits than
 * places. Never goes through a binary fraction.
 */
export function parseScaled(text: string, places: number): bigint | 'inexact' | undefined {
  const match = DECIMAL_FORM.exec(text);
  if (match === null) return undefined;
  const [, whole, fraction = '', suffix] = match;
  const shift = places + (suffix === undefined ? 0 : ZEROS[suffix as keyof typeof ZEROS]);
  const digits = BigInt(`${whole}${fraction}`);
  const missing = shift - fraction.length;
  if (missing >= 0) return digits * 10n ** BigInt(missing);
  const divisor = 10n ** BigInt(-missing);
  return digits % divisor === 0n ? digits / divisor : 'inexact';
}

/** The text of a number as it stands in the file. */
export function numberText(value: number | string | Decimal): string {
  return value instanceof Decimal ? value.text : String(value);
}

/** A count such as `400`, `128k` or `1.5M`; undefined: not a whole number below 2^53. */
export function parseCount(value: number | string | Decimal): number | undefined {
  const scaled = parseScaled(numberText(value), 0);
  if (scaled === undefined || scaled === 'inexact' || scaled > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return Number(scaled);
}

export const PERCENT = /^(?:100(?:\.0{1,4})?|(?:0|[1-9][0-9]?)(?:\.[0-9]{1,4})?)%$/;

/** `12.5%` in ten-thousandths of a percent (125000); undefined: not 0–100 with up to four decimals. */
export function parsePercent(text: string): number | undefined {
  return PERCENT.test(text) ? Number(parseScaled(text.slice(0, -1), 4)) : undefined;
}

export const DURATION = /^([1-9][0-9]{0,8})(ms|s|m|h|d)$/;
const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS } as const;

/** `15m` in ms; undefined: not a length of time. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  return match === null ? undefined : Number(match[1]) * DURATION_MS[match[2] as keyof typeof DURATION_MS];
}

export const SIZE = /^([1-9][0-9]{0,8})(B|KiB|MiB)$/;
const SIZE_BYTES = { B: 1, KiB: 1024, MiB: 1024 * 1024 } as const;

/** `4MiB` in bytes; undefined: not a size. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  return match === null ? undefined : Number(match[1]) * SIZE_BYTES[match[2] as keyof typeof SIZE_BYTES];
}
