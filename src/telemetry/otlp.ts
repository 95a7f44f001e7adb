/** The three signals on their way to a collector. Nothing here is waited for but `close`, which is bounded. */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import {
  type ISerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import type { Resource } from '@opentelemetry/resources';
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { Clock } from '../core/clock.ts';
import { Collector, type CollectorOptions } from './collector.ts';
import { ExportQueue } from './export-queue.ts';
import type { Metrics, Reading } from './metrics.ts';
import { SCHEMA_URL, SERVICE, SIGNALS, type Signal } from './names.ts';

/** A span that has ended, and a log record, as OpenTelemetry's serializers take them. */
export type ReadableSpan = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number];
export type ReadableLogRecord = Parameters<typeof ProtobufLogsSerializer.serializeRequest>[0][number];

/** Data points in one post of metrics, in round numbers: some milliseconds of serializing. */
const POINTS_MAX = 500;

export interface OtlpOptions extends CollectorOptions {
  readonly resource: Resource;
  readonly version: string;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** How often metrics are sent, ms. */
  readonly everyMs: number;
  /** Told of each export that failed; to be logged now and then. */
  onFailure(signal: Signal, why: string): void;
}

export class Otlp {
  readonly #options: OtlpOptions;
  readonly #collector: Collector;
  readonly #spans: ExportQueue<ReadableSpan>;
  readonly #logs: ExportQueue<ReadableLogRecord>;
  readonly #exports = { sent: 0, full: 0, failed: 0, rejected: 0 };
  #timer: NodeJS.Timeout | undefined;
  #exporting: Promise<void> | undefined;

  constructor(options: OtlpOptions) {
    this.#options = options;
    this.#collector = new Collector(options);
    this.#spans = new ExportQueue({
      send: async (spans) => {
        const answer = await this.#send('traces', ProtobufTraceSerializer, spans as ReadableSpan[]);
        return answer.partialSuccess?.rejectedSpans ?? 0;
      },
      failed: (error) => this.#failed('traces', error),
    });
    this.#logs = new ExportQueue({
      send: async (records) => {
        const answer = await this.#send('logs', ProtobufLogsSerializer, records as ReadableLogRecord[]);
        return answer.partialSuccess?.rejectedLogRecords ?? 0;
      },
      failed: (error) => this.#failed('logs', error),
    });
  }

  /** Begins to send metrics. */
  start(): void {
    this.#timer ??= setInterval(() => this.#exportMetrics(), this.#options.everyMs);
    this.#timer.unref();
  }

  span(span: ReadableSpan): void {
    this.#spans.offer(span);
  }

  log(record: ReadableLogRecord): void {
    this.#logs.offer(record);
  }

  /** What became of spans, records and exports of metrics, by signal and outcome. */
  *itemPoints(): Reading {
    const counts = { traces: this.#spans.counts(), metrics: this.#exports, logs: this.#logs.counts() };
    for (const signal of SIGNALS) {
      for (const [outcome, count] of Object.entries(counts[signal])) yield [[signal, outcome], count];
    }
  }

  /** What waits, by signal. */
  *queuePoints(): Reading {
    yield [['traces'], this.#spans.size];
    yield [['logs'], this.#logs.size];
  }

  /** Sends what is left, and all metrics once more, for at most `withinMs`; gives up the rest. Never rejects. */
  async close(withinMs: number): Promise<void> {
    clearInterval(this.#timer);
    const ending = new AbortController();
    const last = Promise.all([this.#spans.close(), this.#logs.close(), this.#lastMetrics()]);
    const late = sleep(withinMs, undefined, { signal: ending.signal }).catch(() => {});
    await Promise.race([last, late]);
    ending.abort();
    this.#spans.drop();
    this.#logs.drop();
    this.#collector.abort();
  }

  async #lastMetrics(): Promise<void> {
    await this.#exporting;
    this.#exportMetrics();
    await this.#exporting;
  }

  /** One at a time: where the last one still waits, this one is left out. Sums lose nothing by it. */
  #exportMetrics(): void {
    if (this.#exporting !== undefined) {
      this.#exports.full++;
      return;
    }
    this.#exporting = this.#sendMetrics()
      .then(
        () => {
          this.#exports.sent++;
        },
        (error: unknown) => {
          this.#exports.failed++;
          this.#failed('metrics', error);
        },
      )
      .finally(() => {
        this.#exporting = undefined;
      });
  }

  async #sendMetrics(): Promise<void> {
    const { metrics, clock } = this.#options;
    let batch: MetricData[] = [];
    let points = 0;
    for (const metric of metrics.read(clock.nowMs())) {
      batch.push(metric);
      points += metric.dataPoints.length;
      if (points < POINTS_MAX) continue;
      await this.#postMetrics(batch);
      batch = [];
      points = 0;
      await setImmediate();
    }
    if (batch.length > 0) await this.#postMetrics(batch);
  }

  async #postMetrics(metrics: MetricData[]): Promise<void> {
    const { resource, version } = this.#options;
    const scope = { name: SERVICE, version, schemaUrl: SCHEMA_URL };
    const all: ResourceMetrics = { resource, scopeMetrics: [{ scope, metrics }] };
    const answer = await this.#send('metrics', ProtobufMetricsSerializer, all);
    this.#exports.rejected += answer.partialSuccess?.rejectedDataPoints ?? 0;
  }

  async #send<Request, Answer>(
    signal: Signal,
    serializer: ISerializer<Request, Answer>,
    request: Request,
  ): Promise<Answer> {
    const body = serializer.serializeRequest(request);
    const answer = await this.#collector.post(signal, Uint8Array.from(body ?? []));
    try {
      return serializer.deserializeResponse(answer);
    } catch {
      // It took what was sent, whatever it says.
      return serializer.deserializeResponse(new Uint8Array(0));
    }
  }

  #failed(signal: Signal, error: unknown): void {
    this.#options.onFailure(signal, error instanceof Error ? error.message : 'unknown fault');
  }
}
