import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_QUANTITIES, type Quantities } from '../../src/core/units.ts';
import type { Hold } from '../../src/ledger/hold.ts';
import { priceEstimate, priceUsage } from '../../src/metering/usage.ts';
import { holdOf, MODELS, TABLES } from './fixtures.ts';

interface Row {
  readonly what: string;
  readonly used: Partial<Quantities>;
  readonly answered?: string;
  readonly hold?: Partial<Hold>;
  readonly billed?: boolean;
  readonly lost?: boolean;
  /** meter, quantity, charge, cost */
  readonly lines: readonly (readonly [string, number, number, number])[];
  readonly priced?: string | undefined;
  readonly flags?: readonly string[];
}

// gpt-5: input 2, cache read 1, output 10; above 1000 tokens of input twice that. Mini: 1, 1, 3. Costs are half (reads: as input).
const ROWS: readonly Row[] = [
  {
    what: 'the decided model, where the answer names none',
    used: { input: 90, output: 20 },
    lines: [
      ['input', 90, 180, 90],
      ['output', 20, 200, 100],
    ],
  },
  {
    what: 'the decided model by the name it answers with',
    used: { input: 90 },
    answered: 'gpt-5-2026-08-07',
    lines: [['input', 90, 180, 90]],
  },
  {
    what: 'caches',
    used: { input: 30, cache_read: 60 },
    lines: [
      ['input', 30, 60, 30],
      ['cache_read', 60, 60, 60],
    ],
  },
  {
    what: 'reasoning inside output',
    used: { output: 20, reasoning: 5 },
    lines: [
      ['output', 20, 200, 100],
      ['reasoning', 5, 0, 0],
    ],
  },
  {
    what: 'the band of all input, for all tokens',
    used: { input: 1, cache_read: 1000, output: 1 },
    lines: [
      ['input', 1, 4, 1],
      ['cache_read', 1000, 2000, 1000],
      ['output', 1, 20, 5],
    ],
  },
  { what: 'nothing used', used: {}, lines: [] },
  {
    what: 'not billed: the cost stays',
    used: { input: 90, output: 20 },
    billed: false,
    lines: [
      ['input', 90, 0, 90],
      ['output', 20, 0, 100],
    ],
  },
  {
    what: 'another model that has a price',
    used: { input: 90, output: 20 },
    answered: 'gpt-5-mini',
    lines: [
      ['input', 90, 90, 45],
      ['output', 20, 60, 30],
    ],
    priced: 'gpt-5-mini',
    flags: ['model_mismatch'],
  },
  {
    what: 'a dearer model than decided',
    used: { input: 90 },
    answered: 'gpt-5',
    hold: { model: 'gpt-5-mini' },
    lines: [['input', 90, 180, 90]],
    priced: 'gpt-5',
    flags: ['model_mismatch'],
  },
  {
    what: 'an answered model without a price',
    used: { input: 90 },
    answered: 'gpt-5-free',
    lines: [['input', 90, 180, 90]],
    flags: ['model_mismatch', 'unpriced_model'],
  },
  {
    what: 'an unknown answered model',
    used: { input: 90 },
    answered: 'gpt-6',
    lines: [['input', 90, 180, 90]],
    flags: ['unknown_model'],
  },
  {
    what: 'the name of a built-in',
    used: { input: 90 },
    answered: '__proto__',
    lines: [['input', 90, 180, 90]],
    flags: ['unknown_model'],
  },
  // What has no price at all is charged as it was estimated: 2202 and 1102 over 110 tokens.
  {
    what: 'lost tables',
    used: { input: 90, output: 20 },
    lost: true,
    lines: [
      ['input', 90, 1801, 901],
      ['output', 20, 401, 201],
    ],
    flags: ['price_missing', 'cost_missing'],
  },
  {
    what: 'a decided model without a price',
    used: { input: 90 },
    hold: { model: 'gpt-5-free' },
    lines: [['input', 90, 2202, 1102]],
    priced: 'gpt-5-free',
    flags: ['price_missing', 'cost_missing'],
  },
  {
    what: 'no price list: nothing was sold',
    used: { input: 90 },
    hold: {
      priceList: undefined,
      estimate: { inputTokens: 100, outputTokens: 200, charge: 0, cost: 1102, outputMax: 200 },
    },
    lines: [['input', 90, 0, 90]],
    flags: ['price_missing'],
  },
  {
    what: 'a provider whose costs are not known',
    used: { input: 90 },
    hold: { provider: 'other' },
    lines: [['input', 90, 180, 1102]],
    flags: ['cost_missing'],
  },
  { what: 'a route without models', used: {}, hold: { model: undefined }, lines: [], priced: undefined },
];

ROWS.forEach((row, index) => {
  test(`price ${index + 1}: ${row.what}`, () => {
    const hold = holdOf(row.hold);
    const priced = priceUsage(
      { quantities: { ...NO_QUANTITIES, ...row.used }, answeredModel: row.answered, billed: row.billed ?? true },
      hold,
      { tables: row.lost ? undefined : TABLES, models: MODELS },
    );
    assert.deepEqual(
      priced.lines.map((line) => [line.meter, line.quantity, Number(line.charge), Number(line.cost)]),
      row.lines,
    );
    assert.equal(priced.pricedModel, 'priced' in row ? row.priced : 'gpt-5');
    assert.deepEqual(priced.flags, row.flags ?? []);
  });
});

const ESTIMATES: readonly Omit<Row, 'used'>[] = [
  // 100 in at 2 and 1; the rest, with what was rounded up, is output.
  {
    what: 'by prices',
    lines: [
      ['input', 100, 200, 100],
      ['output', 200, 2002, 1002],
    ],
  },
  {
    what: 'not billed',
    hold: { billEstimated: false },
    lines: [
      ['input', 100, 0, 100],
      ['output', 200, 0, 1002],
    ],
  },
  {
    what: 'without tables, by tokens',
    lost: true,
    lines: [
      ['input', 100, 734, 367],
      ['output', 200, 1468, 735],
    ],
  },
  {
    what: 'input alone',
    hold: { estimate: { inputTokens: 100, outputTokens: 0, charge: 201, cost: 101, outputMax: 0 } },
    lines: [['input', 100, 201, 101]],
  },
  {
    what: 'less money than its input costs',
    hold: { estimate: { inputTokens: 100, outputTokens: 200, charge: 7, cost: 0, outputMax: 200 } },
    lines: [
      ['input', 100, 7, 0],
      ['output', 200, 0, 0],
    ],
  },
  { what: 'a route without models', hold: { model: undefined }, lines: [] },
];

ESTIMATES.forEach((row, index) => {
  test(`estimate ${index + 1}: ${row.what}`, () => {
    const { lines } = priceEstimate(holdOf(row.hold), row.lost ? undefined : TABLES);
    assert.deepEqual(
      lines.map((line) => [line.meter, line.quantity, Number(line.charge), Number(line.cost)]),
      row.lines,
    );
  });
});
