/** P1, P4: how a process ends, whatever is asked of it or goes wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spawnNode } from '../support/process.ts';

interface Row {
  readonly what: string;
  readonly how: string;
  readonly signals: readonly NodeJS.Signals[];
  readonly code: number;
  readonly said: readonly string[];
  /** Code of its last word. */
  readonly told: string;
}

const ROWS: readonly Row[] = [
  {
    what: 'SIGTERM: in order, after the drain',
    how: 'well',
    signals: ['SIGTERM'],
    code: 0,
    said: ['stop 3000', 'over'],
    told: 'stopped',
  },
  {
    what: 'SIGINT: at once, for nobody balances at a desk',
    how: 'well',
    signals: ['SIGINT'],
    code: 0,
    said: ['stop 0', 'over'],
    told: 'stopped',
  },
  {
    what: 'SIGTERM while it starts',
    how: 'early',
    signals: ['SIGTERM'],
    code: 0,
    said: ['stop 3000', 'over'],
    told: 'stopped',
  },
  {
    what: 'a second signal: flush and end',
    how: 'slow',
    signals: ['SIGTERM', 'SIGTERM'],
    code: 0,
    said: ['stop 3000', 'abandon'],
    told: 'stopping_now',
  },
  {
    what: 'a second signal of another kind',
    how: 'slow',
    signals: ['SIGTERM', 'SIGINT'],
    code: 0,
    said: ['stop 3000', 'abandon'],
    told: 'stopping_now',
  },
  {
    what: 'an end that does not come',
    how: 'hangs',
    signals: ['SIGTERM'],
    code: 1,
    said: ['stop -8900', 'abandon'],
    told: 'stop_timed_out',
  },
  {
    what: 'an end that fails',
    how: 'fails',
    signals: ['SIGTERM'],
    code: 1,
    said: ['stop 3000', 'abandon'],
    told: 'stop_failed',
  },
  { what: 'an exception that nobody caught', how: 'throws', signals: [], code: 1, said: ['abandon'], told: 'uncaught' },
  {
    what: 'a rejection that nobody handled',
    how: 'rejects',
    signals: [],
    code: 1,
    said: ['abandon'],
    told: 'uncaught',
  },
  {
    what: 'a ledger that is not flushed in time',
    how: 'stuck',
    signals: [],
    code: 1,
    said: ['abandon'],
    told: 'flush_timed_out',
  },
  {
    what: 'a ledger that cannot be flushed',
    how: 'unwritten',
    signals: [],
    code: 1,
    said: ['abandon'],
    told: 'flush_failed',
  },
];

for (const [number, { what, how, signals, code, said, told }] of ROWS.entries()) {
  test(`${number + 1} ${what}: code ${code}`, async (t) => {
    const child = spawnNode(t, ['test/app/ending-child.ts', how]);
    await child.line(/^ready$/m);
    for (const [place, signal] of signals.entries()) {
      if (place > 0) await child.line(/^stop /m);
      process.kill(child.pid, signal);
    }
    assert.deepEqual(await child.ended, { code, signal: null });
    assert.deepEqual(child.stdout().trim().split('\n').slice(1), said);
    const codes = child
      .stderr()
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { code: string }).code);
    // Not the last for sure: a fatal line is written at once, and may come before one that is on its way.
    assert.ok(codes.includes(told), `${codes}`);
  });
}
