/** What all benches share: how a figure is measured, shown, held against its promise and kept. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { Bench } from 'tinybench';

/** A promise of design/README.md section 10, in the figure's unit. It is the median that keeps or misses it. */
export type Bar = { readonly most: number } | { readonly least: number };

/** One measured thing with its spread. */
export interface Figure {
  readonly name: string;
  readonly unit: 'µs' | 'ms' | '/s' | '%' | 'MB';
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  /** Half of the 95 % confidence interval of the mean, in percent of it; undefined: not sampled. */
  readonly rme: number | undefined;
  readonly samples: number;
  readonly bar?: Bar | undefined;
}

/** How long a bench may look. */
export interface BenchOptions {
  /** Short samples, few rounds: whether it works, not how fast it is. */
  readonly quick: boolean;
}

export interface MeasureOptions {
  /** Calls of one sample, which is their mean; enough that a sample lasts well over the clock's resolution. Default 1. */
  readonly batch?: number;
  /** Runs after every sample, untimed. */
  readonly after?: () => void;
  /** Least time to sample for, ms. Default 1000. */
  readonly timeMs?: number;
  /** Default `µs`. */
  readonly unit?: 'µs' | 'ms';
  readonly bar?: Bar | undefined;
}

/** Calls `run` until its figure settles; a run that throws, throws here. */
export async function measure(name: string, run: () => unknown, options: MeasureOptions = {}): Promise<Figure> {
  const { batch = 1, after, timeMs = 1000, unit = 'µs', bar } = options;
  const bench = new Bench({ time: timeMs, warmupTime: Math.min(timeMs, 500), throws: true });
  bench.add(name, () => {
    const startMs = bench.now();
    for (let i = 0; i < batch; i++) run();
    const tookMs = bench.now() - startMs;
    after?.();
    return { overriddenDuration: tookMs / batch, overriddenIterationCost: tookMs };
  });
  const [task] = bench.runSync();
  const result = task?.result;
  if (result === undefined || !('latency' in result)) throw new Error(`bench \`${name}\` gave no figures`);
  const { min, p50, p99, rme, samplesCount } = result.latency;
  const scale = unit === 'µs' ? 1000 : 1;
  return { name, unit, min: min * scale, p50: p50 * scale, p99: p99 * scale, rme, samples: samplesCount, bar };
}

/** A figure of samples that were taken elsewhere, in `unit`; at least one. */
export function figureOf(samples: readonly number[], about: Pick<Figure, 'name' | 'unit' | 'bar'>): Figure {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    ...about,
    min: sorted[0] ?? 0,
    p50: percentile(sorted, 50),
    p99: percentile(sorted, 99),
    rme: undefined,
    samples: sorted.length,
  };
}

/** Nearest rank; 0 of nothing. `sorted` ascending. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0;
}

/** Whether the figure keeps its promise; undefined: it has none. */
export function keepsBar({ bar, p50 }: Figure): boolean | undefined {
  if (bar === undefined) return undefined;
  return 'most' in bar ? p50 <= bar.most : p50 >= bar.least;
}

function barText(figure: Figure): string {
  const { bar, unit } = figure;
  if (bar === undefined) return '';
  const text = 'most' in bar ? `≤ ${bar.most} ${unit}` : `≥ ${bar.least} ${unit}`;
  return `${text}: ${keepsBar(figure) ? 'kept' : 'MISSED'}`;
}

const HEAD = ['measured', 'min', 'p50', 'p99', 'unit', '± %', 'samples', 'bar'];
/** Columns of words; the others are numbers and stand to the right. */
const LEFT: ReadonlySet<number> = new Set([0, 7]);

/** Figures as a Markdown table, as bench/README.md shows them. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    short(figure.min),
    short(figure.p50),
    short(figure.p99),
    figure.unit,
    figure.rme === undefined ? '' : short(figure.rme),
    String(figure.samples),
    barText(figure),
  ]);
  const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (LEFT.has(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (LEFT.has(column) ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(HEAD), rule, ...rows.map(line)].join('\n');
}

/** What it was measured on, in general terms. */
export function machine(): Readonly<Record<string, string | number>> {
  return {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

/** Prints the table; with `json` also writes the figures to that file, with date and machine. */
export async function report(
  figures: readonly Figure[],
  options: { readonly json?: string | undefined } = {},
): Promise<void> {
  process.stdout.write(`${tableOf(figures)}\n`);
  if (options.json === undefined) return;
  const judged = figures.map((figure) => ({ ...figure, kept: keepsBar(figure) }));
  const text = JSON.stringify({ at: new Date().toISOString(), machine: machine(), figures: judged }, undefined, 2);
  await writeFile(options.json, `${text}\n`);
}

function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}
