import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { spanText } from '../../src/core/span.ts';
import type { Unit } from '../../src/core/units.ts';
import { amountText, limitText, waitText } from '../../src/decision/words.ts';
import type { Spend } from '../../src/limits/store.ts';
import { fileScope } from '../support/scope.ts';
import { policyOf } from './bundle.ts';
import { questionOf } from './planned.ts';

const scope = fileScope();
const policy = await policyOf(scope);
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

const AMOUNTS: readonly [n: number, amount: number, unit: Unit, text: string][] = [
  [1, 0, 'requests', '0 requests'],
  [2, 1, 'requests', '1 request'],
  [3, 2, 'requests', '2 requests'],
  [4, 1, 'tokens', '1 token'],
  [5, 1200, 'input_tokens', '1200 input tokens'],
  [6, 1, 'output_tokens', '1 output token'],
  [7, 1, 'runs', '1 run'],
  // Money: at least cents, at most six places, half to even at the last.
  [8, 0, 'charge', '0.00 USD'],
  [9, 500_000_000_000, 'charge', '500.00 USD'],
  [10, 12_500_000_000, 'charge', '12.50 USD'],
  [11, 100_000_000, 'charge', '0.10 USD'],
  [12, 125_000, 'charge', '0.000125 USD'],
  [13, 10_006_000, 'charge', '0.010006 USD'],
  [14, 1_230_000_000, 'cost', '1.23 USD'],
  [15, 1_234_000_000, 'cost', '1.234 USD'],
  [16, 499, 'charge', '0.00 USD'],
  [17, 1_500, 'charge', '0.000002 USD'],
  [18, 999_999_999_999, 'charge', '1000.00 USD'],
  [19, Number.MAX_SAFE_INTEGER, 'charge', '9007199.254741 USD'],
];
for (const [n, amount, unit, text] of AMOUNTS) {
  test(`amount ${n}: ${text}`, () => assert.equal(amountText(amount, unit, policy), text));
}

describe('limits', () => {
  const rows: readonly [n: number, limit: string, text: string][] = [
    [1, 'max: 20 requests per second, burst: 40', '20 requests per second'],
    [2, 'max: 60 requests per 5m, burst: 1', '60 requests per 5 minutes'],
    [3, 'max: 7 requests per day, burst: 3', '7 requests per day'],
    [4, 'max: 500 USD per month', '500.00 USD per month'],
    [5, 'max: 0.05 USD per week', '0.05 USD per week'],
    [6, 'max: 2M tokens per day', '2000000 tokens per day'],
    [7, 'max: 5k output_tokens per 90m', '5000 output tokens per 90 minutes'],
    [8, 'max: 5k input_tokens per 10s', '5000 input tokens per 10 seconds'],
    [9, 'max: 9 requests per minute', '9 requests per minute'],
    [10, 'max: 50 in flight', '50 requests in flight'],
    [11, 'max: 1 in flight', '1 request in flight'],
    [12, 'max: 5 USD, each: run', '5.00 USD per run'],
    [13, 'max: 60 runs per hour', '60 runs per hour'],
    // What a class may fill is what it is told; the rate is not divided.
    [14, 'max: 50 in flight, ceiling: {interactive: 50%}', '25 requests in flight'],
    [15, 'max: 20 requests per second, burst: 40, ceiling: {interactive: 50%}', '20 requests per second'],
  ];
  for (const [n, limit, text] of rows) {
    test(`limit ${n}: ${text}`, async (t) => {
      const own = await policyOf(t, { limits: [`{name: it, ${limit}}`] });
      const { ask, candidates } = questionOf(own, { run: 'r1' });
      assert.equal(limitText(candidates[0]!.lines[0]!.bound.limit, ask.candidates[0]![0] as Spend, own), text);
    });
  }

  test('an override is told instead of what it overrides', async (t) => {
    const own = await policyOf(t, {
      limits: ['{name: rate, max: 20 requests per second, burst: 40}', '{name: spend, max: 500 USD per month}'],
      accounts: [
        'other: {plan: growth, owner: o@other.example, timezone: UTC, overrides: {rate: {max: 30 requests per second, burst: 90, until: 2026-12-31, reason: launch, approved_by: cfo@acme.example}, spend: {max: 900 USD per month, until: 2026-12-31, reason: launch, approved_by: cfo@acme.example}}}',
      ],
    });
    const { ask, candidates } = questionOf(own, { account: 'other' });
    const texts = candidates[0]!.lines.map(({ bound }, index) =>
      limitText(bound.limit, ask.candidates[0]![index] as Spend, own),
    );
    assert.deepEqual(texts, ['30 requests per second', '900.00 USD per month']);
  });
});

const SPANS: readonly [n: number, ms: number, text: string][] = [
  [1, SECOND_MS, 'second'],
  [2, MINUTE_MS, 'minute'],
  [3, HOUR_MS, 'hour'],
  [4, DAY_MS, 'day'],
  [5, 10 * SECOND_MS, '10 seconds'],
  [6, 90 * SECOND_MS, '90 seconds'],
  [7, 36 * HOUR_MS, '36 hours'],
  [8, 2 * DAY_MS, '2 days'],
  [9, 1500, '1500 ms'],
];
for (const [n, ms, text] of SPANS) test(`span ${n}: ${text}`, () => assert.equal(spanText(ms), text));

/** Never shorter than the wait itself. */
const WAITS: readonly [n: number, ms: number, text: string][] = [
  [1, 0, '1 second'],
  [2, 1, '1 second'],
  [3, 1000, '1 second'],
  [4, 1001, '2 seconds'],
  [5, 60_000, '60 seconds'],
  [6, 119_999, '120 seconds'],
  [7, 2 * MINUTE_MS, '2 minutes'],
  [8, 2 * MINUTE_MS + 1, '2 minutes 1 second'],
  [9, 2 * HOUR_MS - 1, '120 minutes'],
  [15, 2 * HOUR_MS + 1, '2 hours 1 minute'],
  [10, 2 * HOUR_MS, '2 hours'],
  [11, 2 * DAY_MS - 1, '48 hours'],
  [12, 2 * DAY_MS, '2 days'],
  [13, 6 * DAY_MS + HOUR_MS + 1, '6 days 2 hours'],
  [16, 7 * DAY_MS - 1, '7 days'],
  [14, 400 * DAY_MS, '400 days'],
];
for (const [n, ms, text] of WAITS) test(`wait ${n}: ${text}`, () => assert.equal(waitText(ms), text));
