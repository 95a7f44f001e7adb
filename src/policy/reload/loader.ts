/**
 * The main thread's end of the reader: has bundles read, checked and compiled in a thread of its own, and takes what comes
 * of it in pieces, so that decisions go on meanwhile. The thread is there only while it is needed.
 */
import { Worker } from 'node:worker_threads';
import { systemCodeOf } from '../../core/errors.ts';
import { programBeside } from '../../core/program.ts';
import { assemblePolicy } from '../policy-parts.ts';
import { SliceTaker } from './slices.ts';
import type { FromReader, JudgedBundle, LoadAsk, Seen, ToReader } from './wire.ts';

const READER = programBeside(import.meta.url, './reader');

/** A bundle that takes longer is refused, and its reader ended. 10 000 accounts take about a second. */
const LOAD_MS = 30_000;
/** A reader that was not asked for so long is ended: it holds what it parsed. */
const IDLE_MS = 30_000;
/** Heap of a reader; the largest bundle that is taken needs about half. A bundle that needs more ends the reader, not us. */
const HEAP_MB = 512;
const STACK_MB = 4;

/**
 * `moving`: the directory does not come to rest. `same`: what is known. `died`: nothing can be said of the bundle; where
 * that may have been an accident, another try is worth it (`again`).
 */
export type LoadAnswer =
  | { readonly outcome: 'moving' }
  | { readonly outcome: 'same'; readonly seen: Seen }
  | { readonly outcome: 'judged'; readonly seen: Seen; readonly judged: JudgedBundle }
  | { readonly outcome: 'died'; readonly why: string; readonly again: boolean };

export interface LoaderOptions {
  /** Longest that one load may take, ms. Default 30000. */
  readonly loadMs?: number;
  /** How long a reader outlives its last load, ms. Default 30000. */
  readonly idleMs?: number;
  /** Its heap at most, MB. Default 512. */
  readonly heapMb?: number;
  /** The reader's program; for tests. */
  readonly reader?: URL;
}

interface Load {
  readonly id: number;
  readonly worker: Worker;
  readonly deadline: NodeJS.Timeout;
  readonly end: (answer: LoadAnswer) => void;
  judged: Omit<Extract<FromReader, { type: 'judged' }>, 'type' | 'id'> | undefined;
  taker: SliceTaker | undefined;
}

export class BundleLoader {
  readonly #loadMs: number;
  readonly #idleMs: number;
  readonly #heapMb: number;
  readonly #program: URL;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #load: Load | undefined;
  #loads = 0;
  #deaths = 0;

  constructor({ loadMs = LOAD_MS, idleMs = IDLE_MS, heapMb = HEAP_MB, reader = READER }: LoaderOptions = {}) {
    this.#loadMs = loadMs;
    this.#idleMs = idleMs;
    this.#heapMb = heapMb;
    this.#program = reader;
  }

  /** Readers that died or were ended because they took too long. */
  get deaths(): number {
    return this.#deaths;
  }

  /** One at a time: a second one before the first has answered is a mistake of ours (TypeError). Never rejects else. */
  load(ask: LoadAsk): Promise<LoadAnswer> {
    if (this.#load !== undefined) throw new TypeError('a bundle is being read already');
    clearTimeout(this.#idle);
    return new Promise((resolve) => {
      const worker = this.#worker ?? this.#start();
      worker.ref();
      this.#loads += 1;
      const id = this.#loads;
      const deadline = setTimeout(() => this.#kill(worker, `it took longer than ${this.#loadMs} ms`), this.#loadMs);
      this.#load = { id, worker, deadline, end: resolve, judged: undefined, taker: undefined };
      this.#say({ ...ask, type: 'load', id });
    });
  }

  /** Ends the reader; a load that is under way answers `died`. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#end({ outcome: 'died', why: 'it was ended with the process', again: false });
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(this.#program, {
      name: 'bundle',
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMb, stackSizeMb: STACK_MB },
    });
    this.#worker = worker;
    let why = 'it ended without a word';
    let again = true;
    worker.on('message', (message: FromReader) => this.#hear(message));
    worker.on('error', (error: Error) => {
      why = error.message;
      // The same bundle would need as much once more.
      again = systemCodeOf(error) !== 'ERR_WORKER_OUT_OF_MEMORY';
    });
    worker.on('exit', () => this.#died(worker, { why, again }));
    return worker;
  }

  #kill(worker: Worker, why: string): void {
    this.#died(worker, { why, again: false });
    void worker.terminate();
  }

  #died(worker: Worker, how: { readonly why: string; readonly again: boolean }): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#deaths += 1;
    this.#end({ outcome: 'died', ...how });
  }

  #hear(message: FromReader): void {
    const load = this.#load;
    // Of a load that was given up.
    if (load === undefined || load.id !== message.id) return;
    switch (message.type) {
      case 'moving':
        this.#end({ outcome: 'moving' });
        break;
      case 'same':
        this.#end({ outcome: 'same', seen: message.seen });
        break;
      case 'judged':
        load.judged = message;
        load.taker = message.head && new SliceTaker(message.head);
        if (load.taker === undefined) this.#conclude(load);
        else this.#more(load);
        break;
      case 'slice':
        if (message.slice === undefined) this.#conclude(load);
        else {
          load.taker?.take(message.slice);
          this.#more(load);
        }
    }
  }

  /** Not before whoever waits for the loop had a turn. */
  #more(load: Load): void {
    setImmediate(() => {
      if (this.#load === load) this.#say({ type: 'more', id: load.id });
    });
  }

  #conclude({ judged, taker }: Load): void {
    const policy = taker && assemblePolicy(taker.parts());
    this.#end({ outcome: 'judged', seen: judged!.seen, judged: { ...judged!.judged, policy } });
  }

  #end(answer: LoadAnswer): void {
    const load = this.#load;
    if (load === undefined) return;
    this.#load = undefined;
    clearTimeout(load.deadline);
    this.#rest();
    load.end(answer);
  }

  /** A reader that waits keeps no process alive. */
  #rest(): void {
    const worker = this.#worker;
    if (worker === undefined) return;
    worker.unref();
    this.#idle = setTimeout(() => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      void worker.terminate();
    }, this.#idleMs).unref();
  }

  #say(message: ToReader): void {
    this.#load?.worker.postMessage(message);
  }
}
