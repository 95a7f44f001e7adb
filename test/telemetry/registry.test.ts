import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { METRICS, type MetricSpec } from '../../src/telemetry/names.ts';
import { Counter, Family, Histogram, SERIES_MAX, SeriesBudget, seriesOf } from '../../src/telemetry/registry.ts';

const SPEC: MetricSpec = {
  name: 'a',
  kind: 'counter',
  unit: '{x}',
  labels: ['tollgate.route', 'tollgate.reason'],
  pointsMax: 3,
};

function family(options: { max?: number; said?: (value: string) => string } = {}) {
  const budget = new SeriesBudget(options.max ?? 100);
  const vocabulary = (_spec: MetricSpec, _index: number, value: string) => options.said?.(value) ?? value;
  return { budget, counters: new Family(SPEC, { make: () => new Counter(), budget, vocabulary }) };
}

describe('series of a metric', () => {
  test('1 the same labels are the same cell, in their order', () => {
    const { counters } = family();
    counters.at('a', 'b').add(2);
    counters.at('a', 'b').add(3);
    counters.at('b', 'a').add(1);
    const points = [...counters.points].map(({ labels, cell }) => [labels, cell.value]);
    assert.deepEqual(points, [
      [['a', 'b'], 5],
      [['b', 'a'], 1],
    ]);
  });

  test('2 beyond its own bound all goes to one cell, and what was known goes on', () => {
    const { counters, budget } = family();
    for (let i = 0; i < 10; i++) counters.at('a', `${i}`).add(1);
    counters.at('a', '0').add(1);
    assert.deepEqual([counters.size, counters.overflow.value, counters.overflowed, budget.used], [3, 7, 7, 4]);
    assert.equal(counters.at('a', '0').value, 2);
  });

  test('3 the bound of all metrics holds too, the room of the overflow included', () => {
    const { counters, budget } = family({ max: 2 });
    for (let i = 0; i < 3; i++) counters.at('a', `${i}`).add(1);
    assert.deepEqual([counters.size, counters.overflow.value, budget.used], [1, 2, 2]);
  });

  test('4 words that are not known are one word, however many there are', () => {
    const { counters } = family({ said: (value) => (value === 'chat' ? value : 'other') });
    for (let i = 0; i < 1000; i++) counters.at(`made-up-${i}`, 'chat').add(1);
    assert.deepEqual(
      [...counters.points].map(({ labels, cell }) => [labels, cell.value]),
      [[['other', 'chat'], 1000]],
    );
  });

  test('5 what is no longer kept gives its room back', () => {
    const { counters, budget } = family();
    for (const route of ['a', 'b', 'c']) counters.at(route, 'x').add(1);
    counters.retain(([route]) => route !== 'b');
    assert.deepEqual([counters.size, budget.used], [2, 3]);
    counters.at('d', 'x').add(1);
    assert.deepEqual([counters.size, counters.overflowed, counters.at('a', 'x').value], [3, 0, 1]);
  });

  test('6 a bucket holds what is at most its bound', () => {
    const histogram = new Histogram([1, 2, 4]);
    for (const value of [0, 1, 1.5, 2, 3, 4, 5]) histogram.record(value);
    assert.deepEqual([[...histogram.counts], histogram.sum, histogram.count], [[2, 2, 2, 1], 16.5, 7]);
  });

  test('7 bounds ascend, and a histogram’s room is its buckets, sum and count', () => {
    for (const { name, kind, bounds = [] } of Object.values<MetricSpec>(METRICS)) {
      assert.equal(kind === 'histogram', bounds.length > 0, name);
      assert.deepEqual(
        bounds,
        bounds.toSorted((a, b) => a - b),
        name,
      );
    }
    assert.equal(seriesOf(METRICS.decisionDuration), (METRICS.decisionDuration.bounds?.length ?? 0) + 3);
    assert.equal(SERIES_MAX, 5000);
  });
});
