/** What all benches share: how a figure is measured, shown and kept. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { Bench } from 'tinybench';

/** One measured thing with its spread. Times in microseconds, or what `unit` says. */
export interface Figure {
  readonly name: string;
  readonly unit: 'µs' | 'ms' | '/s' | '%';
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  /** Half of the 95 % confidence interval of the mean, in percent of it; undefined: not sampled. */
  readonly rme: number | undefined;
  readonly samples: number;
  /** The promise of design/README.md section 10 that it is held against, in words. */
  readonly bar?: string | undefined;
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
  readonly bar?: string;
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
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { ...about, min: at(0), p50: at(0.5), p99: at(0.99), rme: undefined, samples: sorted.length };
}

/** Figures as a Markdown table, as bench/README.md shows them. */
export function tableOf(figures: readonly Figure[]): string {
  const head = ['measured', 'min', 'p50', 'p99', 'unit', '± %', 'samples', 'bar'];
  const rows = figures.map(({ name, min, p50, p99, unit, rme, samples, bar }) => [
    name,
    short(min),
    short(p50),
    short(p99),
    unit,
    rme === undefined ? '' : short(rme),
    String(samples),
    bar ?? '',
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 || column === 7 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 || column === 7 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** Prints the table; with `json` also writes the figures to that file, with the Node version and size of the machine. */
export async function report(
  figures: readonly Figure[],
  options: { readonly json?: string | undefined } = {},
): Promise<void> {
  process.stdout.write(`${tableOf(figures)}\n`);
  if (options.json === undefined) return;
  const machine = {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
  await writeFile(
    options.json,
    `${JSON.stringify({ at: new Date().toISOString(), machine, figures }, undefined, 2)}\n`,
  );
}

function short(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
