/** The one way to say a limit: `AMOUNT UNIT [per WINDOW]`. */
import { DAY_MS } from '../core/day.ts';
import type { Unit } from '../core/units.ts';
import type { Period } from './policy.ts';
import { type Finding, show } from './problem.ts';
import { DECIMAL, parseScaled } from './quantity.ts';
import type { RuleId } from './rules.ts';

/** Money has 10^-9 of its currency as its smallest unit. */
export const DECIMALS = 9;

export interface Amount {
  /** In the smallest unit; > 0, < 2^53. */
  readonly amount: number;
  readonly unit: Unit;
  /** `in flight`: concurrency. */
  readonly inFlight: boolean;
  /** Undefined: none was named. */
  readonly window: Window | undefined;
}

export interface Window {
  readonly word: string;
  readonly period: Period;
  /** Its length as a bucket's; undefined for those without a fixed length (week, month, year) or beyond a day. */
  readonly bucketMs: number | undefined;
}

export interface AmountFault extends Finding {
  readonly rule: RuleId;
}

export const AMOUNT_FORM = 'an amount like `500 USD per month`, `2M tokens per day` or `50 in flight`';

/** Longer ones are calendar windows. */
const FIXED_MS_MAX = 366 * DAY_MS;
const BUCKET_MS_MAX = DAY_MS;

const COUNTED = ['requests', 'tokens', 'input_tokens', 'output_tokens', 'runs'] as const;
const MONEY = ['charge', 'cost'] as const;
const WORDS: Readonly<Record<string, Window>> = {
  second: fixed('second', 1000),
  minute: fixed('minute', 60_000),
  hour: calendar('hour', 3_600_000),
  day: calendar('day', DAY_MS),
  week: calendar('week', undefined),
  month: calendar('month', undefined),
  year: calendar('year', undefined),
};
const LENGTH = /^([1-9][0-9]{0,4})([smh])$/;
const LENGTH_MS = { s: 1000, m: 60_000, h: 3_600_000 } as const;

/** What every amount is written like; not everything that is written so is one. */
export const AMOUNT = new RegExp(
  `^${DECIMAL} (?:in flight|(?:${COUNTED.join('|')}|[A-Z]{3}(?: (?:${MONEY.join('|')}))?)` +
    `(?: per (?:${Object.keys(WORDS).join('|')}|[1-9][0-9]{0,4}[smh]))?)$`,
);

/** Reads an amount. `currency` is the bundle's; another one is a fault. */
export function parseAmount(text: string, currency: string): Amount | AmountFault {
  const [number = '', ...words] = text.split(' ');
  if (words.join(' ') === 'in flight') {
    const amount = scaled(number, 0, text);
    return typeof amount === 'number' ? { amount, unit: 'requests', inFlight: true, window: undefined } : amount;
  }
  const per = words.indexOf('per');
  const unitWords = per < 0 ? words : words.slice(0, per);
  const windowWords = per < 0 ? undefined : words.slice(per + 1);
  const unit = unitOf(unitWords, text, currency);
  if (typeof unit !== 'string') return unit;
  const amount = scaled(number, unit === 'charge' || unit === 'cost' ? DECIMALS : 0, text);
  if (typeof amount !== 'number') return amount;
  if (windowWords === undefined) return { amount, unit, inFlight: false, window: undefined };
  const window = windowWords.length === 1 ? parseWindow(windowWords[0]!) : undefined;
  if (window === undefined) {
    const word = windowWords.join(' ');
    return {
      rule: 'amount-form',
      expected: 'a window: `second`, `minute`, `hour`, `day`, `week`, `month`, `year`, or like `10s`, `5m`, `6h`',
      found: show(word),
      misspelt: { name: word, known: Object.keys(WORDS) },
    };
  }
  return { amount, unit, inFlight: false, window };
}

export function isAmountFault(read: Amount | AmountFault): read is AmountFault {
  return 'rule' in read;
}

/** Reads one window's word, such as `month` or `5m`; undefined: none. */
function parseWindow(word: string): Window | undefined {
  if (Object.hasOwn(WORDS, word)) return WORDS[word];
  const match = LENGTH.exec(word);
  if (match === null) return undefined;
  const ms = Number(match[1]) * LENGTH_MS[match[2] as keyof typeof LENGTH_MS];
  return ms > FIXED_MS_MAX ? undefined : fixed(word, ms);
}

/** Whether two periods are the same length counted in the same way. */
export function samePeriod(a: Period, b: Period): boolean {
  if (a.kind === 'fixed') return b.kind === 'fixed' && a.ms === b.ms;
  return b.kind === 'calendar' && a.unit === b.unit;
}

function unitOf(words: readonly string[], text: string, currency: string): Unit | AmountFault {
  const [first = '', second] = words;
  if (/^[A-Z]{3}$/.test(first) && words.length <= 2) {
    if (first !== currency)
      return { rule: 'amount-form', expected: `the bundle's currency \`${currency}\``, found: show(first) };
    const meant = MONEY.find((word) => word === (second ?? 'charge'));
    if (meant !== undefined) return meant;
    return {
      rule: 'amount-form',
      expected: '`charge` or `cost`',
      found: show(second),
      misspelt: { name: second ?? '', known: MONEY },
    };
  }
  const unit = words.length === 1 ? COUNTED.find((word) => word === first) : undefined;
  if (unit !== undefined) return unit;
  if (words.length === 0) return { rule: 'amount-form', expected: AMOUNT_FORM, found: show(text) };
  return {
    rule: 'amount-form',
    expected: `a unit: \`${COUNTED.join('`, `')}\`, money in \`${currency}\`, or \`in flight\``,
    found: show(words.join(' ')),
    misspelt: { name: words.join(' '), known: [...COUNTED, currency, 'in flight'] },
  };
}

/** A number > 0 and < 2^53 in the smallest unit. */
function scaled(number: string, places: number, text: string): number | AmountFault {
  const amount = parseScaled(number, places);
  if (amount === undefined) return { rule: 'amount-form', expected: AMOUNT_FORM, found: show(text) };
  if (amount === 'inexact') {
    const expected = places === 0 ? 'a whole number' : `at most ${places} decimals`;
    return { rule: 'amount-form', expected, found: show(number) };
  }
  if (amount === 0n) return { rule: 'amount-range', expected: 'an amount above 0', found: show(number) };
  if (amount > BigInt(Number.MAX_SAFE_INTEGER)) {
    const found = places === 0 ? show(number) : `${show(number)} with ${places} decimals`;
    return { rule: 'amount-range', expected: 'an amount below 2^53 units', found };
  }
  return Number(amount);
}

function fixed(word: string, ms: number): Window {
  return { word, period: { kind: 'fixed', ms }, bucketMs: ms <= BUCKET_MS_MAX ? ms : undefined };
}

function calendar(unit: 'hour' | 'day' | 'week' | 'month' | 'year', bucketMs: number | undefined): Window {
  return { word: unit, period: { kind: 'calendar', unit }, bucketMs };
}
