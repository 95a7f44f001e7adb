import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { chargeHalfEven, chargeUp, formatMoney, halfEven, type Item } from '../../src/core/money.ts';

const MAX = Number.MAX_SAFE_INTEGER;
const MILLION = 1_000_000n;

describe('charge of a candidate, rounded up once', () => {
  const ROWS: [items: [quantity: number, price: number][], charge: number][] = [
    [[], 0],
    [[[0, 0]], 0],
    [[[0, 5]], 0],
    [[[5, 0]], 0],
    [[[1, 1]], 1],
    [[[1, 999_999]], 1],
    [[[1, 1_000_000]], 1],
    [[[1, 1_000_001]], 2],
    [[[1_000_000, 1]], 1],
    [[[1_000_001, 1]], 2],
    // Parts of several items are added before the one rounding: 0.5 + 0.5 is 1, not 2.
    [
      [
        [1, 500_000],
        [1, 500_000],
      ],
      1,
    ],
    [
      [
        [1, 500_000],
        [1, 500_001],
      ],
      2,
    ],
    // gpt-5 of the example in 10^-9 USD: 1.25 USD per 1M input, 10 USD per 1M output; 1000 in, 2000 out.
    [
      [
        [1000, 1_250_000_000],
        [2000, 10_000_000_000],
      ],
      21_250_000,
    ],
    [[[MAX, 1_000_000]], MAX],
    [[[MAX, 1_000_001]], MAX],
    [[[1e9, 1e13]], MAX],
  ];
  for (const [i, [items, charge]] of ROWS.entries()) {
    test(`1.${i + 1} ${JSON.stringify(items)} is ${charge}`, () => {
      assert.equal(chargeUp(items.map(([quantity, price]) => ({ quantity, price }))), charge);
    });
  }

  const item = fc.record({
    quantity: fc.integer({ min: 0, max: 10_000_000 }),
    price: fc.integer({ min: 0, max: 1_000_000_000_000 }),
  });

  test('2 equals the exact quotient rounded up, wherever it can be told exactly', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 8 }), (items) => {
        const exact = items.reduce((sum, { quantity, price }) => sum + BigInt(quantity) * BigInt(price), 0n);
        const up = (exact + MILLION - 1n) / MILLION;
        const charge = chargeUp(items);
        assert.equal(BigInt(charge), up > BigInt(MAX) ? BigInt(MAX) : up);
      }),
      { seed: 3, numRuns: 2000 },
    );
  });

  test('3 never less than exact, however large, and a safe integer', () => {
    const large = fc.record({ quantity: fc.maxSafeNat(), price: fc.maxSafeNat() });
    fc.assert(
      fc.property(fc.array(large, { minLength: 1, maxLength: 4 }), (items) => {
        const charge = chargeUp(items);
        const exact = items.reduce((sum, { quantity, price }) => sum + BigInt(quantity) * BigInt(price), 0n);
        assert.ok(Number.isSafeInteger(charge));
        assert.ok(charge === MAX || BigInt(charge) * MILLION >= exact);
      }),
      { seed: 3, numRuns: 2000 },
    );
  });

  test('4 the lines of a decision never sum to more than it and one unit for each further line', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 6 }), (items) => {
        const lines = items.reduce((sum, each) => sum + chargeHalfEven(each), 0n);
        assert.ok(lines <= BigInt(chargeUp(items)) + BigInt(items.length - 1));
      }),
      { seed: 3, numRuns: 1000 },
    );
  });
});

describe('charge of a ledger line, half to even', () => {
  const ROWS: [item: Item, charge: bigint][] = [
    [{ quantity: 0, price: 7 }, 0n],
    [{ quantity: 1, price: 499_999 }, 0n],
    [{ quantity: 1, price: 500_000 }, 0n],
    [{ quantity: 1, price: 500_001 }, 1n],
    [{ quantity: 1, price: 1_499_999 }, 1n],
    [{ quantity: 1, price: 1_500_000 }, 2n],
    [{ quantity: 1, price: 2_500_000 }, 2n],
    [{ quantity: 3, price: 500_000 }, 2n],
    [{ quantity: 5, price: 500_000 }, 2n],
    [{ quantity: 7, price: 500_000 }, 4n],
    [{ quantity: MAX, price: MAX }, (BigInt(MAX) * BigInt(MAX)) / MILLION + 1n],
  ];
  for (const [i, [item, charge]] of ROWS.entries()) {
    test(`5.${i + 1} ${item.quantity} at ${item.price} is ${charge}`, () => assert.equal(chargeHalfEven(item), charge));
  }

  test('6 is the nearest, and the even one of two', () => {
    const charge = fc
      .tuple(
        fc.maxSafeNat(),
        fc.oneof(
          fc.maxSafeNat(),
          fc.nat({ max: 20 }).map((n) => n * 500_000),
        ),
      )
      .map(([quantity, price]) => ({ dividend: BigInt(quantity) * BigInt(price), divisor: MILLION }));
    const quotient = fc.record({
      dividend: fc.bigInt({ min: 0n, max: 10n ** 20n }),
      divisor: fc.oneof(fc.bigInt({ min: 1n, max: 12n }), fc.bigInt({ min: 1n, max: 10n ** 7n })),
    });
    fc.assert(
      fc.property(fc.oneof(charge, quotient), ({ dividend, divisor }) => {
        const rounded = halfEven({ dividend, divisor });
        const twiceOff = 2n * (rounded * divisor - dividend);
        assert.ok(twiceOff <= divisor && twiceOff >= -divisor);
        if (twiceOff !== 0n && twiceOff % divisor === 0n) assert.equal(rounded % 2n, 0n);
      }),
      { seed: 3, numRuns: 3000 },
    );
  });
});

describe('shown amounts', () => {
  const ROWS: [amount: bigint, decimals: number, places: number | undefined, text: string][] = [
    [0n, 9, undefined, '0.000000000'],
    [0n, 9, 2, '0.00'],
    [0n, 0, undefined, '0'],
    [1n, 9, undefined, '0.000000001'],
    [1_234_567_890n, 9, 4, '1.2346'],
    [1_234_550_000n, 9, 4, '1.2346'],
    [1_234_450_000n, 9, 4, '1.2344'],
    [1_234_450_001n, 9, 4, '1.2345'],
    [1_500_000_000n, 9, 0, '2'],
    [2_500_000_000n, 9, 0, '2'],
    [999_999_999n, 9, 2, '1.00'],
    [12n, 0, undefined, '12'],
    [-1n, 9, undefined, '-0.000000001'],
    [-1n, 9, 2, '0.00'],
    [-5_000_000n, 9, 2, '0.00'],
    [-5_000_001n, 9, 2, '-0.01'],
    [-1_234_567_890n, 9, 4, '-1.2346'],
    [10n ** 30n, 9, 2, '1000000000000000000000.00'],
    [123_456n, 6, 2, '0.12'],
  ];
  for (const [i, [amount, decimals, places, text]] of ROWS.entries()) {
    test(`7.${i + 1} ${amount} with ${decimals} decimals in ${places ?? 'all'} places is ${text}`, () => {
      assert.equal(formatMoney(amount, places === undefined ? { decimals } : { decimals, places }), text);
    });
  }

  const options = fc
    .nat({ max: 12 })
    .chain((decimals) => fc.record({ decimals: fc.constant(decimals), places: fc.nat({ max: decimals }) }));

  test('8 is the nearest number of that many places, the even one of two, and never minus zero', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), options, (amount, { decimals, places }) => {
        const text = formatMoney(amount, { decimals, places });
        assert.match(text, places === 0 ? /^-?\d+$/ : /^-?\d+\.\d+$/);
        assert.doesNotMatch(text, /^-0(?:\.0*)?$/);
        const shown = BigInt(text.replace('.', ''));
        const step = 10n ** BigInt(decimals - places);
        const twiceOff = 2n * (shown * step - amount);
        assert.ok(twiceOff <= step && twiceOff >= -step);
        if (step > 1n && (twiceOff === step || twiceOff === -step)) assert.equal(shown % 2n, 0n);
      }),
      { seed: 3, numRuns: 2000 },
    );
  });
});
