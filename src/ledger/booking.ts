/**
 * What an end adds to the book. Pure. Amounts booked are differences to what is booked for the decision, so that its
 * charge is the sum of its lines whatever the order and repetition of its ends.
 */
import { METERS, type Meter } from '../core/units.ts';
import type { Line } from './ledger.ts';

/** A line under the model it was priced by: the grain of the book. */
export interface BookLine extends Line {
  readonly model: string;
}

/** What the book holds of one decision. */
export interface Booked {
  /** Canonical amounts (`amountsText`) of every end that was booked, by rank. */
  readonly ends: ReadonlyMap<number, string>;
  /** Sums of the lines, one per meter and model, any order. */
  readonly sums: readonly BookLine[];
}

/**
 * `booked`: `lines` are to be appended under the end's rank, in this order. `repeated`: the same rank with the same
 * amounts, nothing to do. `conflict`: the same rank with other amounts, to be listed, never summed. `superseded`: a
 * higher rank is booked, nothing to do.
 */
export type Booking =
  | { readonly outcome: 'booked'; readonly lines: readonly BookLine[] }
  | { readonly outcome: 'repeated' }
  | { readonly outcome: 'conflict'; readonly booked: string }
  | { readonly outcome: 'superseded' };

export function book(booked: Booked, end: { readonly rank: number; readonly lines: readonly BookLine[] }): Booking {
  const same = booked.ends.get(end.rank);
  if (same !== undefined) {
    return same === amountsText(end.lines) ? { outcome: 'repeated' } : { outcome: 'conflict', booked: same };
  }
  for (const rank of booked.ends.keys()) if (rank > end.rank) return { outcome: 'superseded' };
  return { outcome: 'booked', lines: differences(booked.sums, end.lines) };
}

/** Amounts as one text, equal for equal amounts: one entry per meter and model, in order, without empty ones. */
export function amountsText(lines: readonly BookLine[]): string {
  return JSON.stringify(
    normalised(lines).map((line) => [
      line.meter,
      line.model,
      line.quantity,
      line.charge.toString(),
      line.cost.toString(),
    ]),
  );
}

/** Lines that take the sums from `from` to `to`. */
function differences(from: readonly BookLine[], to: readonly BookLine[]): readonly BookLine[] {
  const taken = from.map((line) => ({
    ...line,
    quantity: -line.quantity,
    charge: -line.charge,
    cost: -line.cost,
  }));
  return normalised([...to, ...taken]);
}

/** One line per meter and model, ordered by meter, then model; lines of nothing are left out. */
export function normalised(lines: readonly BookLine[]): readonly BookLine[] {
  const sums = new Map<string, BookLine>();
  for (const line of lines) {
    const key = `${line.meter}|${line.model}`;
    const sum = sums.get(key);
    sums.set(
      key,
      sum === undefined
        ? line
        : {
            ...sum,
            quantity: sum.quantity + line.quantity,
            charge: sum.charge + line.charge,
            cost: sum.cost + line.cost,
          },
    );
  }
  return [...sums.values()]
    .filter((line) => line.quantity !== 0 || line.charge !== 0n || line.cost !== 0n)
    .sort(byPlace);
}

const PLACE = new Map<Meter, number>(METERS.map((meter, at) => [meter, at]));

function byPlace(a: BookLine, b: BookLine): number {
  const meters = (PLACE.get(a.meter) ?? METERS.length) - (PLACE.get(b.meter) ?? METERS.length);
  if (meters !== 0) return meters;
  return a.model < b.model ? -1 : a.model > b.model ? 1 : 0;
}
