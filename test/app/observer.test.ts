import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Observer } from '../../src/app/observer.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { LogEntry } from '../../src/metering/entry.ts';

test('an entry that the observed bundle cannot take is a fault of its own, and stops nothing behind it', async () => {
  const observer = new Observer({
    policy: () => undefined,
    identifier: { identify: () => ({ reason: 'credential_missing', detail: '' }) },
    clock: systemClock,
    settings: { countersMax: 10, settleWithinMs: 1_000, expiryGraceMs: 1_000 },
    prices: () => undefined,
    differ: () => {},
  });
  const faulty = {
    get decision(): never {
      throw new Error('a fault of ours');
    },
  } as unknown as LogEntry;
  await observer.take([faulty]);
  assert.deepEqual(observer.counts(), { skipped: 0, failed: 1 });
});
