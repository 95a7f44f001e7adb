import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../src/core/clock.ts';
import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import { openValidity, spendOf } from '../../src/limits/spend.ts';
import { standingOf } from '../../src/limits/standing.ts';
import type { BoundLimit } from '../../src/policy/policy.ts';
import { loadWith, policyOf } from '../policy/bundles.ts';

const NOW_MS = Date.UTC(2026, 2, 10, 12);

const PLANS = `owner: f@acme.example
currency: USD
plans:
  p:
    prices: s
    entitlements: [{routes: [chat], models: [large], classes: [interactive, batch]}]
    limits:
      - {name: window, max: 100 tokens per day}
      - {name: bucket, max: 10 requests per second, burst: 20}
      - {name: slots, max: 5 in flight}
prices: {s: {large: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 1}]}}
costs: {openai: {large: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 1}]}}
`;
const ACCOUNTS = `acme: {plan: p, owner: c@acme.example, timezone: Europe/Berlin, unlisted: allow, overrides: {window: {max: 150 tokens per day, until: 2026-03-10, reason: launch, approved_by: c@acme.example}}}
`;

test('a limit stands as it was spent and held, with what it may hold now and when it resets', async (t) => {
  const files = { 'plans.yaml': PLANS, 'accounts/acme.yaml': ACCOUNTS };
  const bound = policyOf(await loadWith(t, files)).account('acme')!.limits;
  let nowMs = NOW_MS;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const store = new MemoryLimitStore(clock);
  const limitOf = (name: string): BoundLimit => bound.find(({ limit }) => limit.name === name)!;
  const stands = (name: string) => {
    const { max, used, held, spent, resetsAtMs } = standingOf(limitOf(name), { partition: '', nowMs }, (ref) =>
      store.peek(ref),
    );
    return { max, used, held, spent, resetsAtMs };
  };
  const NEXT_DAY_MS = Date.UTC(2026, 2, 10, 23);
  const never = undefined;
  assert.deepEqual(stands('window'), { max: 150, used: 0, held: 0, spent: 0, resetsAtMs: NEXT_DAY_MS });
  assert.deepEqual(stands('bucket'), { max: 20, used: 0, held: 0, spent: 0, resetsAtMs: never });
  assert.deepEqual(store.counts().counters, 0);

  const input = { partition: '', nowMs, classes: [], yieldsAt: undefined, observe: false };
  const spends = [40, 8, 1].map((amount, at) =>
    spendOf(limitOf(['window', 'bucket', 'slots'][at]!), { ...input, amount }, openValidity()),
  );
  const ask = { id: 'a', mintedAt: nowMs, expiresAt: nowMs + 60_000, customer: 'acme', from: 0, until: nowMs + 60_000 };
  assert.equal(store.reserve({ ...ask, candidates: [spends] }).outcome, 'admitted');
  assert.deepEqual(stands('window'), { max: 150, used: 40, held: 40, spent: 0, resetsAtMs: NEXT_DAY_MS });
  assert.deepEqual(stands('bucket'), { max: 20, used: 8, held: 0, spent: 8, resetsAtMs: never });
  assert.deepEqual(stands('slots'), { max: 5, used: 1, held: 1, spent: 0, resetsAtMs: never });

  const settled = spends.map((spend, at) => ({ ref: spend, actual: [25, 8, 0][at]! }));
  store.settle('a', { mintedAt: nowMs, customer: 'acme', rank: 2 }, settled);
  nowMs += 300;
  assert.deepEqual(stands('window'), { max: 150, used: 25, held: 0, spent: 25, resetsAtMs: NEXT_DAY_MS });
  assert.deepEqual(stands('bucket'), { max: 20, used: 5, held: 0, spent: 5, resetsAtMs: never });
  assert.deepEqual(stands('slots'), { max: 5, used: 0, held: 0, spent: 0, resetsAtMs: never });
  nowMs = NEXT_DAY_MS;
  assert.deepEqual(stands('window'), { max: 100, used: 0, held: 0, spent: 0, resetsAtMs: NEXT_DAY_MS + 86_400_000 });
});
