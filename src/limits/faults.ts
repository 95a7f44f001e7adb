/** Faults of who calls a store: TypeErrors, found before anything is changed. */
import { P_MAX } from './bucket.ts';
import type { Ask, CounterRef, Settlement, Spend } from './store.ts';

function isAmount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

export function assertRef(ref: CounterRef): void {
  if (ref.kind === 'bucket') {
    const { n, p } = ref;
    if (n === undefined || p === undefined || !isAmount(n) || !isAmount(p) || n === 0 || p === 0 || p > P_MAX) {
      throw new TypeError(
        `bucket \`${ref.counter}\` needs integers \`n\` > 0 and \`p\` in 1..${P_MAX}, got \`${n}/${p}\``,
      );
    }
  }
  if (ref.kind === 'window' && (ref.end === undefined || !Number.isSafeInteger(ref.end))) {
    throw new TypeError(`window \`${ref.counter}\` needs its \`end\`, got \`${ref.end}\``);
  }
}

function assertSpend(spend: Spend, isDry: boolean): void {
  assertRef(spend);
  if (!isAmount(spend.amount) || (spend.amount === 0 && !isDry)) {
    throw new TypeError(`amount of \`${spend.limit}\` must be a safe integer > 0, got \`${spend.amount}\``);
  }
  if (!isAmount(spend.ceiling)) {
    throw new TypeError(`ceiling of \`${spend.limit}\` must be a safe integer ≥ 0, got \`${spend.ceiling}\``);
  }
}

function assertDistinct(spends: readonly Spend[]): void {
  for (let i = 1; i < spends.length; i++) {
    const { counter } = spends[i]!;
    for (let j = 0; j < i; j++) {
      if (spends[j]!.counter === counter) throw new TypeError(`a candidate spends \`${counter}\` twice`);
    }
  }
}

/** Checks a question; a dry one may ask for 0. */
export function assertAsk(ask: Ask, { isDry, force }: { isDry: boolean; force: number | undefined }): void {
  if (ask.candidates.length === 0) throw new TypeError('a question needs a candidate');
  if (force !== undefined && ask.candidates[force] === undefined) {
    throw new TypeError(`candidate \`${force}\` to force is not one of ${ask.candidates.length}`);
  }
  for (const spends of ask.candidates) {
    for (const spend of spends) assertSpend(spend, isDry);
    assertDistinct(spends);
  }
}

export function assertSettle(rank: number, settlements: readonly Settlement[]): void {
  if (!isAmount(rank)) throw new TypeError(`rank must be an integer ≥ 0, got \`${rank}\``);
  for (let i = 0; i < settlements.length; i++) {
    const { ref, actual } = settlements[i]!;
    assertRef(ref);
    if (actual !== 'unmeasured' && !isAmount(actual)) {
      throw new TypeError(`settlement of \`${ref.counter}\` must be a safe integer ≥ 0, got \`${actual}\``);
    }
    for (let j = 0; j < i; j++) {
      if (settlements[j]!.ref.counter === ref.counter) throw new TypeError(`\`${ref.counter}\` is settled twice`);
    }
  }
}

export function assertAdjustment(change: { readonly delta: number } | { readonly reset: true }): void {
  if ('delta' in change && !Number.isSafeInteger(change.delta)) {
    throw new TypeError(`delta must be a safe integer, got \`${change.delta}\``);
  }
}
