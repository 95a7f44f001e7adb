/** Spans of the decisions that are traced. They are made when a decision is over, from a few notes taken on its way. */
import { type Attributes, type HrTime, type SpanContext, type SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.ts';
import { hrTimeOf } from './metrics.ts';
import { ATTRIBUTE, SCHEMA_URL, SERVICE, type Step } from './names.ts';
import type { ReadableSpan } from './otlp.ts';
import { newSpanId, newTraceId, parseTraceparent, type TraceParent } from './trace-context.ts';

/** Traced calls whose end is waited for, so that their usage joins their trace. */
const OPEN_MAX = 4096;
/** Calls that are traced in a second because their callers say so: anybody can say it, and each costs the collector too. */
export const ASKED_PER_SECOND = 100;
const SECOND_MS = 1_000;

/** Whose word a traceparent is. Where Envoy traces, the choice is its own, and has no bound here. */
export type TracedBy = 'envoy' | 'caller';

/** A span's place in its trace. */
export interface Place {
  readonly traceId: string;
  readonly spanId: string;
  /** The caller's span; undefined: the trace begins here. */
  readonly parentId: string | undefined;
}

/** Notes of one decision that is looked at more closely. */
export class Watch {
  /** Undefined: its steps are timed, and no more. */
  readonly place: Place | undefined;
  readonly marks: { readonly step: Step; readonly atMs: number }[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock, place: Place | undefined) {
    this.#clock = clock;
    this.place = place;
  }

  /** A step is over. */
  mark(step: Step): void {
    this.marks.push({ step, atMs: this.#clock.monotonicMs() });
  }
}

export interface SpanFacts {
  readonly name: string;
  readonly kind: SpanKind;
  readonly place: Place;
  /** Epoch ms, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  readonly failed: boolean;
  readonly attributes: Attributes;
  readonly events?: readonly { readonly name: string; readonly atMs: number }[];
}

export interface TracingOptions {
  readonly resource: Resource;
  readonly version: string;
  /** Of decisions whose caller does not say that they are sampled, 0–1. */
  readonly share: number;
  /** In [0, 1). */
  random(): number;
  readonly clock: Clock;
  send(span: ReadableSpan): void;
}

export class Tracing {
  readonly #options: TracingOptions;
  readonly #open = new LRUCache<string, Place>({ max: OPEN_MAX });
  #asked = { sinceMs: Number.NEGATIVE_INFINITY, count: 0 };

  constructor(options: TracingOptions) {
    this.#options = options;
  }

  /**
   * Where the span of a call stands; undefined: it is not traced. Of several traceparents none counts. Beyond
   * `ASKED_PER_SECOND` a caller's wish counts for nothing, and the share decides.
   */
  begin(traceparents: readonly string[], by: TracedBy): Place | undefined {
    const { share, random } = this.#options;
    const parent = traceparents.length === 1 ? parseTraceparent(traceparents[0]!) : undefined;
    const isAsked = parent?.sampled === true && (by === 'envoy' || this.#isWithinBound());
    return isAsked || (share > 0 && random() < share) ? placeBelow(parent) : undefined;
  }

  #isWithinBound(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#asked.sinceMs >= SECOND_MS) this.#asked = { sinceMs: nowMs, count: 0 };
    this.#asked.count += 1;
    return this.#asked.count <= ASKED_PER_SECOND;
  }

  /** Remembers the trace of a call that goes on, until its end is told. */
  keep(decisionId: string, place: Place): void {
    this.#open.set(decisionId, place);
  }

  /** A place below the span of the decision, once; undefined: it was not traced, or too long ago. */
  resume(decisionId: string): Place | undefined {
    const place = this.#open.get(decisionId);
    this.#open.delete(decisionId);
    return place === undefined ? undefined : placeBelow(place);
  }

  end(facts: SpanFacts): void {
    this.#options.send(this.#spanOf(facts));
  }

  #spanOf({ name, kind, place, startMs, endMs, failed, attributes, events = [] }: SpanFacts): ReadableSpan {
    const { resource, version } = this.#options;
    const context = contextOf(place.traceId, place.spanId);
    return {
      name,
      kind,
      spanContext: () => context,
      ...(place.parentId === undefined
        ? {}
        : { parentSpanContext: { ...contextOf(place.traceId, place.parentId), isRemote: true } }),
      startTime: hrTimeOf(startMs),
      endTime: hrTimeOf(endMs),
      duration: hrTimeOf(Math.max(0, endMs - startMs)) as HrTime,
      status: { code: failed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
      attributes,
      links: [],
      events: events.map(({ name: event, atMs }) => ({ name: event, time: hrTimeOf(atMs) })),
      ended: true,
      resource,
      instrumentationScope: { name: SERVICE, version, schemaUrl: SCHEMA_URL },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }
}

export function contextOf(traceId: string, spanId: string): SpanContext {
  return { traceId, spanId, traceFlags: 1 };
}

function placeBelow(parent: Pick<TraceParent, 'traceId' | 'spanId'> | undefined): Place {
  return { traceId: parent?.traceId ?? newTraceId(), spanId: newSpanId(), parentId: parent?.spanId };
}

/** Attributes without those that are not known. */
export function attributesOf(known: Readonly<Record<string, string | number | boolean | undefined>>): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(known)) if (value !== undefined) attributes[name] = value;
  return attributes;
}

/** What a span's events are called. */
export function stepEvents(
  marks: Watch['marks'],
  toEpochMs: (monotonicMs: number) => number,
): { readonly name: string; readonly atMs: number }[] {
  return marks.map(({ step, atMs }) => ({ name: `${ATTRIBUTE.step}.${step}`, atMs: toEpochMs(atMs) }));
}
