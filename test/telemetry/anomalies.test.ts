import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anomalyWatch } from '../../src/telemetry/anomalies.ts';
import { createLog, EventLog } from '../../src/telemetry/log.ts';

test('counts are told when one has grown, as totals, and held-back ones as soon as the log takes them', () => {
  let nowMs = 0;
  const told: Record<string, unknown>[] = [];
  const log = createLog({ stream: { write: (line) => told.push(JSON.parse(line)) } });
  const counts = { orphans: 0, ends_lost: 0 };
  const tell = anomalyWatch(new EventLog(log, { nowMs: () => nowMs, monotonicMs: () => nowMs }), () => counts);
  tell();
  assert.deepEqual(told, []);
  counts.orphans = 2;
  tell();
  tell();
  assert.deepEqual(
    told.map(({ level, code, orphans, ends_lost }) => [level, code, orphans, ends_lost]),
    [['warn', 'anomalies', 2, undefined]],
  );
  for (counts.ends_lost = 1; counts.ends_lost < 9; counts.ends_lost++) tell();
  assert.equal(told.length, 5);
  nowMs += 60_000;
  tell();
  assert.deepEqual([told.at(-1)?.['orphans'], told.at(-1)?.['ends_lost']], [2, 9]);
  tell();
  assert.equal(told.length, 6);
});
