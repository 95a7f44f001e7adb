/**
 * The main thread's end of the writer: starts its thread, starts another when it dies, and says everything again that was
 * not answered.
 */
import { Worker } from 'node:worker_threads';
import { type ErrorCode, TollgateError } from '../core/errors.ts';
import { programBeside } from '../core/program.ts';
import type { Batch, FromWriter, Outcomes, Question, ToWriter, WriterSettings } from './sqlite-wire.ts';

/** First pause before another writer is started, ms; doubled at each failure in a row. */
const BACKOFF_MIN_MS = 50;
/** Longest pause: a disk that is free again is used at most this much later. */
const BACKOFF_MAX_MS = 2_000;

const WRITER = programBeside(import.meta.url, './sqlite-writer');

interface Asked {
  readonly question: Question;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: NodeJS.Timeout;
}

export interface LinkSettings extends WriterSettings {
  /** How long an answer is waited for, ms. */
  readonly answerMs: number;
  /** Told of every writer that failed, with words for the log. */
  readonly onFailure: (message: string) => void;
}

export class WriterLink {
  readonly #settings: LinkSettings;
  readonly #asked = new Map<number, Asked>();
  #askedCount = 0;
  #worker: Worker | undefined;
  #ready = false;
  #failures = 0;
  #restart: NodeJS.Timeout | undefined;
  #inFlight: { batch: Batch; done: (outcomes: Outcomes) => void } | undefined;
  #opening: { resolve: (ledgerId: string) => void; reject: (error: Error) => void } | undefined;
  #isOpen = false;
  #isClosed = false;
  #closing: (() => void) | undefined;

  constructor(settings: LinkSettings) {
    this.#settings = settings;
  }

  /** Writers that failed since the last commit. */
  get failures(): number {
    return this.#failures;
  }

  /** Starts the first writer; answers the ledger id, or why the file cannot be opened. */
  open(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
      this.#start();
    });
  }

  /** Hands over one transaction; `done` is called once, when it is on disk. One at a time. */
  commit(batch: Batch, done: (outcomes: Outcomes) => void): void {
    this.#inFlight = { batch, done };
    this.#say({ type: 'commit', batch });
  }

  /** Asks after all that was handed over; rejects with `ledger_unavailable` past the deadline. */
  async ask(question: Question): Promise<unknown> {
    if (this.#isClosed) throw closed();
    return new Promise((resolve, reject) => {
      this.#askedCount += 1;
      const id = this.#askedCount;
      const deadline = setTimeout(() => {
        this.#asked.delete(id);
        reject(new TollgateError('ledger_unavailable', `the ledger did not answer \`${question.what}\` in time`));
      }, this.#settings.answerMs);
      this.#asked.set(id, { question, resolve, reject, deadline });
      this.#say({ type: 'ask', id, question });
    });
  }

  /** Closes the file and ends the thread; ends it the hard way after `withinMs`. */
  async close(withinMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    if (this.#ready) {
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, withinMs);
        this.#closing = () => {
          clearTimeout(deadline);
          resolve();
        };
        this.#say({ type: 'close' });
      });
    }
    await this.#worker?.terminate();
    for (const id of [...this.#asked.keys()]) this.#take(id)?.reject(closed());
  }

  #start(): void {
    const { file, busyMs, decisionStates } = this.#settings;
    const workerData: WriterSettings = { file, busyMs, decisionStates };
    const worker = new Worker(WRITER, { name: 'ledger', workerData });
    this.#worker = worker;
    let reason = 'the ledger writer ended without a word';
    worker.on('message', (message: FromWriter) => {
      if (message.type === 'failed') reason = this.#failed(message);
      else this.#hear(message);
    });
    worker.on('error', (error: Error) => {
      reason = error.message;
    });
    worker.on('exit', () => this.#ended(reason));
  }

  /** Turns down the open that waits, if it does; answers the words for the log. */
  #failed({ code, message }: { code: ErrorCode | undefined; message: string }): string {
    const { file } = this.#settings;
    const words = code === undefined ? `ledger \`${file}\` cannot be opened: ${message}` : message;
    this.#opening?.reject(new TollgateError(code ?? 'ledger_unavailable', words));
    this.#opening = undefined;
    return message;
  }

  #ended(reason: string): void {
    this.#worker = undefined;
    this.#ready = false;
    this.#closing?.();
    if (this.#isClosed) return;
    if (!this.#isOpen) {
      this.#failed({ code: undefined, message: reason });
      return;
    }
    this.#failures += 1;
    this.#settings.onFailure(reason);
    const pauseMs = Math.min(BACKOFF_MIN_MS * 2 ** Math.min(this.#failures - 1, 16), BACKOFF_MAX_MS);
    this.#restart = setTimeout(() => this.#start(), pauseMs);
  }

  #hear(message: Exclude<FromWriter, { type: 'failed' }>): void {
    switch (message.type) {
      case 'ready':
        this.#opened(message.ledgerId);
        break;
      case 'committed': {
        const done = this.#inFlight?.done;
        this.#inFlight = undefined;
        this.#failures = 0;
        done?.(message.outcomes);
        break;
      }
      case 'answer':
        this.#take(message.id)?.resolve(message.answer);
        break;
      case 'refused':
        this.#take(message.id)?.reject(new TollgateError(message.code, message.message));
        break;
      case 'closed':
        this.#closing?.();
    }
  }

  /** A writer listens: it is told all that no other has answered. */
  #opened(ledgerId: string): void {
    this.#ready = true;
    this.#isOpen = true;
    this.#opening?.resolve(ledgerId);
    this.#opening = undefined;
    if (this.#inFlight !== undefined) this.#say({ type: 'commit', batch: this.#inFlight.batch });
    for (const [id, { question }] of this.#asked) this.#say({ type: 'ask', id, question });
  }

  #take(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    clearTimeout(asked?.deadline);
    return asked;
  }

  /** What is said while no writer listens is said again when one is ready. */
  #say(message: ToWriter): void {
    if (this.#ready) this.#worker?.postMessage(message);
  }
}

function closed(): TollgateError {
  return new TollgateError('ledger_unavailable', 'the ledger is closed');
}
