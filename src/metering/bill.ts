import type { Dialect } from '../dialects/dialect.ts';
import type { Hold } from '../ledger/hold.ts';
import type { End } from '../ledger/ledger.ts';
import { RANK, type Settlement } from '../limits/store.ts';
import { endOf } from './end.ts';
import type { LogEntry } from './entry.ts';
import { settlementsOf, zerosOf } from './settlement.ts';
import { type Priced, type PricingFacts, priceEstimate, priceUsage } from './usage.ts';

/** An end of which only the store's answer is missing, and what the store is to be told. */
export interface Bill {
  readonly end: Omit<End, 'charged'>;
  readonly settlements: readonly Settlement[];
}

export interface BillFacts extends PricingFacts {
  /** The hold's dialect; undefined: its route has none. */
  readonly dialect: Dialect | undefined;
  readonly source: End['source'];
  readonly atMs: number;
}

const UNPRICED: Priced = Object.freeze({ lines: [], pricedModel: undefined, flags: [] });

/** The bill of a request whose `end` entry came. Pure. */
export function billOfEntry(entry: LogEntry, hold: Hold, facts: BillFacts): Bill {
  const { kind, quantities, answeredModel, flags } = endOf(entry, hold, facts.dialect);
  const billed = kind !== 'estimated' || hold.billEstimated;
  const used = kind === 'settled' || kind === 'estimated';
  const priced = used ? priceUsage({ quantities, answeredModel, billed }, hold, facts) : UNPRICED;
  const end = {
    ...blankEnd(hold, facts.atMs),
    rank: RANK.accessLog,
    kind,
    source: facts.source,
    answeredModel,
    pricedModel: priced.pricedModel,
    flags: [...flags, ...priced.flags],
    status: entry.status > 0 ? entry.status : undefined,
    attempts: entry.attempts,
    durationMs: entry.durationMs !== undefined && entry.durationMs >= 0 ? entry.durationMs : undefined,
    lines: priced.lines,
  };
  return {
    end,
    settlements: settlementsOf(hold, { released: kind === 'released', quantities, lines: priced.lines }),
  };
}

/** The bill of a request that nobody reported on: its estimate. The store has ended its spends already. Pure. */
export function billOfExpiry(
  hold: Hold,
  { tables, atMs }: { readonly tables: BillFacts['tables']; readonly atMs: number },
): Bill['end'] {
  const { lines, pricedModel } = priceEstimate(hold, tables);
  return { ...blankEnd(hold, atMs), kind: 'unreconciled', pricedModel, lines };
}

/** The bill of a request that was not served after all: nothing. Pure. */
export function billOfWithdrawal(hold: Hold, atMs: number): Bill {
  return {
    end: { ...blankEnd(hold, atMs), kind: 'released', flags: ['withdrawn'] },
    settlements: zerosOf(hold),
  };
}

function blankEnd(hold: Hold, atMs: number): Omit<End, 'charged' | 'kind'> {
  return {
    decisionId: hold.decisionId,
    rank: RANK.expired,
    source: 'hold',
    hold,
    atMs,
    answeredModel: undefined,
    pricedModel: undefined,
    flags: [],
    status: undefined,
    attempts: 0,
    durationMs: undefined,
    lines: [],
  };
}
