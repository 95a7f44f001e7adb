import { untraced } from './hold.ts';
import type { Charged, CounterRow, Recovered } from './ledger.ts';
import { decodeHold } from './row.ts';
import type { RecoveredRow } from './sqlite-wire.ts';
import type { WriterLink } from './writer-link.ts';

/** Rows of one page: keeps each message to the main thread near a megabyte, and its loop turning. */
const PAGE = 500;
const COUNTERS_PAGE = 5_000;

/** Reads what a restart needs, page by page. */
export async function recoverFrom(link: WriterLink, sinceMs: number): Promise<Recovered> {
  const counters: CounterRow[] = [];
  let some: readonly CounterRow[];
  do {
    const after = counters.at(-1)?.counter ?? '';
    some = (await link.ask({ what: 'counters', sinceMs, after, max: COUNTERS_PAGE })) as readonly CounterRow[];
    for (const row of some) counters.push(row);
  } while (some.length === COUNTERS_PAGE);
  const holds: Recovered['holds'][number][] = [];
  let page: readonly RecoveredRow[];
  let afterSeq: number | undefined;
  do {
    page = (await link.ask({ what: 'holds', sinceMs, afterSeq, max: PAGE })) as readonly RecoveredRow[];
    for (const row of page) holds.push(recoveredOf(row));
    afterSeq = page.at(-1)?.seq;
  } while (page.length === PAGE);
  return { counters, holds };
}

function recoveredOf({ row, rank, charged }: RecoveredRow): Recovered['holds'][number] {
  // The trace is for explain, which reads the row itself; that of a million holds would not fit.
  const hold = untraced(decodeHold(row));
  if (rank === null || charged === null) return { hold, ended: undefined };
  return { hold, ended: { rank, charged: JSON.parse(charged) as Charged } };
}
