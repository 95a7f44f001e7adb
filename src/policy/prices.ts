/**
 * Pure look-ups over the price tables of a bundle: which row prices a request, what its ledger lines cost, and what to
 * reserve for it. A table is prepared once per (tables, list, model); the hot path then only reads.
 */
import { chargeHalfEven, chargeUp } from '../core/money.ts';
import type { Meter, Quantities } from '../core/units.ts';
import { METERS } from '../core/units.ts';
import type { PriceRow, PriceTables } from './policy.ts';

/** Money units per million tokens of each meter for one band from one instant on; parents are filled in. */
export interface Rates {
  /** Holds for requests with more input tokens than this; 0: for all. */
  readonly inputOver: number;
  readonly prices: Readonly<Record<Exclude<Meter, 'reasoning'>, number>>;
  /** Undefined: reasoning is priced inside output. */
  readonly reasoning: number | undefined;
}

/** All prices of one model in one list, ready to be asked. */
export interface ModelPrices {
  /** Ascending by `fromMs`; each holds until the next one, the last one for ever. */
  readonly spans: readonly PriceSpan[];
}

interface PriceSpan {
  readonly fromMs: number;
  /** Ascending by `inputOver`. */
  readonly bands: readonly Band[];
}

interface Band extends Rates {
  /** What to reserve input and output at, and into how many ledger lines the charge may be split. */
  readonly reserve: {
    readonly plain: ReservePrices;
    readonly caching: ReservePrices;
  };
}

interface ReservePrices {
  readonly input: number;
  readonly output: number;
  readonly inputLines: number;
  readonly outputLines: number;
}

/** One ledger line's share of a charge. */
export interface ChargeLine {
  readonly meter: Meter;
  /** Tokens; those of `output` include `reasoning`, whatever is priced apart. */
  readonly quantity: number;
  /** Money units, half-even. */
  readonly charge: bigint;
}

/** The most that a request may use: tokens with all choices; `caching`: its body asks the provider to write caches. */
export interface PriceEstimate {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly caching: boolean;
}

type Book = 'charge' | 'cost';
type Prepared = Map<string, Map<string, ModelPrices>>;

const prepared = new WeakMap<PriceTables, Readonly<Record<Book, Prepared>>>();

/** What customers on the price list `list` pay for `model`; undefined: the list does not price it. */
export function chargePrices(tables: PriceTables, list: string, model: string): ModelPrices | undefined {
  return pricesOf(tables, 'charge', list, model);
}

/** What `provider` bills us for `model`; undefined: its costs are not known. */
export function costPrices(tables: PriceTables, provider: string, model: string): ModelPrices | undefined {
  return pricesOf(tables, 'cost', provider, model);
}

/**
 * The rates in force at `atMs` for a request with `inputTokens` tokens of input in all, caches included. The band they
 * choose applies to all tokens of the request. Undefined: no row is in force.
 */
export function ratesAt(
  prices: ModelPrices,
  { atMs, inputTokens }: { readonly atMs: number; readonly inputTokens: number },
): Rates | undefined {
  const span = spanAt(prices, atMs);
  if (span === undefined) return undefined;
  for (let i = span.bands.length - 1; i >= 0; i--) {
    const band = span.bands[i]!;
    if (reaches(inputTokens, band)) return band;
  }
  return undefined;
}

/** The ledger lines of `quantities`, in the order of METERS, without those of nothing. Their sum is the charge. */
export function chargeOf(quantities: Quantities, rates: Rates): readonly ChargeLine[] {
  const lines: ChargeLine[] = [];
  for (const meter of METERS) {
    const quantity = quantities[meter];
    if (quantity > 0) lines.push({ meter, quantity, charge: chargeOfMeter(quantities, meter, rates) });
  }
  return lines;
}

/**
 * What to reserve for a request decided at `atMs`: rounded up once, at the dearest band that the estimate may reach,
 * plus one unit for each further ledger line. Never below the charge of usage within the estimate. Undefined: no row is
 * in force, and the request cannot be priced. `Number.MAX_SAFE_INTEGER`, which no cap admits, for what is beyond it.
 */
export function reserveCharge(estimate: PriceEstimate, prices: ModelPrices, atMs: number): number | undefined {
  const span = spanAt(prices, atMs);
  if (span === undefined) return undefined;
  let dearest: number | undefined;
  for (const band of span.bands) {
    if (!reaches(estimate.inputTokens, band)) break;
    const charge = reserveIn(estimate, band);
    if (dearest === undefined || charge > dearest) dearest = charge;
  }
  return dearest;
}

// One question at a time: reused, so that a decision allocates nothing here.
const inputItem = { quantity: 0, price: 0 };
const outputItem = { quantity: 0, price: 0 };
const items = [inputItem, outputItem];

function reserveIn({ inputTokens, outputTokens, caching }: PriceEstimate, band: Band): number {
  const at = caching ? band.reserve.caching : band.reserve.plain;
  inputItem.quantity = inputTokens;
  inputItem.price = at.input;
  outputItem.quantity = outputTokens;
  outputItem.price = at.output;
  const lines = (inputTokens > 0 ? at.inputLines : 0) + (outputTokens > 0 ? at.outputLines : 0);
  return Math.min(chargeUp(items) + Math.max(0, lines - 1), Number.MAX_SAFE_INTEGER);
}

function chargeOfMeter(quantities: Quantities, meter: Meter, rates: Rates): bigint {
  if (meter === 'reasoning') {
    return rates.reasoning === undefined
      ? 0n
      : chargeHalfEven({ quantity: quantities.reasoning, price: rates.reasoning });
  }
  const apart = meter === 'output' && rates.reasoning !== undefined ? quantities.reasoning : 0;
  return chargeHalfEven({ quantity: Math.max(0, quantities[meter] - apart), price: rates.prices[meter] });
}

/** `inputOver` is exclusive, but the base band also holds for a request without input. */
function reaches(inputTokens: number, band: Rates): boolean {
  return inputTokens > band.inputOver || band.inputOver === 0;
}

function spanAt({ spans }: ModelPrices, atMs: number): PriceSpan | undefined {
  for (let i = spans.length - 1; i >= 0; i--) {
    if (spans[i]!.fromMs <= atMs) return spans[i];
  }
  return undefined;
}

/** Keeps what it prepares for as long as the tables live; only what the tables hold is kept, so it is bounded by them. */
function pricesOf(tables: PriceTables, book: Book, list: string, model: string): ModelPrices | undefined {
  let books = prepared.get(tables);
  if (books === undefined) {
    books = { charge: new Map(), cost: new Map() };
    prepared.set(tables, books);
  }
  const found = books[book].get(list)?.get(model);
  if (found !== undefined) return found;
  const models = Object.hasOwn(tables[book], list) ? tables[book][list] : undefined;
  const rows = models !== undefined && Object.hasOwn(models, model) ? models[model] : undefined;
  if (rows === undefined || rows.length === 0) return undefined;
  const prices = prepare(rows);
  const byModel = books[book].get(list) ?? new Map<string, ModelPrices>();
  books[book].set(list, byModel.set(model, prices));
  return prices;
}

/** One span for each date at which any band changes. */
function prepare(rows: readonly PriceRow[]): ModelPrices {
  const starts = [...new Set(rows.map((row) => row.fromMs))].sort((a, b) => a - b);
  return { spans: starts.map((fromMs) => ({ fromMs, bands: bandsAt(rows, fromMs) })) };
}

function bandsAt(rows: readonly PriceRow[], atMs: number): readonly Band[] {
  const inForce = new Map<number, PriceRow>();
  for (const row of rows) {
    const other = inForce.get(row.inputOver);
    if (row.fromMs <= atMs && (other === undefined || row.fromMs >= other.fromMs)) inForce.set(row.inputOver, row);
  }
  const bands: Band[] = [];
  for (const row of [...inForce.values()].sort((a, b) => a.inputOver - b.inputOver)) {
    bands.push(bandOf(row, bands.at(-1)));
  }
  return bands;
}

/**
 * Fills in parents. Input and output have none: a band that leaves one out takes it from the band `below`, so that what
 * is left out of a long-context row is not free.
 */
function bandOf(row: PriceRow, below: Rates | undefined): Band {
  const own = row.prices;
  const input = own.input ?? below?.prices.input ?? 0;
  const output = own.output ?? below?.prices.output ?? 0;
  const prices = {
    input,
    cache_read: own.cache_read ?? input,
    cache_write_5m: own.cache_write_5m ?? input,
    cache_write_1h: own.cache_write_1h ?? input,
    output,
  };
  // A cache read is the provider's choice, so it may happen to any request.
  const plain = {
    input: Math.max(input, prices.cache_read),
    output: Math.max(output, own.reasoning ?? 0),
    inputLines: 2,
    outputLines: own.reasoning === undefined ? 1 : 2,
  };
  const caching = {
    ...plain,
    input: Math.max(plain.input, prices.cache_write_5m, prices.cache_write_1h),
    inputLines: 4,
  };
  return { inputOver: row.inputOver, prices, reasoning: own.reasoning, reserve: { plain, caching } };
}
