/** A thread that answers questions, one after the other, each within a deadline: what may wait for a disk, or search long. */
import { parentPort, Worker } from 'node:worker_threads';
import { type ErrorCode, TollgateError } from '../core/errors.ts';

interface Asked {
  readonly id: number;
  readonly question: unknown;
}

type Answered =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly code: ErrorCode | undefined; readonly message: string };

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: NodeJS.Timeout;
}

export interface DeskOptions {
  /** The thread's file; it calls `answerAtDesk`. */
  readonly thread: URL;
  /** Plain data for the thread, its `workerData`. */
  readonly data: unknown;
  /** Longest from asking to the answer, ms; the thread of a question that takes longer is ended. */
  readonly deadlineMs: number;
  /** Questions that may wait; beyond them one is refused at once. */
  readonly waitingMax: number;
  /** A thread that was asked nothing for so long is ended, and gives its memory back. Default 30000 ms. */
  readonly idleMs?: number;
  /** Of the error where there is no answer. */
  readonly code: ErrorCode;
  /** What it is, for that error: `the audit`. */
  readonly name: string;
}

/** Questions come seldom, and read or write rows: a larger heap would only be held. */
const HEAP_MB = 64;
const IDLE_MS = 30_000;

/** The thread is started by the first question, and another one after it has gone; it keeps no process alive. */
export class Desk<Question, Answer> {
  readonly #options: DeskOptions;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  /** A thread that was ended in the middle of a long step goes only after it. */
  #leaving: Promise<unknown> | undefined;
  #count = 0;
  #idle: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Rejects with a TollgateError: one that the thread threw, or one of the desk's own code where no answer comes. */
  ask(question: Question): Promise<Answer> {
    const { deadlineMs, waitingMax } = this.#options;
    if (this.#isClosed) return Promise.reject(this.#fault('is closed'));
    if (this.#leaving !== undefined || this.#waiting.size >= waitingMax) {
      return Promise.reject(this.#fault('is busy'));
    }
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    this.#count += 1;
    const id = this.#count;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const deadline = setTimeout(() => this.#end(`gave no answer within ${deadlineMs} ms`), deadlineMs);
    this.#waiting.set(id, { resolve: (answer) => resolve(answer as Answer), reject, deadline });
    this.#worker.postMessage({ id, question } satisfies Asked);
    return promise;
  }

  /** Ends the thread; what waits is refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#end('is closed');
    await this.#leaving;
  }

  #start(): Worker {
    const worker = new Worker(this.#options.thread, {
      workerData: this.#options.data,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 4 },
    });
    worker.unref();
    worker.on('message', (answered: Answered) => this.#answered(answered));
    const gone = (): void => {
      if (this.#worker === worker) this.#end('has failed');
    };
    worker.on('error', gone);
    worker.on('exit', gone);
    return worker;
  }

  #answered(answered: Answered): void {
    const waiting = this.#waiting.get(answered.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answered.id);
    clearTimeout(waiting.deadline);
    if ('answer' in answered) waiting.resolve(answered.answer);
    else waiting.reject(new TollgateError(answered.code ?? this.#options.code, answered.message));
    if (this.#waiting.size === 0) {
      this.#idle = setTimeout(() => this.#end('is idle'), this.#options.idleMs ?? IDLE_MS).unref();
    }
  }

  #end(why: string): void {
    const worker = this.#worker;
    this.#worker = undefined;
    clearTimeout(this.#idle);
    const leaving = worker?.terminate().finally(() => {
      if (this.#leaving === leaving) this.#leaving = undefined;
    });
    // One that does nothing is gone at once, and the next question need not wait for that.
    if (this.#waiting.size > 0 || this.#isClosed) this.#leaving = leaving;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const each of waiting) {
      clearTimeout(each.deadline);
      each.reject(this.#fault(why));
    }
  }

  #fault(why: string): TollgateError {
    return new TollgateError(this.#options.code, `${this.#options.name} ${why}`);
  }
}

/** The thread's side: answers each question by `answer`. Errors that are no TollgateError are told without their words. */
export function answerAtDesk<Question>(answer: (question: Question) => unknown): void {
  const port = parentPort!;
  port.on('message', ({ id, question }: Asked) => {
    try {
      port.postMessage({ id, answer: answer(question as Question) } satisfies Answered);
    } catch (error) {
      const known = error instanceof TollgateError ? error : undefined;
      const message = known?.message ?? 'the question could not be answered';
      port.postMessage({ id, code: known?.code, message } satisfies Answered);
    }
  });
}
