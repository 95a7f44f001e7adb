/** Events as OpenTelemetry's log records. */
import { type Attributes, SeverityNumber } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import { inputTokens } from '../core/units.ts';
import { hrTimeOf } from './metrics.ts';
import { ATTRIBUTE, EVENT, type LogLevel, OPERATION, SCHEMA_URL, SERVICE } from './names.ts';
import type { ReadableLogRecord } from './otlp.ts';
import { redact, redactText } from './redact.ts';
import type { DecisionSeen, UsageSeen } from './seen.ts';
import { attributesOf, contextOf, type Place } from './tracing.ts';

export interface RecordFacts {
  readonly name: (typeof EVENT)[keyof typeof EVENT];
  readonly level: Exclude<LogLevel, 'silent'>;
  readonly atMs: number;
  readonly attributes: Attributes;
  readonly place?: Place | undefined;
}

const SEVERITY = {
  trace: SeverityNumber.TRACE,
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
  fatal: SeverityNumber.FATAL,
} as const;

export function recordOf(
  { name, level, atMs, attributes, place }: RecordFacts,
  { resource, version }: { readonly resource: Resource; readonly version: string },
): ReadableLogRecord {
  return {
    hrTime: hrTimeOf(atMs),
    hrTimeObserved: hrTimeOf(atMs),
    ...(place === undefined ? {} : { spanContext: contextOf(place.traceId, place.spanId) }),
    severityText: level.toUpperCase(),
    severityNumber: SEVERITY[level],
    eventName: name,
    resource,
    instrumentationScope: { name: SERVICE, version, schemaUrl: SCHEMA_URL },
    attributes,
    droppedAttributesCount: 0,
  };
}

const A = ATTRIBUTE;

/** What a usage event says, and the span of its call. Of texts from outside only the run and the provider's model are in it. */
export function usageAttributes(usage: UsageSeen): Attributes {
  const { tokens } = usage;
  const measured = usage.kind === 'settled' || usage.kind === 'estimated' || usage.kind === 'unreconciled';
  const isMetered = usage.model !== undefined && measured;
  return attributesOf({
    [A.decision]: usage.decisionId,
    [A.end]: usage.kind,
    [A.account]: usage.account,
    [A.credential]: usage.credential,
    [A.class]: usage.class,
    [A.run]: usage.run === undefined ? undefined : redactText(usage.run),
    [A.route]: usage.route,
    [A.operation]: operationOf(usage.dialect),
    [A.provider]: usage.provider,
    [A.requestModel]: usage.requestedModel === undefined ? undefined : redactText(usage.requestedModel),
    [A.responseModel]: usage.answeredModel === undefined ? usage.model : redactText(usage.answeredModel),
    [A.requestStream]: usage.stream ? true : undefined,
    [A.inputTokens]: isMetered ? inputTokens(tokens) : undefined,
    [A.outputTokens]: isMetered ? tokens.output : undefined,
    [A.cacheReadTokens]: tokens.cache_read > 0 ? tokens.cache_read : undefined,
    [A.cacheWriteTokens]: cacheWrites(tokens) > 0 ? cacheWrites(tokens) : undefined,
    [A.reasoningTokens]: tokens.reasoning > 0 ? tokens.reasoning : undefined,
    [A.status]: usage.status,
    [A.errorType]: errorTypeOf(usage),
    [A.attempts]: usage.attempts,
    [A.durationMs]: usage.durationMs,
    [A.charge]: usage.charge,
    [A.cost]: usage.cost,
    [A.currency]: usage.currency,
    [A.flag]: usage.flags.length > 0 ? usage.flags.join(' ') : undefined,
    [A.policyVersion]: usage.policyVersion,
    [A.priceVersion]: usage.priceVersion,
  });
}

export function operationOf(dialect: string | undefined): string | undefined {
  return dialect === undefined ? undefined : (OPERATION.get(dialect) ?? dialect);
}

/** The status where the provider refused; OpenTelemetry's word for a failure. */
export function errorTypeOf({ kind, status }: Pick<UsageSeen, 'kind' | 'status'>): string | undefined {
  return kind === 'failed' ? String(status ?? 'unknown') : undefined;
}

function cacheWrites(tokens: UsageSeen['tokens']): number {
  return tokens.cache_write_5m + tokens.cache_write_1h;
}

export function decisionAttributes(seen: DecisionSeen): Attributes {
  return attributesOf({
    [A.decision]: seen.decisionId,
    [A.outcome]: seen.outcome,
    [A.reason]: seen.reason,
    [A.account]: seen.account,
    [A.credential]: seen.credential,
    [A.class]: seen.class,
    [A.route]: seen.route,
    [A.requestModel]: seen.model,
    [A.limit]: seen.limit,
    [A.policyVersion]: seen.policyVersion,
  });
}

/** Fields of a line of the log, without secrets; what is no plain value as JSON. */
export function logAttributes(code: string, fields: Readonly<Record<string, unknown>>): Attributes {
  const attributes: Attributes = { [A.code]: code };
  for (const [name, value] of Object.entries(redact(fields) as Record<string, unknown>)) {
    if (value === undefined || value === null) continue;
    attributes[`${EVENT.log}.${name}`] =
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
        ? value
        : redactText(JSON.stringify(value));
  }
  return attributes;
}
