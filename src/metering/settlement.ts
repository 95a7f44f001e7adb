import { inputTokens, type Quantities, totalTokens } from '../core/units.ts';
import type { HeldSpend, Hold } from '../ledger/hold.ts';
import type { Charged, Line } from '../ledger/ledger.ts';
import type { CounterRef, Settlement } from '../limits/store.ts';

/** What one decision really used. Money is that of its ledger lines, so that counter and ledger agree to the unit. */
export interface Outcome {
  /** Nothing was sent upstream: the request is given back. */
  readonly released: boolean;
  readonly quantities: Quantities;
  readonly lines: readonly Line[];
}

/** What each held spend settles at, in its own unit. Pure. */
export function settlementsOf(hold: Hold, outcome: Outcome): readonly Settlement[] {
  return hold.spends.map((spend) => ({ ref: refOf(spend), actual: actualOf(spend, outcome) }));
}

/** All of a hold given back, for a call that is not served after all. Pure. */
export function zerosOf(hold: Hold): readonly Settlement[] {
  return hold.spends.map((spend) => ({ ref: refOf(spend), actual: 0 }));
}

/** What the counters of a hold stay charged with where its settlement did not reach them: what its expiry keeps. Pure. */
export function keptOf(hold: Hold): Charged {
  return hold.spends.map(({ counter, kind, onExpiry, reserved }) => ({
    counter,
    amount: kind === 'slots' || onExpiry === 'release' ? 0 : reserved,
  }));
}

/** Sum of one column of ledger lines, as a counter's amount; what is beyond a safe integer fills any counter. */
export function moneyOf(lines: readonly Line[], column: 'charge' | 'cost'): number {
  const sum = lines.reduce((total, line) => total + line[column], 0n);
  return sum > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(sum);
}

function actualOf({ kind, unit, reserved }: HeldSpend, { released, quantities, lines }: Outcome): number {
  if (kind === 'slots') return 0;
  switch (unit) {
    case 'requests':
      return released ? 0 : 1;
    case 'runs':
      // The run has begun, whatever became of its first request: later ones find its marker and are not asked.
      return reserved;
    case 'tokens':
      return totalTokens(quantities);
    case 'input_tokens':
      return inputTokens(quantities);
    case 'output_tokens':
      return quantities.output;
    case 'charge':
      return moneyOf(lines, 'charge');
    case 'cost':
      return moneyOf(lines, 'cost');
  }
}

/** The part of a held spend that names its counter. */
export function refOf({ counter, kind, unit, onExpiry, n, p, end }: HeldSpend): CounterRef {
  return {
    counter,
    kind,
    unit,
    onExpiry,
    ...(n !== undefined && p !== undefined ? { n, p } : {}),
    ...(end !== undefined ? { end } : {}),
  };
}
