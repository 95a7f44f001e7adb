/** A thread for desk.test.ts: answers, throws, works without end, or goes. */
import { workerData } from 'node:worker_threads';
import { TollgateError } from '../../src/core/errors.ts';
import { answerAtDesk } from '../../src/ledger/desk.ts';

let asked = 0;
answerAtDesk((question: string): unknown => {
  asked += 1;
  switch (question) {
    case 'count':
      return { asked, data: workerData as unknown };
    case 'refuse':
      throw new TollgateError('usage', 'no such question');
    case 'break':
      throw new Error('a secret of ours');
    case 'spin':
      for (;;) asked += 1;
    default:
      return process.exit(1);
  }
});
