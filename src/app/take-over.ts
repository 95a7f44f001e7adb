import { setTimeout as delay } from 'node:timers/promises';
import { TollgateError } from '../core/errors.ts';

/** A process that ends takes 12 s at most with the default `drain`; one that ends more slowly was asked too late. */
const WITHIN_MS = 30_000;
const EVERY_MS = 20;

/**
 * Opens the ledger, which one process has at a time. With `waits` it waits for another one that is about to end, so that all
 * that can be done before is done: what remains between two processes is the recovery. Throws what `open` throws, and
 * `ledger_locked` after 30 s.
 */
export async function takeLedger<L>(
  open: () => Promise<L>,
  { waits, waiting }: { readonly waits: boolean; waiting(): void },
): Promise<L> {
  const untilMs = performance.now() + WITHIN_MS;
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await open();
    } catch (error) {
      const isLocked = error instanceof TollgateError && error.code === 'ledger_locked';
      if (!waits || !isLocked || performance.now() > untilMs) throw error;
      if (isFirst) waiting();
      await delay(EVERY_MS);
    }
  }
}
