/** What may be asked of a report, and the words for it. */
import { Temporal } from 'temporal-polyfill';
import { parseDay } from '../core/day.ts';
import { TollgateError } from '../core/errors.ts';

export const DIMENSIONS = ['account', 'model', 'day', 'credential', 'class', 'plan', 'meter'] as const;
/** What rows are grouped by. `tag:NAME`: the tag's value; empty where an account has none. */
export type Dimension = (typeof DIMENSIONS)[number] | `tag:${string}`;

export interface ReportQuery {
  /** In the order of the columns; no dimension twice. */
  readonly by: readonly Dimension[];
  /** Decided at or after; undefined: from the beginning. */
  readonly fromMs: number | undefined;
  /** Decided before; undefined: to the end. */
  readonly toMs: number | undefined;
  /** IANA zone of `day`. */
  readonly zone: string;
  /** This account and all below it. */
  readonly account: string | undefined;
}

/** Reads `account,model,tag:cost_center`. Throws `usage`. */
export function readDimensions(text: string): readonly Dimension[] {
  const words = text.split(',').map((word) => word.trim());
  for (const word of words) {
    if (!(DIMENSIONS as readonly string[]).includes(word) && !/^tag:./.test(word)) {
      throw new TollgateError(
        'usage',
        `\`--by\` takes a list of ${DIMENSIONS.map((name) => `\`${name}\``).join(', ')} and \`tag:NAME\`; got \`${word}\``,
      );
    }
    if (words.indexOf(word) !== words.lastIndexOf(word)) {
      throw new TollgateError('usage', `\`--by\` names \`${word}\` twice`);
    }
  }
  return words as Dimension[];
}

/** The instants of whole days, both inclusive, in a zone. Throws `usage` for what is no date or no zone. */
export function readDays({ from, to, zone }: { from: string | undefined; to: string | undefined; zone: string }): {
  fromMs: number | undefined;
  toMs: number | undefined;
} {
  const start = (date: Temporal.PlainDate): number => {
    try {
      return date.toZonedDateTime(zone).epochMilliseconds;
    } catch {
      throw new TollgateError('usage', `\`--zone\` takes an IANA time zone, as \`Europe/Berlin\`; got \`${zone}\``);
    }
  };
  start(Temporal.PlainDate.from('2026-01-01'));
  const first = from === undefined ? undefined : readDate('--from', from);
  const last = to === undefined ? undefined : readDate('--to', to);
  if (first !== undefined && last !== undefined && Temporal.PlainDate.compare(first, last) > 0) {
    throw new TollgateError('usage', `\`--from\` must not be after \`--to\`; got \`${from}\` and \`${to}\``);
  }
  return {
    fromMs: first === undefined ? undefined : start(first),
    toMs: last === undefined ? undefined : start(last.add({ days: 1 })),
  };
}

function readDate(option: string, text: string): Temporal.PlainDate {
  if (parseDay(text) !== undefined) return Temporal.PlainDate.from(text);
  throw new TollgateError('usage', `\`${option}\` takes a date, as \`2026-01-31\`; got \`${text}\``);
}
