/** The policy that decides: taken from its directory when that changes, kept when what is there is no good. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import type { Policy } from '../policy/policy.ts';
import { formatProblem } from '../policy/problem.ts';
import { fingerprintOf } from '../policy/reload/fingerprint.ts';
import { BundleLoader, type LoadAnswer, type LoaderOptions } from '../policy/reload/loader.ts';
import { DirectoryWatch } from '../policy/reload/watch.ts';
import type { JudgedBundle, Seen } from '../policy/reload/wire.ts';
import type { LiveSettings } from './live-settings.ts';
import type { PolicyFault, PolicyNews } from './policy-news.ts';
import type { PriceShelf } from './price-shelf.ts';

/** Prices must be on disk before anything is reserved by them. */
const PRICES_MS = 5_000;
/** Key sets of new issuers are fetched before their tokens come; a slow issuer must not hold up a revocation. */
const PREPARE_MS = 1_000;
/** What was refused may be mended outside the directory, as the mode of a secret file. */
const RETRY_MS = 60_000;
/** Before a load is tried again whose reader died. */
const BACKOFF_MS = [100, 500];

export interface PolicyStatus {
  /** In force; empty: none. */
  readonly version: string;
  /** When it came in force; 0: none did. */
  readonly loadedAtMs: number;
  /** Undefined: what lies in the directory is in force. */
  readonly fault: PolicyFault | undefined;
}

/** `moving`: the directory is being written; it is looked at again within 5 s. `failed`: for a reason outside the bundle. */
export interface ReloadOutcome {
  readonly outcome: 'loaded' | 'unchanged' | 'refused' | 'moving' | 'failed';
  /** In force now. */
  readonly version: string;
  readonly problems: readonly string[];
}

/** What was found when the bundle was read at the start. */
export interface FirstBundle {
  readonly dir: string;
  /** How the directory stood before it was read: text of a `Fingerprint`. */
  readonly print: string;
  /** Undefined: it is not valid. */
  readonly policy: Policy | undefined;
  readonly problems: readonly string[];
  readonly version: string;
}

export interface PolicyInForceOptions {
  readonly first: FirstBundle;
  /** Take those of a bundle that was read; undefined: the tollgate.yaml beside the bundle is nobody's. */
  readonly settings: LiveSettings | undefined;
  readonly clock: Clock;
  readonly news: PolicyNews;
  readonly prices: PriceShelf;
  /** Keeps price tables for good. */
  keepPrices(version: string, tables: unknown): Promise<void>;
  /** Fetches what the policy needs from elsewhere. Never rejects. */
  prepare(policy: Policy): Promise<void>;
  onLoaded?(version: string): void;
  onRefused?(problems: readonly string[]): void;
  /** What was refused is gone; the policy in force is that of the directory again. */
  onMended?(): void;
  /** A thread died that was reading a bundle. */
  onReaderDied?(): void;
  readonly loader?: LoaderOptions;
  /** Between two looks at the directory, ms. Default 5000. */
  readonly pollMs?: number;
}

interface Refused {
  readonly problems: readonly string[];
  readonly outcome: 'refused' | 'failed';
}

export class PolicyInForce {
  readonly #options: PolicyInForceOptions;
  readonly #loader: BundleLoader;
  readonly #news: PolicyNews;
  #watch: DirectoryWatch | undefined;
  #policy: Policy | undefined;
  #loadedAtMs = 0;
  #fault: PolicyFault | undefined;
  /** The directory as it was judged last, good or bad. */
  #print: string;
  #seen: Seen | undefined;
  #judgedAtMs: number;
  #marked: readonly string[] = [];
  #running: Promise<ReloadOutcome> | undefined;
  #next: Promise<ReloadOutcome> | undefined;
  #isClosed = false;

  constructor(options: PolicyInForceOptions) {
    const { first, clock, loader } = options;
    this.#options = options;
    this.#loader = new BundleLoader(loader);
    this.#news = options.news;
    this.#policy = first.policy;
    this.#print = first.print;
    this.#judgedAtMs = clock.monotonicMs();
    if (first.policy !== undefined) this.#loadedAtMs = clock.nowMs();
    if (first.problems.length > 0) this.#refuse(first.version, { problems: first.problems, outcome: 'refused' });
  }

  /** One object for as long as it is in force; undefined: there was never a valid one. */
  current(): Policy | undefined {
    return this.#policy;
  }

  status(): PolicyStatus {
    return { version: this.#policy?.version ?? '', loadedAtMs: this.#loadedAtMs, fault: this.#fault };
  }

  /** Begins to look at the directory. */
  watch(): void {
    const { first, pollMs, clock } = this.#options;
    this.#watch = new DirectoryWatch(first.dir, {
      ...(pollMs !== undefined && { pollMs }),
      onLook: async ({ text }) => {
        const isDue = this.#fault !== undefined && clock.monotonicMs() - this.#judgedAtMs >= RETRY_MS;
        if (text !== this.#print || isDue) await this.reload('the directory changed');
      },
    });
    void this.#watch.look();
  }

  /**
   * Reads the directory and puts its bundle in force if it is good; else the last good one stays, and the fault stands in
   * `status`. What asks while one runs shares the next. Never rejects.
   */
  reload(why: string): Promise<ReloadOutcome> {
    if (this.#running === undefined) {
      this.#running = this.#reload(why).finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.reload(why);
    });
    return this.#next;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watch?.close();
    await this.#loader.close();
  }

  async #reload(why: string): Promise<ReloadOutcome> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const answer = await this.#load();
    if (this.#isClosed) return this.#outcome('failed');
    this.#judgedAtMs = clock.monotonicMs();
    switch (answer.outcome) {
      case 'moving':
        this.#news.moving();
        return this.#outcome('moving');
      case 'died':
        // Not tried at each poll, for a bundle may be what it dies of.
        this.#print = (await fingerprintOf(this.#options.first.dir)).text;
        return this.#refused('', { problems: [`the bundle cannot be read: ${answer.why}`], outcome: 'failed' });
      case 'same':
        this.#remember(answer.seen);
        return this.#outcome('unchanged');
      case 'judged':
        this.#remember(answer.seen);
        return this.#judged(answer.judged, { why, startedMs });
    }
  }

  async #load(): Promise<LoadAnswer> {
    const { first } = this.#options;
    const ask = {
      dir: first.dir,
      before: this.#seen?.stamps ?? new Map<string, string>(),
      marked: this.#marked,
      known: this.#fault === undefined ? this.#seen?.hash : undefined,
    };
    for (let deaths = 0; ; deaths++) {
      const answer = await this.#loader.load(ask);
      if (answer.outcome !== 'died' || this.#isClosed) return answer;
      this.#options.onReaderDied?.();
      this.#news.readerDied(answer.why);
      const backoffMs = BACKOFF_MS[deaths];
      if (!answer.again || backoffMs === undefined) return answer;
      await delay(backoffMs);
      if (this.#isClosed) return answer;
    }
  }

  #remember(seen: Seen): void {
    this.#seen = seen;
    this.#print = seen.text;
  }

  async #judged(
    judged: JudgedBundle,
    how: { readonly why: string; readonly startedMs: number },
  ): Promise<ReloadOutcome> {
    const { policy, settings, version, warnings, unserved } = judged;
    const problems = judged.problems.map(formatProblem);
    if (settings !== undefined) this.#options.settings?.take(settings);
    if (policy === undefined) return this.#refused(version, { problems, outcome: 'refused' });
    const isNew = policy.version !== this.#policy?.version;
    if (isNew) {
      const fault = await this.#keepPrices(policy);
      if (fault !== undefined) {
        this.#print = '';
        return this.#refused(version, { problems: [fault], outcome: 'failed' });
      }
      await Promise.race([this.#options.prepare(policy), delay(PREPARE_MS, undefined, { ref: false })]);
      if (this.#isClosed) return this.#outcome('failed');
      this.#swap(policy, how);
      this.#news.warnings([...warnings.map(formatProblem), ...unserved]);
    }
    this.#marked = judged.marked;
    // Whoever tightens access must not wait for whoever runs the process: the policy is in force all the same.
    if (problems.length > 0) this.#refuse(version, { problems, outcome: 'refused' });
    else this.#mended();
    return this.#outcome(isNew ? 'loaded' : 'unchanged');
  }

  /** Undefined: done. */
  async #keepPrices({ priceVersion, prices }: Policy): Promise<string | undefined> {
    if (this.#options.prices.has(priceVersion)) return undefined;
    try {
      const late = delay(PRICES_MS, 'late' as const, { ref: false });
      const kept = await Promise.race([this.#options.keepPrices(priceVersion, prices), late]);
      return kept === 'late' ? 'the ledger did not keep the prices in time' : undefined;
    } catch {
      return 'the ledger cannot keep the prices';
    }
  }

  /** Between two calls: each decides by the object that it began with. */
  #swap(policy: Policy, { why, startedMs }: { readonly why: string; readonly startedMs: number }): void {
    const { clock, prices } = this.#options;
    const before = this.#policy;
    prices.enforce(policy.priceVersion, policy.prices, { before: before?.priceVersion, nowMs: clock.nowMs() });
    this.#policy = policy;
    this.#loadedAtMs = clock.nowMs();
    this.#news.loaded(policy, { before: before?.version, why, tookMs: Math.round(clock.monotonicMs() - startedMs) });
    this.#options.onLoaded?.(policy.version);
  }

  #refused(version: string, how: Refused): ReloadOutcome {
    this.#refuse(version, how);
    return this.#outcome(how.outcome);
  }

  /** Told once for each bundle that is refused; what is in force stays. */
  #refuse(version: string, { problems, outcome }: Refused): void {
    const told = this.#fault;
    this.#fault = { version, atMs: this.#options.clock.nowMs(), problems };
    if (told?.version === version && told.problems.join() === problems.join()) return;
    this.#options.onRefused?.(problems);
    this.#news.refused(this.#fault, { inForce: this.#policy?.version, outcome });
  }

  #mended(): void {
    if (this.#fault === undefined) return;
    this.#fault = undefined;
    this.#options.onMended?.();
    this.#news.mended(this.#policy?.version);
  }

  #outcome(outcome: ReloadOutcome['outcome']): ReloadOutcome {
    const problems = outcome === 'refused' || outcome === 'failed' ? (this.#fault?.problems ?? []) : [];
    return { outcome, version: this.#policy?.version ?? '', problems };
  }
}
