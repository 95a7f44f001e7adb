/** Reads a bundle that somebody may be writing: all of one moment, and nothing that was just touched. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../core/clock.ts';
import { type BundleFile, readBundleFiles } from '../directory.ts';
import { Problems } from '../problem.ts';
import { type Fingerprint, fingerprintOf } from './fingerprint.ts';

/** Two looks that far apart must see the same. reference C2. */
const LOOK_AGAIN_MS = 100;
/** A changed file must have been left alone that long: editors, `cp` and `rsync` write in pieces. */
const QUIET_MS = 1_000;
/** A directory that does not come to rest is given up that long after the first look, and looked at again with the next poll. */
const REST_WITHIN_MS = 10_000;

export interface SettledFiles {
  readonly files: readonly BundleFile[];
  /** What was wrong with reading them. */
  readonly problems: Problems;
  /** How the directory stood before and after they were read. */
  readonly print: Fingerprint;
}

/** What was read last, good or bad; undefined: nothing yet, and nothing has to be left alone. */
export type Before = ReadonlyMap<string, string> | undefined;

/**
 * The files of `dir` as they stood at one moment: the directory is the same before and after they are read, and what
 * differs from `before` was not touched for a second. Undefined: it did not come to rest.
 */
export async function readSettled(dir: string, before: Before, clock: Clock): Promise<SettledFiles | undefined> {
  const endMs = clock.monotonicMs() + REST_WITHIN_MS;
  let print = await fingerprintOf(dir);
  let sinceMs = clock.monotonicMs();
  while (clock.monotonicMs() < endMs) {
    await delay(LOOK_AGAIN_MS);
    let next = await fingerprintOf(dir);
    if (next.text === print.text && isQuiet(next, { before, sinceMs }, clock)) {
      const problems = new Problems();
      const files = await readBundleFiles(dir, problems);
      next = await fingerprintOf(dir);
      if (next.text === print.text) return { files, problems, print };
    }
    if (next.text !== print.text) sinceMs = clock.monotonicMs();
    print = next;
  }
  return undefined;
}

/** By the time of its content, or by what we saw: clocks of file systems may be off. */
function isQuiet(
  print: Fingerprint,
  { before, sinceMs }: { readonly before: Before; readonly sinceMs: number },
  clock: Clock,
): boolean {
  if (before === undefined || clock.monotonicMs() - sinceMs >= QUIET_MS) return true;
  const nowMs = clock.nowMs();
  return [...print.files].every(
    ([file, { text, writtenMs }]) => before.get(file) === text || nowMs - writtenMs >= QUIET_MS,
  );
}
