import { type Hold, untraced } from './hold.ts';
import type { Charged, CounterRow, Found, Recovered } from './ledger.ts';
import { decodeHold } from './row.ts';
import type { FoundRow, OpenRow } from './sqlite-wire.ts';
import type { WriterLink } from './writer-link.ts';

/** Rows of one page: keeps each message to the main thread near a megabyte, and its loop turning. */
const PAGE = 500;
const COUNTERS_PAGE = 5_000;

/** Behind every name. */
const END = '\u{10ffff}';

/** Reads what a restart needs, page by page. `decisionStates`: see SqliteLedgerOptions. */
export async function recoverFrom(
  link: WriterLink,
  { sinceMs, decisionStates }: { readonly sinceMs: number; readonly decisionStates: string | undefined },
): Promise<Recovered> {
  const counters: CounterRow[] = [];
  // Of each ended call there is a state until long after it can be settled: they are passed over unread.
  const ranges =
    decisionStates === undefined
      ? [['', END]]
      : [
          ['', decisionStates],
          [decisionStates + END, END],
        ];
  for (const [from, before] of ranges as [string, string][]) {
    let after = from;
    let page: readonly CounterRow[];
    do {
      page = (await link.ask({
        what: 'counters',
        sinceMs,
        after,
        before,
        max: COUNTERS_PAGE,
      })) as readonly CounterRow[];
      for (const row of page) counters.push(row);
      after = page.at(-1)?.counter ?? after;
    } while (page.length === COUNTERS_PAGE);
  }
  return { counters, holds: await openHolds(link, counters) };
}

/** Adds the states of the holds to `counters`. */
async function openHolds(link: WriterLink, counters: CounterRow[]): Promise<readonly Hold[]> {
  const holds: Hold[] = [];
  let page: readonly OpenRow[];
  let after = '';
  do {
    page = (await link.ask({ what: 'open_holds', after, max: PAGE })) as readonly OpenRow[];
    for (const { decisionId, row, counter, state, dropAtMs } of page) {
      after = decisionId;
      holds.push(holdOf(row));
      if (counter !== null) counters.push({ counter, state: state!, dropAtMs: dropAtMs! });
    }
  } while (page.length === PAGE);
  return holds;
}

/** Pure. */
export function foundOf({ hold, ended, states }: FoundRow): Found {
  return {
    hold: hold && holdOf(hold.row),
    isCopy: hold?.writtenBy === 'end',
    ended: ended && { rank: ended.rank, charged: JSON.parse(ended.charged) as Charged },
    states,
  };
}

/** The trace is for explain, which reads the row itself; those of all open holds would not fit. */
function holdOf(row: string): Hold {
  return untraced(decodeHold(row));
}
