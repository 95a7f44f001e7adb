/** Rows for tests: complete, and each different part named by the test. */
import * as fc from 'fast-check';
import { mintDecisionId } from '../../src/core/ids.ts';
import { METERS, type Meter, UNITS } from '../../src/core/units.ts';
import type { HeldSpend, Hold, Refusal } from '../../src/ledger/hold.ts';
import type { End, Line } from '../../src/ledger/ledger.ts';
import { SERVED } from '../support/hold.ts';

/** 2026-01-15T12:00:00Z. */
export const NOON_MS = 1_768_478_400_000;

export function holdOf(ledgerId: string, parts: Partial<Hold> = {}): Hold {
  const decidedAtMs = parts.decidedAtMs ?? NOON_MS;
  return {
    ...SERVED,
    decisionId: mintDecisionId(ledgerId, decidedAtMs),
    decidedAtMs,
    expiresAtMs: decidedAtMs + 60_000,
    tags: { cost_center: '4712' },
    trace: [
      {
        model: 'gpt-5',
        spends: [
          {
            limit: 'monthly-spend',
            owner: 'acme',
            unit: 'charge',
            asked: 5_000_000,
            used: 7,
            ceiling: 500_000_000_000,
            fits: true,
            yielded: false,
            observe: false,
            waitMs: undefined,
            spent: 5,
          },
        ],
      },
    ],
    estimate: { inputTokens: 100, outputTokens: 400, charge: 4_125_000, cost: 3_300_000, outputMax: 128_000 },
    spends: [
      {
        counter: 'acme|monthly-spend|window,charge,month,Europe%2FBerlin||1767222000000',
        limit: 'monthly-spend',
        kind: 'window',
        unit: 'charge',
        reserved: 4_125_000,
        onExpiry: 'keep',
        end: 1_769_900_400_000,
      },
    ],
    ...parts,
  };
}

export function endOf(hold: Hold, parts: Partial<End> = {}): End {
  return {
    decisionId: hold.decisionId,
    rank: 2,
    kind: 'settled',
    source: 'hold',
    hold,
    atMs: hold.decidedAtMs + 2_000,
    answeredModel: hold.model,
    pricedModel: hold.model,
    flags: [],
    status: 200,
    attempts: 1,
    durationMs: 1_900,
    lines: [lineOf('input', 100, 125_000n), lineOf('output', 50, 500_000n)],
    charged: [{ counter: 'acme|monthly-spend', amount: 625_000 }],
    ...parts,
  };
}

/** Costs are four fifths of the charge. */
export function lineOf(meter: Meter, quantity: number, charge: bigint): Line {
  return { meter, quantity, charge, cost: (charge * 4n) / 5n };
}

export function refusalOf(ledgerId: string, parts: Partial<Refusal> = {}): Refusal {
  const { expiresAtMs, model, downgradedBy, provider, priceList, billEstimated, estimate, spends, ...facts } =
    holdOf(ledgerId);
  void [expiresAtMs, model, downgradedBy, provider, priceList, billEstimated, estimate, spends];
  const decidedAtMs = parts.decidedAtMs ?? NOON_MS;
  return {
    ...facts,
    decisionId: mintDecisionId(ledgerId, decidedAtMs),
    decidedAtMs,
    reason: 'rate_limited',
    message: 'limit `key-burst` is full, try again in 1 s',
    limit: 'key-burst',
    waitMs: 1_000,
    ...parts,
  };
}

/** Texts that break quoting, tables, terminals and encodings. */
export const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ maxLength: 20 }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    "'; DROP TABLE holds; --",
    '"\\\u2028\u0000\u001b[31m',
    '\n\r\t',
    '=1+1',
    '𝕳🔥',
  ),
);
const someText = fc.option(
  hostileText.filter((text) => text !== ''),
  { nil: undefined },
);
const amount = fc.maxSafeNat();

export const spend: fc.Arbitrary<HeldSpend> = fc.record(
  {
    counter: hostileText.map((text) => `c|${text}`),
    limit: hostileText.map((text) => `l${text}`),
    kind: fc.constantFrom('bucket', 'window', 'total', 'slots'),
    unit: fc.constantFrom(...UNITS),
    reserved: amount,
    onExpiry: fc.constantFrom('keep', 'release'),
    n: amount,
    p: amount,
    end: amount,
  },
  { requiredKeys: ['counter', 'limit', 'kind', 'unit', 'reserved', 'onExpiry'], noNullPrototype: true },
);

/** Holds whose every free text is hostile. */
export function anyHold(ledgerId: string): fc.Arbitrary<Hold> {
  return fc
    .record({
      decidedAtMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
      account: hostileText.map((text) => `acme/${text}`),
      credential: hostileText.map((text) => `k${text}`),
      actor: someText,
      confidence: fc.constantFrom('exact' as const, 'low' as const),
      classes: fc.array(fc.constantFrom('interactive', 'agentic', 'batch'), { minLength: 1, maxLength: 2 }),
      run: someText,
      dialect: someText,
      requestedModel: someText,
      stream: fc.boolean(),
      plan: someText,
      tags: fc.dictionary(
        hostileText.filter((text) => text !== '__proto__'),
        hostileText,
        { maxKeys: 3, noNullPrototype: true },
      ),
      mode: fc.constantFrom('normal' as const, 'degraded' as const, 'stale' as const, 'closed' as const),
      model: someText,
      downgradedBy: someText,
      provider: someText,
      priceList: someText,
      billEstimated: fc.boolean(),
      spends: fc.array(spend, { maxLength: 6 }),
      estimate: fc.record(
        { inputTokens: amount, outputTokens: amount, charge: amount, cost: amount, outputMax: amount },
        { noNullPrototype: true },
      ),
    })
    .map((parts) => holdOf(ledgerId, parts));
}

export const anyLines: fc.Arbitrary<readonly Line[]> = fc
  .uniqueArray(fc.constantFrom(...METERS), { maxLength: 4 })
  .chain((meters) =>
    fc.tuple(
      ...meters.map((meter) =>
        fc.record({
          meter: fc.constant(meter),
          quantity: fc.integer({ min: 0, max: 5 }),
          charge: fc.bigInt({ min: 0n, max: 9n }),
          cost: fc.bigInt({ min: 0n, max: 9n }),
        }),
      ),
    ),
  );
