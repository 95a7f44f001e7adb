import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TollgateError } from '../../src/core/errors.ts';
import { Desk } from '../../src/ledger/desk.ts';
import { until } from '../support/until.ts';

interface Count {
  readonly asked: number;
  readonly data: unknown;
}

function desk(t: TestContext, deadlineMs: number, waitingMax = 4, idleMs = 30_000): Desk<string, Count> {
  const made = new Desk<string, Count>({
    thread: new URL('./desk-child.ts', import.meta.url),
    data: 'told',
    deadlineMs,
    waitingMax,
    idleMs,
    code: 'ledger_unavailable',
    name: 'the reading',
  });
  t.after(() => made.close());
  return made;
}

const is = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof TollgateError && error.code === code && message.test(error.message);

test('questions are answered in turn by one thread, which is told its data', async (t) => {
  const made = desk(t, 5_000);
  assert.deepEqual(await Promise.all([made.ask('count'), made.ask('count')]), [
    { asked: 1, data: 'told' },
    { asked: 2, data: 'told' },
  ]);
});

test('what the thread throws is told: ours with its words, another without', async (t) => {
  const made = desk(t, 5_000);
  await assert.rejects(made.ask('refuse'), is('usage', /^no such question$/));
  await assert.rejects(made.ask('break'), is('ledger_unavailable', /^the question could not be answered$/));
  assert.equal((await made.ask('count')).asked, 3);
});

test('A12: a question that takes too long is ended with its thread, and those behind it; the next has another', async (t) => {
  const made = desk(t, 300);
  await made.ask('count').catch(() => undefined);
  const [spin, behind] = await Promise.allSettled([made.ask('spin'), made.ask('count')]);
  for (const { status, reason } of [spin, behind] as PromiseRejectedResult[]) {
    assert.equal(status, 'rejected');
    assert.ok(is('ledger_unavailable', /^the reading gave no answer within 300 ms$/)(reason));
  }
  const next = await until('another thread', () => made.ask('count').catch(() => undefined));
  assert.equal(next.asked, 1);
});

test('A12: more questions than may wait are refused at once', async (t) => {
  const made = desk(t, 2_000, 2);
  const asked = [made.ask('spin'), made.ask('count'), made.ask('count')];
  await assert.rejects(asked[2]!, is('ledger_unavailable', /is busy/));
  await Promise.allSettled(asked);
});

test('a thread that goes is told at once, and followed by another', async (t) => {
  const made = desk(t, 20_000);
  await assert.rejects(made.ask('leave'), is('ledger_unavailable', /has failed/));
  assert.equal((await until('another thread', () => made.ask('count').catch(() => undefined))).asked, 1);
});

test('a thread that is asked nothing is ended, and another one answers the next question, with no pause between', async (t) => {
  const made = desk(t, 5_000, 4, 20);
  for (let turn = 0; turn < 5; turn++) {
    assert.equal((await made.ask('count')).asked, 1, `turn ${turn}`);
    await sleep(60);
  }
});

test('a closed one answers nobody', async (t) => {
  const made = desk(t, 5_000);
  const asked = made.ask('spin');
  asked.catch(() => {});
  await made.close();
  await assert.rejects(asked, is('ledger_unavailable', /is closed/));
  await assert.rejects(made.ask('count'), is('ledger_unavailable', /is closed/));
});
