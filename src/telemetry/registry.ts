/**
 * Counters and histograms of our own, read by OpenTelemetry's serializers. A measurement is a few look-ups and an addition:
 * the SDK's instruments cost a microsecond each, a tenth of a whole decision.
 */
import type { MetricSpec } from './names.ts';

/** Time series of one process, counted as Prometheus does: a histogram has one for each bucket, and its sum and count. */
export const SERIES_MAX = 5000;

/** A running total. */
export class Counter {
  value = 0;

  /** `by` ≥ 0. */
  add(by: number): void {
    this.value += by;
  }
}

/** Counts by bucket, the last one for all above the highest bound. */
export class Histogram {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** A value equal to a bound belongs below it. */
  record(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
    this.count++;
  }
}

/** Series that are left for all metrics together. */
export class SeriesBudget {
  #left: number;
  readonly #max: number;

  constructor(max = SERIES_MAX) {
    this.#max = max;
    this.#left = max;
  }

  get used(): number {
    return this.#max - this.#left;
  }

  take(series: number): boolean {
    if (series > this.#left) return false;
    this.#left -= series;
    return true;
  }

  giveBack(series: number): void {
    this.#left += series;
  }
}

/** A set of labels, in the order of the metric's, and what was measured under it. */
export interface Point<C> {
  readonly labels: readonly string[];
  readonly cell: C;
}

interface Node<C> {
  readonly next: Map<string, Node<C>>;
  cell: C | undefined;
}

/** Answers the label that stands for `value` of the metric's label at `index`: `value`, or one of a closed set. */
export type Vocabulary = (spec: MetricSpec, index: number, value: string) => string;

/** All series of one metric. Bounded by its `pointsMax` and by the budget; beyond them one cell takes all. */
export class Family<C extends Counter | Histogram> {
  readonly spec: MetricSpec;
  readonly overflow: C;
  /** Measurements that the overflow took. */
  overflowed = 0;
  readonly #make: () => C;
  readonly #series: number;
  readonly #budget: SeriesBudget;
  readonly #vocabulary: Vocabulary;
  readonly #points = new Set<Point<C>>();
  #root: Node<C> = newNode();

  constructor(
    spec: MetricSpec,
    { make, budget, vocabulary }: { make: () => C; budget: SeriesBudget; vocabulary: Vocabulary },
  ) {
    this.spec = spec;
    this.#make = make;
    this.#budget = budget;
    this.#vocabulary = vocabulary;
    this.#series = seriesOf(spec);
    this.overflow = make();
    // Its room is kept, so that all together never are too many.
    if (spec.labels.length > 0) budget.take(this.#series);
  }

  get points(): Iterable<Point<C>> {
    return this.#points;
  }

  get size(): number {
    return this.#points.size;
  }

  /** The cell of these labels; where there is no room for another one, the overflow. */
  at(...labels: readonly string[]): C {
    let node: Node<C> | undefined = this.#root;
    for (let i = 0; i < labels.length && node !== undefined; i++) node = node.next.get(labels[i]!);
    return node?.cell ?? this.#open(labels);
  }

  /** Forgets the points whose labels `keep` does not want, so that there is room for others. */
  retain(keep: (labels: readonly string[]) => boolean): void {
    const kept = [...this.#points].filter(({ labels }) => keep(labels));
    this.#budget.giveBack((this.#points.size - kept.length) * this.#series);
    this.#points.clear();
    this.#root = newNode();
    for (const point of kept) this.#put(point);
  }

  #open(said: readonly string[]): C {
    const labels = said.map((value, index) => this.#vocabulary(this.spec, index, value));
    const known = this.#find(labels);
    if (known !== undefined) return known;
    if (this.#points.size >= this.spec.pointsMax || !this.#budget.take(this.#series)) {
      this.overflowed++;
      return this.overflow;
    }
    const cell = this.#make();
    this.#put({ labels, cell });
    return cell;
  }

  #find(labels: readonly string[]): C | undefined {
    let node: Node<C> | undefined = this.#root;
    for (const label of labels) node = node?.next.get(label);
    return node?.cell;
  }

  #put(point: Point<C>): void {
    let node = this.#root;
    for (const label of point.labels) {
      const next = node.next.get(label) ?? newNode<C>();
      node.next.set(label, next);
      node = next;
    }
    node.cell = point.cell;
    this.#points.add(point);
  }
}

function newNode<C>(): Node<C> {
  return { next: new Map(), cell: undefined };
}

/** Series of one point. */
export function seriesOf({ kind, bounds = [] }: MetricSpec): number {
  return kind === 'histogram' ? bounds.length + 3 : 1;
}
