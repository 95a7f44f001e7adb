/** Prices up and down, by list, model and meter. */

import { dayOf } from '../../core/day.ts';
import { moneyText } from '../../core/money.ts';
import { METERS, type Meter } from '../../core/units.ts';
import type { PriceRow, PriceTables } from '../policy.ts';
import type { Change } from './change.ts';

/** A customer gains where a price falls; what a provider costs us is a change. */
export function* diffPrices(before: PriceTables, after: PriceTables): Generator<Change, void> {
  if (before.currency !== after.currency || before.decimals !== after.decimals) {
    const text = `money: ${before.currency}, ${before.decimals} decimals → ${after.currency}, ${after.decimals} decimals`;
    yield { effect: 'change', about: 'bundle', of: '', text };
  }
  yield* diffBook({ before, after, book: 'charge' });
  yield* diffBook({ before, after, book: 'cost' });
}

interface Books {
  readonly before: PriceTables;
  readonly after: PriceTables;
  readonly book: 'charge' | 'cost';
}

function* diffBook({ before, after, book }: Books): Generator<Change, void> {
  const about = book === 'charge' ? 'price list' : 'provider';
  const [was, is] = [before[book], after[book]];
  for (const of of union(was, is)) {
    for (const model of union(own(was, of), own(is, of))) {
      const [a, b] = [own(own(was, of), model), own(own(is, of), model)];
      for (const { effect, text } of rowChanges(a, b, { before, after, book })) {
        yield { effect, about, of, text: `\`${model}\` ${text}` };
      }
    }
  }
}

function* rowChanges(
  was: readonly PriceRow[] | undefined,
  is: readonly PriceRow[] | undefined,
  { before, after, book }: Books,
): Generator<Pick<Change, 'effect' | 'text'>, void> {
  if (was === undefined || is === undefined) {
    yield { effect: 'change', text: was === undefined ? 'is priced now' : 'is priced no more' };
    return;
  }
  const [old, now] = [cellsOf(was), cellsOf(is)];
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    const [a, b] = [old.get(key), now.get(key)];
    if (a?.price === b?.price) continue;
    const { meter, row } = (b ?? a)!;
    const over = row.inputOver === 0 ? '' : ` over ${row.inputOver} tokens`;
    const at = `${meter.replaceAll('_', ' ')}${over} from ${dayOf(row.fromMs)}`;
    const show = (cell: Cell | undefined, tables: PriceTables): string =>
      cell === undefined ? 'none' : moneyText(BigInt(cell.price), tables);
    const isCharged = book === 'charge' && a !== undefined && b !== undefined;
    const effect = isCharged ? (b.price < a.price ? 'gain' : 'lose') : 'change';
    yield { effect, text: `${at}: ${show(a, before)} → ${show(b, after)} per 1M tokens` };
  }
}

interface Cell {
  readonly meter: Meter;
  readonly row: PriceRow;
  readonly price: number;
}

function cellsOf(rows: readonly PriceRow[]): ReadonlyMap<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const row of rows) {
    for (const meter of METERS) {
      const price = row.prices[meter];
      if (price !== undefined) cells.set(`${row.fromMs} ${row.inputOver} ${meter}`, { meter, row, price });
    }
  }
  return cells;
}

type Table<T> = Readonly<Record<string, T>>;

function own<T>(table: Table<T> | undefined, name: string): T | undefined {
  return table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
}

function union<T>(a: Table<T> | undefined, b: Table<T> | undefined): ReadonlySet<string> {
  return new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})]);
}
