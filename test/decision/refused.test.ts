/** What a caller is told when limits refuse, over a real store: each row fills limits first, then asks. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Reason } from '../../src/core/reasons.ts';
import type { LimitStatus } from '../../src/decision/decision.ts';
import { encodeCheckResponse } from '../../src/envoy/wire/check-response.ts';
import type { BundleParts } from './bundle.ts';
import { type Asked, type Desk, deskOf, NOW_MS } from './desk.ts';

const MINUTE_MS = 60_000;

interface Row {
  readonly parts: BundleParts;
  /** What happened before; one call of `acme` that still runs if it is left out. */
  readonly before?: (desk: Desk) => void;
  readonly asked?: Asked;
  readonly reason: Reason;
  readonly waitMs: number | 'never';
  readonly message: string;
  readonly status?: LimitStatus;
}

const own = (limit: string): BundleParts => ({ limits: [`{name: it, ${limit}}`] });
const team = { key: 'teamkey' } as const;
const UNCAPPED: Asked = { json: { max_tokens: undefined } };
/** One call that has ended and used what it reserved. */
const spent =
  (asked: Asked = {}) =>
  (desk: Desk): void => {
    const { hold } = desk.allow(asked);
    desk.settle(hold, Object.fromEntries(hold.spends.map(({ unit, reserved }) => [unit, reserved])));
  };
const nothing = (): void => {};
const status = (some: Partial<LimitStatus>): LimitStatus => ({
  name: 'it',
  unit: 'requests',
  max: 1,
  remaining: 0,
  resetMs: undefined,
  windowMs: undefined,
  ...some,
});
const out = (max: number, some: Partial<LimitStatus> = {}): LimitStatus =>
  status({ unit: 'output_tokens', max, ...some });

const ROWS: readonly (Row & { readonly n: number })[] = [
  {
    n: 1,
    parts: own('max: 5 requests per second, burst: 1'),
    reason: 'rate_limited',
    waitMs: 200,
    message:
      'limit `it` (5 requests per second) has 0 requests left, this call may take 1 request; try again in 1 second',
    status: status({ resetMs: 200, windowMs: 1000 }),
  },
  {
    n: 2,
    parts: own('max: 1 in flight'),
    reason: 'concurrency_limited',
    waitMs: 1000,
    message:
      'limit `it` (1 request in flight) has 0 requests left, this call may take 1 request; try again in 1 second',
    status: status({ resetMs: 1000 }),
  },
  {
    // Held by a call that still runs: it may give some back.
    n: 3,
    parts: own('max: 150 output_tokens per month'),
    reason: 'rate_limited',
    waitMs: 1000,
    message:
      'limit `it` (150 output tokens per month) has 50 output tokens left, this call may take 100 output tokens; try again in 1 second',
    status: out(150, { remaining: 50, resetMs: 1000 }),
  },
  {
    n: 4,
    parts: own('max: 150 output_tokens per month'),
    before: spent(),
    reason: 'budget_spent',
    waitMs: Date.parse('2026-11-30T23:00Z') - NOW_MS,
    message:
      'limit `it` (150 output tokens per month) has 50 output tokens left, this call may take 100 output tokens; try again in 6 days 11 hours',
    status: out(150, { remaining: 50, resetMs: Date.parse('2026-11-30T23:00Z') - NOW_MS }),
  },
  {
    n: 5,
    parts: own('max: 99 output_tokens per minute'),
    before: nothing,
    reason: 'budget_spent',
    waitMs: 'never',
    message: 'limit `it` (99 output tokens per minute) has 99 output tokens left, this call may take 100 output tokens',
    status: out(99, { remaining: 99, windowMs: MINUTE_MS }),
  },
  {
    // A wait of 60 s is a rate limit, one of a millisecond more is a spent budget.
    n: 6,
    parts: own('max: 1 requests per 2m'),
    before: (desk) => {
      spent()(desk);
      desk.nowMs = NOW_MS + MINUTE_MS;
    },
    reason: 'rate_limited',
    waitMs: MINUTE_MS,
    message:
      'limit `it` (1 request per 2 minutes) has 0 requests left, this call may take 1 request; try again in 60 seconds',
    status: status({ resetMs: MINUTE_MS, windowMs: 2 * MINUTE_MS }),
  },
  {
    n: 7,
    parts: own('max: 1 requests per 2m'),
    before: (desk) => {
      spent()(desk);
      desk.nowMs = NOW_MS + MINUTE_MS - 1;
    },
    reason: 'budget_spent',
    waitMs: MINUTE_MS + 1,
    message:
      'limit `it` (1 request per 2 minutes) has 0 requests left, this call may take 1 request; try again in 61 seconds',
    status: status({ resetMs: MINUTE_MS + 1, windowMs: 2 * MINUTE_MS }),
  },
  {
    n: 8,
    parts: own('max: 150 output_tokens, each: run'),
    before: (desk) => spent({ headers: [['tollgate-run', 'r1']] })(desk),
    asked: { headers: [['tollgate-run', 'r1']] },
    reason: 'budget_spent',
    waitMs: 'never',
    message: 'limit `it` (150 output tokens per run) has 50 output tokens left, this call may take 100 output tokens',
    status: out(150, { remaining: 50 }),
  },
  {
    n: 9,
    parts: own('max: 1 runs per 1m'),
    before: (desk) => spent({ headers: [['tollgate-run', 'r1']] })(desk),
    asked: { headers: [['tollgate-run', 'r2']] },
    reason: 'rate_limited',
    waitMs: MINUTE_MS,
    message: 'limit `it` (1 run per minute) has 0 runs left, this call may take 1 run; try again in 60 seconds',
    status: status({ unit: 'runs', resetMs: MINUTE_MS, windowMs: MINUTE_MS }),
  },
  {
    n: 10,
    parts: own('max: 10 in flight, ceiling: {batch: 10%}'),
    asked: { key: 'batchkey' },
    reason: 'concurrency_limited',
    waitMs: 1000,
    message:
      'limit `it` (1 request in flight) has 0 requests left, this call may take 1 request; try again in 1 second',
    status: status({ resetMs: 1000 }),
  },
  {
    // What the provider charges us is nobody's to know.
    n: 11,
    parts: own('max: 0.0001 USD cost per day'),
    before: nothing,
    reason: 'budget_spent',
    waitMs: 'never',
    message: 'limit `it` is spent',
    status: status({ unit: 'cost', max: 100_000, remaining: 100_000 }),
  },
  {
    n: 12,
    parts: own('max: 1 in flight'),
    asked: team,
    reason: 'concurrency_limited',
    waitMs: 1000,
    message: 'a limit above account `acme/team` is spent; try again in 1 second',
  },
  {
    n: 13,
    parts: own('max: 99 output_tokens per day'),
    before: nothing,
    asked: team,
    reason: 'budget_spent',
    waitMs: 'never',
    message: 'a limit above account `acme/team` is spent',
  },
  {
    // Declared above, but the counter is the caller's own.
    n: 14,
    parts: own('max: 1 in flight, each: credential'),
    before: (desk) => void desk.allow(team),
    asked: team,
    reason: 'concurrency_limited',
    waitMs: 1000,
    message:
      'limit `it` (1 request in flight) has 0 requests left, this call may take 1 request; try again in 1 second',
    status: status({ resetMs: 1000 }),
  },
  {
    n: 15,
    parts: own('max: 1 in flight, each: account'),
    before: (desk) => void desk.allow(team),
    asked: team,
    reason: 'concurrency_limited',
    waitMs: 1000,
    message:
      'limit `it` (1 request in flight) has 0 requests left, this call may take 1 request; try again in 1 second',
    status: status({ resetMs: 1000 }),
  },
  {
    // Of one model, but of all accounts.
    n: 16,
    parts: own('max: 1 in flight, each: model'),
    asked: team,
    reason: 'concurrency_limited',
    waitMs: 1000,
    message: 'a limit above account `acme/team` is spent; try again in 1 second',
  },
  {
    n: 17,
    parts: { trafficLimits: ['{name: it, max: 1 in flight, each: customer}'] },
    asked: team,
    reason: 'concurrency_limited',
    waitMs: 1000,
    message: 'a limit above account `acme/team` is spent; try again in 1 second',
  },
  {
    // The strictest names the refusal: the parent's month before the own second.
    n: 18,
    parts: {
      ...own('max: 150 output_tokens per month'),
      accounts: ['acme/team: {owner: t@acme.example, limits: [{name: own, max: 1 requests per second, burst: 1}]}'],
    },
    before: spent(team),
    asked: team,
    reason: 'budget_spent',
    waitMs: Date.parse('2026-11-30T23:00Z') - NOW_MS,
    message: 'a limit above account `acme/team` is spent; try again in 6 days 11 hours',
  },
  {
    // And the own month before the parent's second.
    n: 19,
    parts: {
      ...own('max: 1 requests per second, burst: 1'),
      accounts: ['acme/team: {owner: t@acme.example, limits: [{name: own, max: 150 output_tokens per month}]}'],
    },
    before: spent(team),
    asked: team,
    reason: 'budget_spent',
    waitMs: Date.parse('2026-11-30T23:00Z') - NOW_MS,
    message:
      'limit `own` (150 output tokens per month) has 50 output tokens left, this call may take 100 output tokens; try again in 6 days 11 hours',
    status: out(150, { name: 'own', remaining: 50, resetMs: Date.parse('2026-11-30T23:00Z') - NOW_MS }),
  },
  {
    // The step that the caller refuses to take: as the limit that asks for it.
    n: 20,
    parts: {
      limits: ['{name: it, max: 200 output_tokens per minute}'],
      ladder: ['{at: 50% of it, from: large, use: small}'],
    },
    before: spent({ json: { max_tokens: 60 } }),
    asked: { headers: [['tollgate-downgrade', 'refuse']] },
    reason: 'rate_limited',
    waitMs: MINUTE_MS,
    message:
      'limit `it` (200 output tokens per minute) has 40 output tokens left before its step down, this call may take 100 output tokens; try again in 60 seconds',
    status: out(200, { remaining: 40, resetMs: MINUTE_MS, windowMs: MINUTE_MS }),
  },
  {
    n: 21,
    parts: own('max: 50 output_tokens per day'),
    before: nothing,
    asked: UNCAPPED,
    reason: 'budget_spent',
    waitMs: 'never',
    message:
      'limit `it` (50 output tokens per day) has 50 output tokens left, this call may take 1000 output tokens; this call gives no output cap, so 1000 output tokens were assumed: send one',
    status: out(50, { remaining: 50 }),
  },
  {
    n: 22,
    parts: own('max: 0.001 USD per minute, estimate: assumed'),
    before: nothing,
    asked: { json: { max_tokens: undefined, n: 2 } },
    reason: 'budget_spent',
    waitMs: 'never',
    message:
      'limit `it` (0.001 USD per minute) has 0.001 USD left, this call may take 0.002013 USD; this call gives no output cap, so 200 output tokens were assumed: send one',
    status: status({ unit: 'charge', max: 1_000_000, remaining: 1_000_000, windowMs: MINUTE_MS }),
  },
  {
    n: 23,
    parts: own('max: 1100 output_tokens per month'),
    before: (desk) => void desk.allow(),
    asked: { ...UNCAPPED, ...team, json: { max_tokens: undefined, n: 2 } },
    reason: 'budget_spent',
    waitMs: 'never',
    message:
      'a limit above account `acme/team` is spent; this call gives no output cap, so 2000 output tokens were assumed: send one',
  },
  {
    // A cap would not help: the limit does not count output.
    n: 24,
    parts: own('max: 1 in flight'),
    asked: UNCAPPED,
    reason: 'concurrency_limited',
    waitMs: 1000,
    message:
      'limit `it` (1 request in flight) has 0 requests left, this call may take 1 request; try again in 1 second',
    status: status({ resetMs: 1000 }),
  },
  {
    // Nor here: nothing is left.
    n: 25,
    parts: own('max: 1000 output_tokens per 1m'),
    before: spent(UNCAPPED),
    asked: UNCAPPED,
    reason: 'rate_limited',
    waitMs: MINUTE_MS,
    message:
      'limit `it` (1000 output tokens per minute) has 0 output tokens left, this call may take 1000 output tokens; try again in 60 seconds',
    status: out(1000, { resetMs: MINUTE_MS, windowMs: MINUTE_MS }),
  },
];

for (const { n, parts, before = (desk: Desk) => void desk.allow(), asked = {}, ...expected } of ROWS) {
  test(`refused ${n}: ${expected.message.slice(0, 60)}`, async (t) => {
    const desk = await deskOf(t, parts);
    before(desk);
    desk.store.changes();
    const deny = desk.deny(asked);
    assert.deepEqual([deny.reason, deny.waitMs, deny.message], [expected.reason, expected.waitMs, expected.message]);
    assert.deepEqual(deny.limit, expected.status);
    assert.deepEqual(desk.store.changes(), [], 'a refusal changes no counter');
    const [row] = desk.refusals;
    assert.deepEqual([row?.decisionId, row?.reason, row?.message], [deny.decisionId, deny.reason, deny.message]);
    assert.ok(
      row?.limit !== undefined && row.trace.at(-1)?.spends.some((spend) => spend.limit === row.limit && !spend.fits),
    );
  });
}

describe('a parent’s limit', async () => {
  const NAMES = /parents-budget|parents-slots|parents-step|777|888/;
  const parts = {
    limits: [
      '{name: parents-budget, max: 777 output_tokens per day}',
      '{name: parents-slots, max: 888 in flight}',
      '{name: parents-step, max: 777 output_tokens per hour, models: [large]}',
    ],
    ladder: ['{at: 50% of parents-step, from: large, use: small}'],
  };
  // Without the decision id, whose random digits may be those of an amount.
  const wire = (desk: Desk, asked: Asked): string =>
    encodeCheckResponse(desk.decide({ ...team, ...asked }), { holdToFields: () => [], jitter: 0 })
      .toString('latin1')
      .replaceAll(/[a-z2-7]{8}-[0-9a-f-]{36}/g, '');

  test('is not on the wire when it refuses, and is in the ledger', async (t) => {
    const desk = await deskOf(t, parts);
    assert.doesNotMatch(wire(desk, { json: { max_tokens: 800 } }), NAMES);
    assert.equal(desk.refusals[0]?.limit, 'parents-budget');
    assert.equal(desk.refusals[0]?.trace[0]?.spends.find(({ limit }) => limit === 'parents-budget')?.owner, 'acme');
  });

  test('nor when its step is taken', async (t) => {
    const desk = await deskOf(t, parts);
    const bytes = wire(desk, { json: { max_tokens: 500 } });
    assert.match(bytes, /x-tollgate-requested-model/);
    assert.doesNotMatch(bytes, NAMES);
    assert.deepEqual([desk.holds[0]?.model, desk.holds[0]?.downgradedBy], ['small', 'parents-step']);
  });

  test('and is, where it is the caller’s own account', async (t) => {
    const desk = await deskOf(t, parts);
    const allow = desk.allow({ json: { max_tokens: 500 } });
    assert.deepEqual([allow.hold.downgradedBy, allow.stepLimit], ['parents-step', 'parents-step']);
    assert.equal(desk.deny({ json: { max_tokens: 800 } }).limit?.name, 'parents-budget');
  });
});
