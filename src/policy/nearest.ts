/** What a misspelt name was probably meant to be. */

/** Beyond it a mistake that a whole file makes would cost minutes. */
const KNOWN_MAX = 1000;

/**
 * The known name that `name` was probably meant to be: at most a third of its letters differ (transposition counts once).
 * Looks at the first 1000.
 */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > 64) return undefined;
  let best: string | undefined;
  let distanceMax = Math.max(1, Math.floor(name.length / 3));
  const wanted = name.toLowerCase();
  let looked = 0;
  for (const candidate of known) {
    if (++looked > KNOWN_MAX) break;
    if (candidate === name || Math.abs(candidate.length - name.length) > distanceMax) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < distanceMax || (distance === distanceMax && best === undefined)) {
      best = candidate;
      distanceMax = distance;
    }
  }
  return best;
}

/** Optimal string alignment distance: insert, delete, replace, swap neighbours. What both begin and end with costs nothing. */
function editDistance(one: string, other: string): number {
  let start = 0;
  while (start < Math.min(one.length, other.length) && one[start] === other[start]) start++;
  let end = 0;
  while (end < Math.min(one.length, other.length) - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  const [a, b] = [one.slice(start, one.length - end), other.slice(start, other.length - end)];
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = above;
    above = row;
  }
  return above[b.length]!;
}
