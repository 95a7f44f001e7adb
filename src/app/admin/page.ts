/** Pages of lists that are in memory. */
import type { Page, PageQuery } from '../../admin/ports.ts';

/** The entries behind `after` in a list that ascends by `nameOf`; `next` is the name of the last one shown. */
export function pageOf<T>(sorted: readonly T[], nameOf: (entry: T) => string, { limit, after }: PageQuery): Page<T> {
  let from = 0;
  for (let to = after === undefined ? 0 : sorted.length; from < to; ) {
    const middle = (from + to) >> 1;
    if (nameOf(sorted[middle]!) > after!) to = middle;
    else from = middle + 1;
  }
  const entries = sorted.slice(from, from + limit);
  const last = entries.at(-1);
  return { entries, next: last === undefined || from + limit >= sorted.length ? undefined : nameOf(last) };
}
