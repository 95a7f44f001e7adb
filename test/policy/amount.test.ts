import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Amount, isAmountFault, parseAmount } from '../../src/policy/amount.ts';
import { nearest } from '../../src/policy/nearest.ts';
import { parseCount, parseDuration, parsePercent, parseScaled, parseSize } from '../../src/policy/quantity.ts';

const SEED = 20260701;

function read(text: string): Amount {
  const amount = parseAmount(text, 'USD');
  assert.ok(!isAmountFault(amount), `${text}: ${JSON.stringify(amount)}`);
  return amount;
}

const CALENDAR = { hour: 3_600_000, day: 86_400_000, week: undefined, month: undefined, year: undefined } as const;

test('amounts are read to the unit', () => {
  const rows: readonly [text: string, amount: number, unit: string, window: string | undefined][] = [
    ['20 requests per second', 20, 'requests', 'second'],
    ['2M tokens per day', 2_000_000, 'tokens', 'day'],
    ['1.5k input_tokens per minute', 1500, 'input_tokens', 'minute'],
    ['100k output_tokens per hour', 100_000, 'output_tokens', 'hour'],
    ['60 runs per hour', 60, 'runs', 'hour'],
    ['500 USD per month', 500_000_000_000, 'charge', 'month'],
    ['500 USD charge per month', 500_000_000_000, 'charge', 'month'],
    ['10k USD cost per day', 10_000_000_000_000, 'cost', 'day'],
    ['5 USD', 5_000_000_000, 'charge', undefined],
    ['0.000000001 USD per 10s', 1, 'charge', '10s'],
    ['9.007M USD per year', 9_007_000_000_000_000, 'charge', 'year'],
    ['9007199254740991 tokens per 6h', 9007199254740991, 'tokens', '6h'],
  ];
  for (const [text, amount, unit, window] of rows) {
    const found = read(text);
    assert.deepEqual([found.amount, found.unit, found.window?.word], [amount, unit, window], text);
    assert.equal(found.inFlight, false);
  }
  assert.deepEqual(read('50 in flight'), { amount: 50, unit: 'requests', inFlight: true, window: undefined });
});

test('windows are fixed up to a minute and by N, calendar from the hour on', () => {
  for (const [word, bucketMs] of Object.entries(CALENDAR)) {
    assert.deepEqual(read(`1 requests per ${word}`).window, {
      word,
      period: { kind: 'calendar', unit: word },
      bucketMs,
    });
  }
  const rows: readonly [word: string, ms: number, bucketMs: number | undefined][] = [
    ['second', 1000, 1000],
    ['minute', 60_000, 60_000],
    ['10s', 10_000, 10_000],
    ['5m', 300_000, 300_000],
    ['24h', 86_400_000, 86_400_000],
    ['25h', 90_000_000, undefined],
  ];
  for (const [word, ms, bucketMs] of rows) {
    assert.deepEqual(read(`1 requests per ${word}`).window, { word, period: { kind: 'fixed', ms }, bucketMs });
  }
});

test('what is not an amount is refused', () => {
  const texts = [
    '',
    '5',
    '5 ',
    ' 5 USD',
    '5  USD',
    '5 usd',
    '5 EUR',
    '5 USD costs',
    '-5 USD',
    '+5 USD',
    '05 USD',
    '5. USD',
    '.5 USD',
    '1e3 USD',
    '1_000 USD',
    '0 USD',
    '0.0 USD',
    '0k requests per hour',
    '0.5 requests per hour',
    '1.5 tokens per day',
    '0.0000000001 USD',
    '9007200 USDD',
    '9007200 k USD',
    '9007199254740992 tokens per day',
    '9008k USD per month',
    '5 USD per',
    '5 USD per month per day',
    '5 USD per months',
    '5 USD per 0s',
    '5 USD per 1d',
    '5 USD per 8785h',
    '5 in flight per day',
    '5 flight',
    '5 K tokens',
    '5K tokens',
    '٥ tokens per day',
    '5 tokens per constructor',
    'Infinity USD',
    'NaN USD',
  ];
  for (const text of texts) assert.ok(isAmountFault(parseAmount(text, 'USD')), text);
});

test('a fault names what was nearly right', () => {
  const meant = (text: string) => {
    const fault = parseAmount(text, 'USD');
    return isAmountFault(fault) && fault.misspelt ? nearest(fault.misspelt.name, fault.misspelt.known) : undefined;
  };
  assert.equal(meant('5 token per day'), 'tokens');
  assert.equal(meant('5 reqests per day'), 'requests');
  assert.equal(meant('5 tokens per moth'), 'month');
  assert.equal(meant('5 USD csot per day'), 'cost');
  assert.equal(meant('5 in fligth'), 'in flight');
});

test('property: money survives from text to units and back, digit for digit', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: BigInt(Number.MAX_SAFE_INTEGER) }), (units) => {
      const digits = units.toString().padStart(10, '0');
      const text = `${digits.slice(0, -9)}.${digits.slice(-9)}`;
      assert.equal(read(`${text} USD per day`).amount, Number(units));
      const bare = text.replace(/\.?0+$/, '');
      assert.equal(read(`${bare} USD per day`).amount, Number(units));
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test('property: `k` and `M` are three and six places, for any decimals that fit', () => {
  fc.assert(
    fc.property(fc.nat({ max: 10 ** 6 }), fc.nat({ max: 999 }), (whole, thousandths) => {
      const text = `${whole}.${String(thousandths).padStart(3, '0')}`;
      const expected = BigInt(whole) * 1000n + BigInt(thousandths);
      assert.equal(parseScaled(`${text}k`, 0), expected);
      assert.equal(parseScaled(`${text}M`, 0), expected * 1000n);
      assert.equal(parseScaled(text, 2), thousandths % 10 === 0 ? expected / 10n : 'inexact');
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test('property: no text throws, and what is read is a safe amount above 0', () => {
  const word = fc.constantFrom(
    '5',
    '0',
    '1.5k',
    'USD',
    'EUR',
    'cost',
    'tokens',
    'in',
    'flight',
    'per',
    'day',
    '10s',
    '',
    '-',
    '9e9',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(word, { maxLength: 6 }).map((words) => words.join(' ')),
      ),
      (text) => {
        const amount = parseAmount(text, 'USD');
        if (isAmountFault(amount)) return amount.expected !== undefined && amount.found !== undefined;
        return Number.isSafeInteger(amount.amount) && amount.amount > 0;
      },
    ),
    { seed: SEED, numRuns: 2000 },
  );
});

test('other numbers of the grammar', () => {
  assert.deepEqual(['400', '128k', '1.5M', '0', '1.5', '9007199254740992', 'k', '1 k'].map(parseCount), [
    400,
    128_000,
    1_500_000,
    0,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(['12%', '12.5%', '0.0001%', '100%', '100.1%', '12', '-1%', '0.00001%'].map(parsePercent), [
    120_000,
    125_000,
    1,
    1_000_000,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(['5ms', '30s', '15m', '1h', '90d', '0s', '1.5h', '5', '1w'].map(parseDuration), [
    5,
    30_000,
    900_000,
    3_600_000,
    7_776_000_000,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(['1B', '64KiB', '4MiB', '4MB', '4 MiB', '0MiB'].map(parseSize), [
    1,
    65_536,
    4_194_304,
    undefined,
    undefined,
    undefined,
  ]);
});
