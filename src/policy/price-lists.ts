/** plans.yaml's prices and costs, resolved to integers: money units per million tokens. */
import { parseDay } from '../core/day.ts';
import { halfEven } from '../core/money.ts';
import { METERS, type Meter } from '../core/units.ts';
import { DECIMALS } from './amount.ts';
import type { Document } from './documents.ts';
import { refer } from './names.ts';
import type { PriceRow, PriceTables } from './policy.ts';
import { type Problems, show } from './problem.ts';
import { numberText, parseCount, parsePercent, parseScaled } from './quantity.ts';
import type { PlansFile, PriceEntry } from './schema.ts';
import type { Decimal, Path, Source } from './source.ts';

type Table = Readonly<Record<string, readonly PriceRow[]>>;
const MILLION = 1_000_000n;
/** 100 % in the ten-thousandths of `parsePercent`. */
const WHOLE = 1_000_000n;
/** A list that is like a list that is like …: more is a mistake. */
const LIKE_MAX = 8;

/** Price lists with `like` and `discount` worked out, and costs. Maps have no prototype; rows ascend by (inputOver, fromMs). */
export function compilePrices({ source, data }: Document<PlansFile>, problems: Problems): PriceTables {
  const own = new Map<string, Table>();
  const derived = new Map<string, { like: string; discount: string }>();
  for (const [list, entry] of Object.entries(data.prices)) {
    if (isDerived(entry)) derived.set(list, entry);
    else own.set(list, compileTable(entry, { source, path: ['prices', list] }, problems));
  }
  const charge: Record<string, Table> = Object.create(null);
  for (const list of Object.keys(data.prices)) {
    const table = resolveList(list, { own, derived, source, problems });
    if (table !== undefined) charge[list] = table;
  }
  const cost: Record<string, Table> = Object.create(null);
  for (const [provider, table] of Object.entries(data.costs ?? {})) {
    cost[provider] = compileTable(table, { source, path: ['costs', provider] }, problems);
  }
  return Object.freeze({
    currency: data.currency,
    decimals: DECIMALS,
    charge: Object.freeze(charge),
    cost: Object.freeze(cost),
  });
}

function isDerived(entry: PlansFile['prices'][string]): entry is { like: string; discount: string } {
  return typeof entry['like'] === 'string';
}

interface Lists {
  readonly own: ReadonlyMap<string, Table>;
  readonly derived: ReadonlyMap<string, { readonly like: string; readonly discount: string }>;
  readonly source: Source;
  readonly problems: Problems;
}

/** Follows `like` to a list with rows of its own, then takes the discounts off, nearest to it first, each rounded. */
function resolveList(list: string, { own, derived, source, problems }: Lists): Table | undefined {
  const chain: string[] = [];
  let current = list;
  while (!own.has(current)) {
    const entry = derived.get(current);
    const at = ['prices', chain.at(-1) ?? current, 'like'];
    if (entry === undefined) {
      // Reported once, by the list that names it.
      const known = {
        what: 'a price list',
        names: new Set([...own.keys(), ...derived.keys()]),
        broken: source.dropped,
        file: source.file,
      };
      if (chain.length === 1) refer(current, known, { source, path: at, owned: true }, problems);
      return undefined;
    }
    if (chain.includes(current) || chain.length === LIKE_MAX) {
      if (list === current || chain.length === LIKE_MAX) {
        problems.report('price-cycle', source.at(['prices', list, 'like']), {
          text: `\`${[...chain, current].join('` is like `')}\``,
        });
      }
      return undefined;
    }
    chain.push(current);
    current = entry.like;
  }
  let table = own.get(current)!;
  for (const step of chain.toReversed()) table = discounted(table, derived.get(step)!.discount);
  return table;
}

/** Each price · (100 % − discount), half to even. */
function discounted(table: Table, discount: string): Table {
  const kept = WHOLE - BigInt(parsePercent(discount) ?? 0);
  const result: Record<string, readonly PriceRow[]> = Object.create(null);
  for (const [model, rows] of Object.entries(table)) {
    result[model] = Object.freeze(
      rows.map((row) => {
        const prices: Partial<Record<Meter, number>> = {};
        for (const meter of METERS) {
          const price = row.prices[meter];
          if (price !== undefined) prices[meter] = Number(halfEven({ dividend: BigInt(price) * kept, divisor: WHOLE }));
        }
        return Object.freeze({ ...row, prices: Object.freeze(prices) });
      }),
    );
  }
  return Object.freeze(result);
}

interface Site {
  readonly source: Source;
  readonly path: Path;
}

function compileTable(table: Readonly<Record<string, readonly PriceEntry[]>>, site: Site, problems: Problems): Table {
  const result: Record<string, readonly PriceRow[]> = Object.create(null);
  for (const [model, entries] of Object.entries(table)) {
    const at = { source: site.source, path: [...site.path, model] };
    const rows = entries.map((entry, index) => ({
      row: compileRow(entry, { source: at.source, path: [...at.path, index] }, problems),
      index,
    }));
    rows.sort((a, b) => a.row.inputOver - b.row.inputOver || a.row.fromMs - b.row.fromMs || a.index - b.index);
    lintRows(rows, at, problems);
    result[model] = Object.freeze(rows.map(({ row }) => row));
  }
  return Object.freeze(result);
}

function compileRow(entry: PriceEntry, { source, path }: Site, problems: Problems): PriceRow {
  const per = BigInt(parseCount(entry.per.split(' ')[0]!) ?? 1);
  const prices: Partial<Record<Meter, number>> = {};
  for (const meter of METERS) {
    const written = entry[meter];
    if (written !== undefined) prices[meter] = priceOf(written, per, { source, path: [...path, meter] }, problems);
  }
  return Object.freeze({
    fromMs: parseDay(entry.from) ?? 0,
    inputOver: entry.input_over === undefined ? 0 : (parseCount(entry.input_over) ?? 0),
    prices: Object.freeze(prices),
  });
}

/** Money units per million tokens; must come out whole and below 2^53. */
function priceOf(written: number | Decimal, per: bigint, { source, path }: Site, problems: Problems): number {
  const scaled = parseScaled(numberText(written), DECIMALS);
  const perMillion = typeof scaled === 'bigint' ? scaled * MILLION : undefined;
  if (perMillion === undefined || perMillion % per !== 0n) {
    problems.report('price-inexact', source.at(path), {
      expected: `a price that is a whole number of 10^-${DECIMALS} per million`,
      found: show(written),
    });
    return 0;
  }
  const price = perMillion / per;
  if (price > BigInt(Number.MAX_SAFE_INTEGER)) {
    problems.report('amount-range', source.at(path), {
      expected: 'a price below 2^53 units per million',
      found: show(written),
    });
    return 0;
  }
  return Number(price);
}

/** Within a band dates differ, and no band begins before the base band does. */
function lintRows(rows: readonly { row: PriceRow; index: number }[], { source, path }: Site, problems: Problems): void {
  const base = rows[0]?.row;
  for (const [i, { row, index }] of rows.entries()) {
    const before = rows[i - 1]?.row;
    if (before !== undefined && before.inputOver === row.inputOver && before.fromMs === row.fromMs) {
      problems.report('price-overlap', source.at([...path, index]), {
        text: 'another row has the same `from` and band',
      });
    }
    if (base !== undefined && base.inputOver !== 0 && i === 0) {
      problems.report('price-gap', source.at([...path, index]), {
        text: 'expected a row without `input_over` as the base band',
      });
    } else if (base !== undefined && row.fromMs < base.fromMs) {
      problems.report('price-gap', source.at([...path, index, 'from']), {
        text: 'the band begins before the base band has a price',
      });
    }
  }
}
