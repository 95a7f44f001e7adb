/** What a refused caller is told of the limit that fired, and of when to come back. */
import { kindOf } from '../../core/reasons.ts';
import { RETRYABLE_WAIT_MAX_MS } from '../../decision/conclude.ts';
import type { Deny, LimitStatus } from '../../decision/decision.ts';
import { clientText, quoted } from './header-value.ts';

export type Header = readonly [name: string, value: string];

/** Wait told where we cannot decide and nobody knows how long that lasts. */
const UNAVAILABLE_WAIT_MS = 1_000;
/** Part of the wait that jitter may add, and its least, so that callers who were refused together do not return together. */
const JITTER_SHARE = 0.1;
const JITTER_MIN_MS = 250;
/** Largest integer of a structured field, RFC 9651 section 3.3.1. */
const SF_INTEGER_MAX = 999_999_999_999_999;

/**
 * Wait to be told, in ms, or undefined where a retry is pointless (`x-should-retry: false`). `jitter` in [0, 1) only adds,
 * up to a tenth of the wait or 250 ms, and the total stays within 60 s, beyond which openai-node ignores Retry-After.
 */
export function retryWaitMs(deny: Deny, jitter: number): number | undefined {
  const kind = kindOf(deny.reason);
  const waitMs = deny.waitMs ?? (kind === 'unavailable' ? UNAVAILABLE_WAIT_MS : undefined);
  if (typeof waitMs !== 'number' || waitMs > RETRYABLE_WAIT_MAX_MS) return undefined;
  if (kind !== 'rate' && kind !== 'unavailable') return undefined;
  const spreadMs = Math.max(JITTER_MIN_MS, waitMs * JITTER_SHARE);
  return Math.min(RETRYABLE_WAIT_MAX_MS, Math.ceil(Math.max(0, waitMs) + jitter * spreadMs));
}

/** `retry-after` in whole seconds (RFC 9110) and `retry-after-ms`, which the OpenAI and Anthropic SDKs prefer. */
export function retryHeaders(waitMs: number | undefined): readonly Header[] {
  if (waitMs === undefined) return [['x-should-retry', 'false']];
  return [
    ['retry-after', String(Math.max(1, Math.ceil(waitMs / 1000)))],
    ['retry-after-ms', String(waitMs)],
  ];
}

/**
 * `ratelimit`, `ratelimit-policy` (draft-ietf-httpapi-ratelimit-headers-11) and `x-tollgate-limit` of the limit that fired.
 * `t` is left out where it would be later than Retry-After, which the draft forbids. What a `cost` limit allows is what the
 * provider charges us: its caller learns the name only.
 */
export function limitHeaders(limit: LimitStatus, waitMs: number | undefined): readonly Header[] {
  const named: Header = ['x-tollgate-limit', clientText(limit.name)];
  if (limit.unit === 'cost' || !isCount(limit.max)) return [named];
  const name = quoted(limit.name);
  const unit = limit.unit === 'requests' ? '' : `;qu=${quoted(vendorUnit(limit.unit))}`;
  const window = limit.windowMs === undefined ? '' : `;w=${Math.max(1, Math.ceil(limit.windowMs / 1000))}`;
  const remaining = Math.max(0, Math.min(limit.remaining, limit.max));
  return [
    named,
    ['ratelimit-policy', `${name};q=${limit.max}${unit}${window}`],
    ['ratelimit', `${name};r=${Math.floor(remaining)}${reset(limit.resetMs, waitMs)}`],
  ];
}

function reset(resetMs: number | undefined, waitMs: number | undefined): string {
  if (resetMs === undefined) return '';
  const seconds = Math.max(0, Math.ceil(resetMs / 1000));
  if (waitMs !== undefined && seconds > Math.max(1, Math.ceil(waitMs / 1000))) return '';
  return isCount(seconds) ? `;t=${seconds}` : '';
}

/** Only `requests` is registered with the draft for what we count; others are told under a name of our own. */
function vendorUnit(unit: string): string {
  return `tollgate-${unit.replaceAll('_', '-')}`;
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= SF_INTEGER_MAX;
}
