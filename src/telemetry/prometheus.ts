/** Prometheus' text format 0.0.4, by OpenTelemetry's serializer. */
import { setImmediate } from 'node:timers/promises';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import type { Resource } from '@opentelemetry/resources';
import type { MetricData } from '@opentelemetry/sdk-metrics';
import type { Metrics } from './metrics.ts';
import { METRICS, type MetricSpec, prometheusName, SERVICE } from './names.ts';

const SPECS: ReadonlyMap<string, MetricSpec> = new Map(Object.values(METRICS).map((spec) => [spec.name, spec]));

/**
 * The text of all metrics at `nowMs`. One metric after the other, each in a turn of its own: all 5000 series in one piece
 * would hold decisions up.
 */
export async function prometheusText(
  metrics: Metrics,
  { resource, nowMs }: { resource: Resource; nowMs: number },
): Promise<string> {
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const parts: string[] = [];
  for (const metric of metrics.read(nowMs)) {
    parts.push(
      serializer.serialize({ resource, scopeMetrics: [{ scope: { name: SERVICE }, metrics: [named(metric)] }] }),
    );
    await setImmediate();
  }
  const about = new PrometheusSerializer(undefined, false, undefined, false, true);
  return `${about.serialize({ resource, scopeMetrics: [] }).replace(NO_METRICS, '')}${parts.join('')}`;
}

/** What the serializer writes of a list without metrics. */
const NO_METRICS = '# no registered metrics';

/** With the unit in the name, where Prometheus has it; `_total` is added by the serializer. */
function named(metric: MetricData): MetricData {
  const spec = SPECS.get(metric.descriptor.name);
  if (spec === undefined) return metric;
  return { ...metric, descriptor: { ...metric.descriptor, name: prometheusName(spec), unit: '' } };
}
