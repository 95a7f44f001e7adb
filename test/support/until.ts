import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The first value of `look` that is neither undefined nor false, looked for every 10 ms. Rejects after `withinMs`, or with
 * what `look` throws; `what` says what was waited for.
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  { withinMs = 10_000 }: { readonly withinMs?: number } = {},
): Promise<T> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endsAt) throw new Error(`${what}: not within ${withinMs} ms`);
    await sleep(10);
  }
}
