import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Quantities } from '../../src/core/units.ts';
import { inputTokens, NO_QUANTITIES } from '../../src/core/units.ts';
import type { PriceRow, PriceTables } from '../../src/policy/policy.ts';
import { chargeOf, chargePrices, costPrices, ratesAt, reserveCharge } from '../../src/policy/prices.ts';

const MILLION = 1_000_000;
const JAN = Date.UTC(2026, 0, 1);
const MAR = Date.UTC(2026, 2, 1);

const TABLES: PriceTables = {
  currency: 'USD',
  decimals: 9,
  charge: {
    standard: {
      'gpt-5': [
        {
          fromMs: JAN,
          inputOver: 0,
          prices: { input: 1_250_000_000, cache_read: 125_000_000, output: 10_000_000_000 },
        },
        { fromMs: MAR, inputOver: 0, prices: { input: 1_000_000_000, output: 8_000_000_000 } },
        {
          fromMs: JAN,
          inputOver: 200_000,
          prices: { input: 2_500_000_000, cache_read: 250_000_000, output: 15_000_000_000 },
        },
      ],
      claude: [
        {
          fromMs: JAN,
          inputOver: 0,
          prices: {
            input: 3_000_000_000,
            cache_read: 300_000_000,
            cache_write_5m: 3_750_000_000,
            cache_write_1h: 6_000_000_000,
            output: 15_000_000_000,
          },
        },
      ],
      thinker: [{ fromMs: JAN, inputOver: 0, prices: { input: MILLION, output: 2 * MILLION, reasoning: 5 * MILLION } }],
      embedder: [{ fromMs: JAN, inputOver: 0, prices: { input: MILLION } }],
      odd: [{ fromMs: JAN, inputOver: 0, prices: { input: 500_000, output: 1_500_000 } }],
      'long-only': [{ fromMs: JAN, inputOver: 100, prices: { input: MILLION, output: MILLION } }],
      'long-partial': [
        { fromMs: JAN, inputOver: 0, prices: { input: MILLION, output: 7 * MILLION } },
        { fromMs: JAN, inputOver: 100, prices: { input: 2 * MILLION } },
      ],
      unpriced: [],
    },
    'acme-2026': {
      'gpt-5': [
        { fromMs: JAN, inputOver: 0, prices: { input: 1_100_000_000, cache_read: 110_000_000, output: 8_800_000_000 } },
      ],
    },
  },
  cost: {
    openai: {
      'gpt-5': [
        { fromMs: JAN, inputOver: 0, prices: { input: 1_000_000_000, cache_read: 100_000_000, output: 8_000_000_000 } },
      ],
    },
  },
};

function quantities(some: Partial<Quantities>): Quantities {
  return { ...NO_QUANTITIES, ...some };
}

// model, list, at, used → the charge of each line; undefined: no price is in force
const CHARGES: readonly {
  readonly model: string;
  readonly list?: string;
  readonly at?: number;
  readonly used: Partial<Quantities>;
  readonly lines: Readonly<Record<string, bigint>> | undefined;
}[] = [
  { model: 'gpt-5', used: { input: 1000, output: 100 }, lines: { input: 1_250_000n, output: 1_000_000n } },
  { model: 'gpt-5', used: { input: 600, cache_read: 400 }, lines: { input: 750_000n, cache_read: 50_000n } },
  { model: 'gpt-5', used: {}, lines: {} },
  // reasoning without a price lies inside output
  { model: 'gpt-5', used: { output: 100, reasoning: 60 }, lines: { output: 1_000_000n, reasoning: 0n } },
  // caches without a price are input
  {
    model: 'gpt-5',
    used: { cache_write_5m: 10, cache_write_1h: 20 },
    lines: { cache_write_5m: 12_500n, cache_write_1h: 25_000n },
  },
  { model: 'gpt-5', at: MAR, used: { input: 600, cache_read: 400 }, lines: { input: 600_000n, cache_read: 400_000n } },
  // effective from 00:00 UTC of the date
  { model: 'gpt-5', at: JAN - 1, used: { input: 1 }, lines: undefined },
  { model: 'gpt-5', at: JAN, used: { input: 1 }, lines: { input: 1250n } },
  { model: 'gpt-5', at: MAR - 1, used: { input: 1 }, lines: { input: 1250n } },
  { model: 'gpt-5', at: MAR, used: { input: 1 }, lines: { input: 1000n } },
  // the band is chosen by input with caches, is exclusive, and applies to all tokens; each band has dates of its own
  { model: 'gpt-5', used: { input: 200_000, output: 1 }, lines: { input: 250_000_000n, output: 10_000n } },
  { model: 'gpt-5', used: { input: 200_001, output: 1 }, lines: { input: 500_002_500n, output: 15_000n } },
  {
    model: 'gpt-5',
    used: { input: 1, cache_read: 200_000, output: 1 },
    lines: { input: 2500n, cache_read: 50_000_000n, output: 15_000n },
  },
  { model: 'gpt-5', at: MAR, used: { input: 200_001, output: 1 }, lines: { input: 500_002_500n, output: 15_000n } },
  {
    model: 'claude',
    used: { input: 1, cache_write_5m: 2, cache_write_1h: 3 },
    lines: { input: 3000n, cache_write_5m: 7500n, cache_write_1h: 18_000n },
  },
  // reasoning with a price of its own leaves output
  { model: 'thinker', used: { output: 100, reasoning: 60 }, lines: { output: 80n, reasoning: 300n } },
  { model: 'embedder', used: { input: 7 }, lines: { input: 7n } },
  // half to even, once per line: 0.5 → 0, 1.5 → 2 and 1.5 → 2, 4.5 → 4
  { model: 'odd', used: { input: 1, output: 1 }, lines: { input: 0n, output: 2n } },
  { model: 'odd', used: { input: 3, output: 3 }, lines: { input: 2n, output: 4n } },
  { model: 'long-only', used: { input: 100 }, lines: undefined },
  { model: 'long-only', used: { input: 101 }, lines: { input: 101n } },
  // what a long-context row leaves out is not free
  { model: 'long-partial', used: { input: 101, output: 1 }, lines: { input: 202n, output: 7n } },
  // a list that gives a discount has rows of its own, already discounted
  {
    model: 'gpt-5',
    list: 'acme-2026',
    used: { input: 1000, output: 100 },
    lines: { input: 1_100_000n, output: 880_000n },
  },
  { model: 'claude', list: 'acme-2026', used: { input: 1 }, lines: undefined },
  { model: 'unpriced', used: { input: 1 }, lines: undefined },
  { model: 'nobody', used: { input: 1 }, lines: undefined },
  { model: 'gpt-5', list: 'nothing', used: { input: 1 }, lines: undefined },
  { model: 'toString', used: { input: 1 }, lines: undefined },
  { model: 'gpt-5', list: '__proto__', used: { input: 1 }, lines: undefined },
];

CHARGES.forEach(({ model, list = 'standard', at = JAN, used, lines }, row) => {
  test(`charge ${row + 1}: ${list}/${model} of ${JSON.stringify(used)}`, () => {
    const q = quantities(used);
    const prices = chargePrices(TABLES, list, model);
    const rates = prices && ratesAt(prices, { atMs: at, inputTokens: inputTokens(q) });
    const found = rates && Object.fromEntries(chargeOf(q, rates).map((line) => [line.meter, line.charge]));
    assert.deepEqual(found, lines);
  });
});

test('a line carries the quantity that was used, reasoning inside output', () => {
  const rates = ratesAt(chargePrices(TABLES, 'standard', 'thinker')!, { atMs: JAN, inputTokens: 0 })!;
  assert.deepEqual(
    chargeOf(quantities({ output: 100, reasoning: 60 }), rates).map((line) => line.quantity),
    [100, 60],
  );
});

test('costs are asked of the provider, not of a list', () => {
  const rates = ratesAt(costPrices(TABLES, 'openai', 'gpt-5')!, { atMs: JAN, inputTokens: 10 })!;
  assert.equal(rates.prices.output, 8_000_000_000);
  assert.equal(costPrices(TABLES, 'standard', 'gpt-5'), undefined);
});

test('a table is prepared once', () => {
  assert.equal(chargePrices(TABLES, 'standard', 'gpt-5'), chargePrices(TABLES, 'standard', 'gpt-5'));
});

// input, output, caching → reserved
const RESERVES: readonly {
  readonly model: string;
  readonly input: number;
  readonly output: number;
  readonly caching?: boolean;
  readonly at?: number;
  readonly reserved: number | undefined;
}[] = [
  // input and cache reads and output: two further lines
  { model: 'gpt-5', input: 1000, output: 100, reserved: 1_250_000 + 1_000_000 + 2 },
  { model: 'gpt-5', input: 1000, output: 0, reserved: 1_250_000 + 1 },
  { model: 'gpt-5', input: 0, output: 0, reserved: 0 },
  { model: 'gpt-5', input: 200_000, output: 1, reserved: 250_000_000 + 10_000 + 2 },
  { model: 'gpt-5', input: 200_001, output: 1, reserved: 500_002_500 + 15_000 + 2 },
  // where the body asks for caching, input is reserved at the dearest of input and cache writes
  { model: 'claude', input: 1000, output: 10, reserved: 3_000_000 + 150_000 + 2 },
  { model: 'claude', input: 1000, output: 10, caching: true, reserved: 6_000_000 + 150_000 + 4 },
  // reasoning may be all of the output, and is one more line
  { model: 'thinker', input: 10, output: 10, reserved: 10 + 50 + 3 },
  // rounded up once: 0.5 + 1.5
  { model: 'odd', input: 1, output: 1, reserved: 2 + 2 },
  { model: 'odd', input: 1, output: 2, reserved: 4 + 2 },
  { model: 'long-only', input: 100, output: 1, reserved: undefined },
  { model: 'long-only', input: 101, output: 1, reserved: 102 + 2 },
  { model: 'gpt-5', at: JAN - 1, input: 1, output: 1, reserved: undefined },
  { model: 'gpt-5', input: 8_000_000_000_000, output: 1, reserved: Number.MAX_SAFE_INTEGER },
];

RESERVES.forEach(({ model, input, output, caching = false, at = JAN, reserved }, row) => {
  test(`reserve ${row + 1}: ${model} with ${input} in and ${output} out`, () => {
    const prices = chargePrices(TABLES, 'standard', model)!;
    assert.equal(reserveCharge({ inputTokens: input, outputTokens: output, caching }, prices, at), reserved);
  });
});

test('a reservation is never below the charge of usage within the estimate', () => {
  const price = fc.integer({ min: 0, max: 20_000_000 });
  const maybe = fc.option(price, { nil: undefined });
  const row = fc
    .record({
      fromMs: fc.constantFrom(JAN, MAR),
      inputOver: fc.constantFrom(0, 50, 200),
      prices: fc.record({
        input: price,
        output: price,
        cache_read: maybe,
        cache_write_5m: maybe,
        cache_write_1h: maybe,
        reasoning: maybe,
      }),
    })
    .map(({ prices, ...rest }) => ({
      ...rest,
      prices: Object.fromEntries(Object.entries(prices).filter(([, value]) => value !== undefined)),
    })) as fc.Arbitrary<PriceRow>;
  const share = fc.double({ min: 0, max: 1, noNaN: true });

  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 6 }),
      fc.record({ inputTokens: fc.nat(400), outputTokens: fc.nat(400), caching: fc.boolean() }),
      fc.tuple(share, share, share, share, share, share),
      fc.constantFrom(JAN, MAR),
      (rows, estimate, shares, atMs) => {
        const tables: PriceTables = { currency: 'USD', decimals: 9, charge: { list: { model: rows } }, cost: {} };
        const prices = chargePrices(tables, 'list', 'model')!;
        const used = within(estimate, shares);
        const rates = ratesAt(prices, { atMs, inputTokens: inputTokens(used) });
        const reserved = reserveCharge(estimate, prices, atMs);
        if (rates === undefined) return;
        const charge = chargeOf(used, rates).reduce((sum, line) => sum + line.charge, 0n);
        assert.ok(reserved !== undefined && BigInt(reserved) >= charge, `reserved ${reserved}, charged ${charge}`);
      },
    ),
    { numRuns: 3000 },
  );
});

/** Some usage that stays within an estimate: its parts by shares of what is left. */
function within(
  estimate: { readonly inputTokens: number; readonly outputTokens: number; readonly caching: boolean },
  shares: readonly [number, number, number, number, number, number],
): Quantities {
  let left = Math.round(estimate.inputTokens * shares[0]);
  const take = (share: number): number => {
    const taken = Math.round(left * share);
    left -= taken;
    return taken;
  };
  const read = take(shares[1]);
  const write5m = estimate.caching ? take(shares[2]) : 0;
  const write1h = estimate.caching ? take(shares[3]) : 0;
  const output = Math.round(estimate.outputTokens * shares[4]);
  return {
    input: left,
    cache_read: read,
    cache_write_5m: write5m,
    cache_write_1h: write1h,
    output,
    reasoning: Math.round(output * shares[5]),
  };
}
