import assert from 'node:assert/strict';
import { test } from 'node:test';
import { estimateTokens } from '../../src/decision/estimate.ts';
import type { BodyFacts } from '../../src/dialects/dialect.ts';
import type { Model } from '../../src/policy/policy.ts';

const MODEL: Model = {
  name: 'm',
  provider: 'p',
  labels: {},
  outputMax: 1000,
  outputAssumed: 100,
  dialects: new Set(),
};
const FACTS: BodyFacts = {
  model: 'm',
  modelSpan: { offset: 9, length: 3 },
  stream: false,
  outputCap: undefined,
  choices: 1,
  caching: false,
  inputTokens: 7,
  reportsUsage: true,
  usageEdit: undefined,
  bodyBytes: 30,
};

/** Caps, choices → output, and output where a limit says `estimate: assumed`. */
const ROWS: readonly [n: number, cap: number | undefined, choices: number, full: number, assumed: number][] = [
  [1, undefined, 1, 1000, 100],
  [2, undefined, 3, 3000, 300],
  [3, 50, 1, 50, 50],
  [4, 50, 3, 150, 150],
  // A cap above what the model can is what the model can; assumed or not.
  [5, 5000, 1, 1000, 1000],
  [6, 1000, 2, 2000, 2000],
  [7, 500, 1, 500, 500],
  [8, 0, 4, 0, 0],
  // The largest that a body may say.
  [9, 10_000_000, 10_000_000, 10_000_000_000, 10_000_000_000],
];

for (const [n, outputCap, choices, outputTokens, outputAssumed] of ROWS) {
  test(`estimate ${n}: cap ${outputCap}, ${choices} choices`, () => {
    assert.deepEqual(estimateTokens({ ...FACTS, outputCap, choices }, MODEL), {
      inputTokens: 7,
      outputTokens,
      outputAssumed,
    });
  });
}

test('estimates stay exact for the largest body and model', () => {
  const { outputTokens } = estimateTokens({ ...FACTS, choices: 10_000_000 }, { ...MODEL, outputMax: 128_000 });
  assert.equal(outputTokens, 1_280_000_000_000);
});
