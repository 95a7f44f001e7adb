import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The first value of `look` that is neither undefined nor false, looked for every `everyMs` (10). Rejects after `withinMs`
 * (10000), or with what `look` throws; `what` says what was waited for.
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  { withinMs = 10_000, everyMs = 10 }: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endsAt) throw new Error(`${what}: not within ${withinMs} ms`);
    await sleep(everyMs);
  }
}
