/** What waits to be exported: bounded, sent in batches, one at a time; what is lost is counted. */

/** Reference of the fault tables, row O2: a queue of 4096, the newest is dropped. */
const QUEUE_MAX = 4096;
/** Serialized in one piece, some 7 µs each, so that no decision waits for long. */
const BATCH_MAX = 256;
/** Longest that an item waits for others, ms. */
const EVERY_MS = 1_000;

export interface ExportQueueOptions<T> {
  /** Sends a batch; answers how many of it the receiver did not take. Rejects if none arrived. */
  send(batch: readonly T[]): Promise<number>;
  /** Told of each batch that did not arrive. */
  failed?(error: unknown): void;
  readonly queueMax?: number;
  readonly batchMax?: number;
  readonly everyMs?: number;
}

/** How items ended. `full`: there was no room. `failed`: they did not arrive. `rejected`: the receiver did not take them. */
export interface ExportCounts {
  readonly sent: number;
  readonly full: number;
  readonly failed: number;
  readonly rejected: number;
}

export class ExportQueue<T> {
  readonly #options: ExportQueueOptions<T>;
  readonly #queueMax: number;
  readonly #batchMax: number;
  readonly #counts = { sent: 0, full: 0, failed: 0, rejected: 0 };
  #items: T[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #inFlight = 0;
  #isClosed = false;

  constructor(options: ExportQueueOptions<T>) {
    this.#options = options;
    this.#queueMax = options.queueMax ?? QUEUE_MAX;
    this.#batchMax = options.batchMax ?? BATCH_MAX;
  }

  /** Items that wait, those on their way included. */
  get size(): number {
    return this.#items.length + this.#inFlight;
  }

  /** Takes an item, or counts it as lost: the newest, where there is no room. */
  offer(item: T): boolean {
    if (this.#isClosed || this.size >= this.#queueMax) {
      this.#counts.full++;
      return false;
    }
    this.#items.push(item);
    if (this.#items.length >= this.#batchMax) this.#send();
    else this.#arm();
    return true;
  }

  counts(): ExportCounts {
    return { ...this.#counts };
  }

  /** Sends what is there until nothing is left. What comes after is not taken. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    while (this.size > 0) {
      this.#send();
      await this.#sending;
    }
  }

  /** Gives up what was not sent yet, as failed. */
  drop(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#counts.failed += this.#items.length;
    this.#items = [];
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#sending !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#send();
    }, this.#options.everyMs ?? EVERY_MS);
    this.#timer.unref();
  }

  #send(): void {
    if (this.#sending !== undefined || this.#items.length === 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#items.splice(0, this.#batchMax);
    this.#inFlight = batch.length;
    // In a turn of its own: who offers may be deciding.
    this.#sending = new Promise((resolve) => setImmediate(resolve))
      .then(() => this.#options.send(batch))
      .then(
        (rejected) => {
          const lost = Math.min(Math.max(rejected, 0), batch.length);
          this.#counts.rejected += lost;
          this.#counts.sent += batch.length - lost;
        },
        (error: unknown) => {
          this.#counts.failed += batch.length;
          this.#options.failed?.(error);
        },
      )
      .finally(() => {
        this.#sending = undefined;
        this.#inFlight = 0;
        if (this.#items.length >= this.#batchMax) this.#send();
        else if (this.#items.length > 0 && !this.#isClosed) this.#arm();
      });
  }
}
