/** The writer's thread: the one place that writes the ledger file. Answers every message; gives up at the first storage fault. */
import { parentPort, workerData } from 'node:worker_threads';
import { TollgateError } from '../core/errors.ts';
import { SqliteBook } from './sqlite-book.ts';
import type { FromWriter, Question, ToWriter, WriterSettings } from './sqlite-wire.ts';

const port = parentPort!;
const say = (message: FromWriter): void => port.postMessage(message);

/**
 * After a failed write or sync the connection is not used again (a sync that failed once may report success the next time):
 * the thread ends, and the main thread starts another one on what is on disk.
 */
function giveUp(error: unknown): void {
  const code = error instanceof TollgateError ? error.code : undefined;
  say({ type: 'failed', code, message: error instanceof Error ? error.message : String(error) });
  port.close();
}

function answer(book: SqliteBook, question: Question): unknown {
  switch (question.what) {
    case 'keep_prices':
      if (book.keepPrices(question.version, question.tables)) return undefined;
      throw new TollgateError(
        'bundle_invalid',
        `price version \`${question.version}\` is already kept with other prices`,
      );
    case 'prices':
      return book.prices(question.version);
    case 'overdue':
      return book.overdue(question.beforeMs, question.max);
    case 'counters':
      return book.counters(question);
    case 'open_holds':
      return book.openHolds(question);
    case 'find':
      return book.find(question.decisionId);
  }
}

function hear(book: SqliteBook, message: ToWriter): void {
  switch (message.type) {
    case 'commit':
      say({ type: 'committed', outcomes: book.commit(message.batch) });
      break;
    case 'ask':
      say(answerOrRefuse(book, message.id, message.question));
      break;
    case 'close':
      book.close();
      say({ type: 'closed' });
      port.close();
  }
}

function answerOrRefuse(book: SqliteBook, id: number, question: Question): FromWriter {
  try {
    return { type: 'answer', id, answer: answer(book, question) };
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    return { type: 'refused', id, code: error.code, message: error.message };
  }
}

try {
  const book = new SqliteBook(workerData as WriterSettings);
  let alive = true;
  port.on('message', (message: ToWriter) => {
    if (!alive) return;
    try {
      hear(book, message);
    } catch (error) {
      alive = false;
      giveUp(error);
    }
  });
  say({ type: 'ready', ledgerId: book.ledgerId });
} catch (error) {
  giveUp(error);
}
