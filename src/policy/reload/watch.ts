/** Sees that a bundle's directory changed: at once where the system tells, within the poll's interval where it does not. */
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { isDocumentName, SUBDIRECTORIES } from '../directory.ts';
import { type Fingerprint, fingerprintOf, MOUNT_LINK } from './fingerprint.ts';

/** Without any event: a mount over the network, or a watch that was lost. */
const POLL_MS = 5_000;
/** Events come in swarms. */
const SETTLE_MS = 50;

export interface WatchOptions {
  /** Between two looks that nothing asked for, ms. Default 5000. */
  readonly pollMs?: number;
  /** Called with each look, changed or not; the next look waits for it. Must not reject. */
  readonly onLook: (print: Fingerprint) => Promise<void>;
}

/**
 * Looks at `dir` after each event that may be of the bundle, and each `pollMs`. A file is never watched itself: a save by
 * renaming and a swapped link leave a watched file behind. Directories are watched anew with every look, for a swap puts
 * others in their place.
 */
export class DirectoryWatch {
  readonly #dir: string;
  readonly #options: WatchOptions;
  readonly #poll: NodeJS.Timeout;
  #watchers: readonly FSWatcher[] = [];
  #settling: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isDue = false;
  #isClosed = false;
  #watched = '';

  constructor(dir: string, options: WatchOptions) {
    this.#dir = dir;
    this.#options = options;
    this.#poll = setInterval(() => void this.look(), options.pollMs ?? POLL_MS).unref();
  }

  /** Looks now, or once more after the look that is under way. Resolves when `onLook` has. */
  async look(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#looking !== undefined) {
      this.#isDue = true;
      return this.#looking;
    }
    this.#looking = this.#lookUntilDone();
    await this.#looking;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#settling);
    for (const watcher of this.#watchers) watcher.close();
  }

  async #lookUntilDone(): Promise<void> {
    do {
      this.#isDue = false;
      const print = await fingerprintOf(this.#dir);
      this.#watchAnew(print);
      await this.#options.onLook(print);
    } while (this.#isDue && !this.#isClosed);
    this.#looking = undefined;
  }

  #watchAnew({ text }: Fingerprint): void {
    if (this.#isClosed || (text === this.#watched && this.#watchers.length > 0)) return;
    this.#watched = text;
    // What changed between the look and the new watch had no event.
    this.#isDue = true;
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = ['', ...SUBDIRECTORIES].flatMap((below) => this.#watch(below) ?? []);
  }

  /** Undefined: it cannot be watched; the poll sees it. */
  #watch(below: string): FSWatcher | undefined {
    try {
      const watcher = watch(join(this.#dir, below), { persistent: false }, (_event, name) => {
        // The ledger's file may lie there too, and changes with every commit.
        if (name === null || name === MOUNT_LINK || SUBDIRECTORIES.includes(name) || isDocumentName(name)) this.#soon();
      });
      watcher.on('error', () => {
        watcher.close();
        this.#watched = '';
      });
      return watcher;
    } catch {
      return undefined;
    }
  }

  #soon(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      void this.look();
    }, SETTLE_MS);
  }
}
