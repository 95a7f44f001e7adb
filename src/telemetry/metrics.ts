/** All metrics of the process: what is counted as it happens, and what is asked when somebody reads. */
import { type HrTime, ValueType } from '@opentelemetry/api';
import { AggregationTemporality, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics';
import { METRIC_HELP } from './metric-help.ts';
import { ATTRIBUTE, METRICS, type MetricKey, type MetricSpec } from './names.ts';
import { Counter, Family, Histogram, type Point, SeriesBudget, type Vocabulary } from './registry.ts';

/** Points of a metric that is asked when somebody reads: labels in the order of the metric's, and a value. */
export type Reading = Iterable<readonly [labels: readonly string[], value: number]>;

interface Observed {
  readonly key: MetricKey;
  read(): Reading;
}

type Attributes = Record<string, string | boolean>;

export interface MetricsOptions {
  /** Start of all counts, epoch ms. */
  readonly startMs: number;
  readonly vocabulary: Vocabulary;
  readonly seriesMax?: number;
}

/** The instruments by their key in METRICS, and one way to read them all. */
export class Metrics {
  readonly #start: HrTime;
  readonly #vocabulary: Vocabulary;
  readonly #budget: SeriesBudget;
  readonly #families: { readonly key: MetricKey; readonly family: Family<Counter | Histogram> }[] = [];
  readonly #observed: Observed[] = [];
  readonly #attributes = new WeakMap<Point<Counter | Histogram>, Attributes>();
  /** Readings that threw. */
  faults = 0;

  constructor({ startMs, vocabulary, seriesMax }: MetricsOptions) {
    this.#start = hrTimeOf(startMs);
    this.#vocabulary = vocabulary;
    this.#budget = new SeriesBudget(seriesMax);
  }

  counter(key: MetricKey): Family<Counter> {
    const family = new Family(METRICS[key], {
      make: () => new Counter(),
      budget: this.#budget,
      vocabulary: this.#vocabulary,
    });
    this.#families.push({ key, family });
    return family;
  }

  histogram(key: MetricKey): Family<Histogram> {
    const spec: MetricSpec = METRICS[key];
    const make = () => new Histogram(spec.bounds ?? []);
    const family = new Family(spec, { make, budget: this.#budget, vocabulary: this.#vocabulary });
    this.#families.push({ key, family });
    return family;
  }

  /** A gauge, or a counter that somebody else counts. `read` may throw; points beyond `pointsMax` are left out. */
  observe(key: MetricKey, read: () => Reading): void {
    const spec = METRICS[key];
    this.#budget.take(spec.pointsMax);
    this.#observed.push({ key, read });
  }

  /** Series in use or kept free for one metric. */
  get series(): number {
    return this.#budget.used;
  }

  get overflows(): number {
    return this.#families.reduce((sum, { family }) => sum + family.overflowed, 0);
  }

  /** One metric after the other, so that a reader can let others run between them. Metrics without a point are left out. */
  *read(nowMs: number): Generator<MetricData> {
    const end = hrTimeOf(nowMs);
    for (const { key, family } of this.#families) {
      const data = this.#ofFamily(family, key, end);
      if (data.dataPoints.length > 0) yield data;
    }
    for (const observed of this.#observed) {
      const data = this.#ofObserved(observed, end);
      if (data.dataPoints.length > 0) yield data;
    }
  }

  #ofFamily(family: Family<Counter | Histogram>, key: MetricKey, endTime: HrTime): MetricData {
    const points: { attributes: Attributes; cell: Counter | Histogram }[] = [];
    for (const point of family.points)
      points.push({ attributes: this.#attributesOf(family.spec, point), cell: point.cell });
    if (family.overflowed > 0) points.push({ attributes: { [ATTRIBUTE.overflow]: true }, cell: family.overflow });
    const startTime = this.#start;
    const common = { descriptor: descriptorOf(key), aggregationTemporality: AggregationTemporality.CUMULATIVE };
    if (family.spec.kind === 'histogram') {
      const dataPoints = points.map(({ attributes, cell }) => ({
        startTime,
        endTime,
        attributes,
        value: histogramOf(cell as Histogram),
      }));
      return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints };
    }
    const dataPoints = points.map(({ attributes, cell }) => ({
      startTime,
      endTime,
      attributes,
      value: (cell as Counter).value,
    }));
    return { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
  }

  #ofObserved({ key, read }: Observed, endTime: HrTime): MetricData {
    const spec = METRICS[key];
    const startTime = this.#start;
    const dataPoints: { startTime: HrTime; endTime: HrTime; attributes: Attributes; value: number }[] = [];
    try {
      for (const [labels, value] of read()) {
        if (dataPoints.length === spec.pointsMax) break;
        dataPoints.push({ startTime, endTime, attributes: attributesOf(spec, labels), value });
      }
    } catch {
      // What cannot be measured is missing, never the rest.
      this.faults++;
    }
    const common = { descriptor: descriptorOf(key), aggregationTemporality: AggregationTemporality.CUMULATIVE };
    if (spec.kind === 'counter') return { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
    return { ...common, dataPointType: DataPointType.GAUGE, dataPoints };
  }

  #attributesOf(spec: MetricSpec, point: Point<Counter | Histogram>): Attributes {
    const known = this.#attributes.get(point);
    if (known !== undefined) return known;
    const made = attributesOf(spec, point.labels);
    this.#attributes.set(point, made);
    return made;
  }
}

function attributesOf({ labels: names }: MetricSpec, labels: readonly string[]): Attributes {
  return Object.fromEntries(names.map((name, index) => [name, labels[index] ?? '']));
}

function descriptorOf(key: MetricKey) {
  const { name, unit } = METRICS[key];
  return { name, description: METRIC_HELP[key], unit, valueType: ValueType.DOUBLE };
}

function histogramOf({ bounds, counts, sum, count }: Histogram) {
  return { buckets: { boundaries: [...bounds], counts: [...counts] }, sum, count };
}

/** Seconds and nanoseconds. */
export function hrTimeOf(ms: number): HrTime {
  const seconds = Math.trunc(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
