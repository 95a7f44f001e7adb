/** What the app tells of, in plain values; what others read of it: Prometheus text, OTLP. Nothing here ever throws into a decision. */
import { SpanKind } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { Clock } from '../core/clock.ts';
import { EventWindows } from './event-windows.ts';
import { LimitMetrics } from './limit-metrics.ts';
import type { EventSink } from './log.ts';
import { decisionAttributes, logAttributes, operationOf, recordOf, usageAttributes } from './log-records.ts';
import { Metrics, type Reading } from './metrics.ts';
import { ATTRIBUTE, CHECK_FAULTS, EVENT, type MetricKey, NONE, SPAN } from './names.ts';
import { Otlp, type OtlpOptions } from './otlp.ts';
import { prometheusText } from './prometheus.ts';
import type { Counter, Family, Histogram } from './registry.ts';
import { resourceOf } from './resource.ts';
import type { DecisionSeen, LimitSeen, PolicyNames, UsageSeen } from './seen.ts';
import { type Place, stepEvents, type TracedBy, Tracing, Watch } from './tracing.ts';
import { UsageMetrics } from './usage-metrics.ts';
import { Words } from './vocabulary.ts';

/** One decision in so many has its steps timed: a time costs as much as all the rest of what is counted. */
const TIMED_EVERY = 16;
/** Refusals of one reason and account that are told in a minute, and how many of them are kept apart. */
const DENIALS_PER_MINUTE = 5;
const DENIALS_MAX = 4096;
/** What the end may take, ms. Fault tables, row O1: at most 2 s in all. */
const CLOSE_MS = 1_500;

const NO_TRACEPARENTS: readonly string[] = Object.freeze([]);

export interface InstrumentsOptions {
  readonly clock: Clock;
  readonly version: string;
  /** Tells this process from others, such as the id of its ledger. */
  readonly instance: string;
  readonly accountsMax: number;
  /** Undefined: nothing is sent, and nothing traced. */
  readonly otlp:
    | (Pick<OtlpOptions, 'url' | 'headers' | 'timeoutMs' | 'everyMs' | 'onFailure'> & TraceShare)
    | undefined;
  /** In [0, 1). */
  random(): number;
}

interface TraceShare {
  /** Share of decisions that are traced where the caller does not say so, 0–1. */
  readonly traces: number;
}

export class Instruments {
  readonly #options: InstrumentsOptions;
  readonly #resource: Resource;
  readonly #words: Words;
  readonly #metrics: Metrics;
  readonly #limits: LimitMetrics;
  readonly #usage: UsageMetrics;
  readonly #tracing: Tracing | undefined;
  readonly #otlp: Otlp | undefined;
  readonly #denials: EventWindows;
  readonly #decisions: Family<Counter>;
  readonly #accountDecisions: Family<Counter>;
  readonly #duration: Family<Histogram>;
  readonly #steps: Family<Histogram>;
  readonly #faults: Family<Counter>;
  readonly #reloads: Family<Counter>;
  readonly #turnedAway: Family<Counter>;
  readonly #inForce = { version: NONE, priceVersion: NONE, loadedAtMs: 0, refused: false };
  #calls = 0;
  #closing: Promise<void> | undefined;

  constructor(options: InstrumentsOptions) {
    const { clock, version, accountsMax, otlp } = options;
    this.#options = options;
    this.#resource = resourceOf(options);
    this.#words = new Words({ accountsMax });
    const startMs = clock.nowMs();
    const metrics = new Metrics({ startMs, vocabulary: (...of) => this.#words.label(...of) });
    this.#metrics = metrics;
    // First, so that no other metric takes their room.
    this.#limits = new LimitMetrics(metrics, { words: this.#words, nowMs: () => clock.nowMs() });
    this.#decisions = metrics.counter('decisions');
    this.#duration = metrics.histogram('decisionDuration');
    this.#steps = metrics.histogram('stepDuration');
    this.#faults = metrics.counter('checkFaults');
    this.#reloads = metrics.counter('policyReloads');
    this.#turnedAway = metrics.counter('tlsTurnedAway');
    this.#usage = new UsageMetrics(metrics, { words: this.#words });
    this.#accountDecisions = metrics.counter('accountDecisions');
    this.#denials = new EventWindows(clock, { perMinute: DENIALS_PER_MINUTE, namesMax: DENIALS_MAX });
    if (otlp !== undefined) {
      const own = new Otlp({ ...otlp, resource: this.#resource, version, metrics, clock });
      this.#otlp = own;
      this.#tracing = new Tracing({
        resource: this.#resource,
        version,
        share: otlp.traces,
        random: options.random,
        clock,
        send: (span) => own.span(span),
      });
    }
    for (const fault of CHECK_FAULTS) this.#faults.at(fault);
    for (const outcome of ['loaded', 'refused']) this.#reloads.at(outcome);
    this.#observeOwn(startMs);
  }

  /** A gauge, or a counter that somebody else counts; `read` is called by whoever reads metrics. */
  observe(key: MetricKey, read: () => Reading): void {
    this.#metrics.observe(key, read);
  }

  /** What the labels of metrics may say from now on. `loadedAtMs`: epoch. Takes as long as there are limits. */
  policyLoaded(names: PolicyNames, loadedAtMs: number): void {
    this.#words.names = names;
    this.#limits.renew();
    this.#reloads.at('loaded').add(1);
    const { version, priceVersion } = names;
    Object.assign(this.#inForce, { version, priceVersion, loadedAtMs, refused: false });
  }

  policyRefused(outcome: 'refused' | 'died'): void {
    this.#reloads.at(outcome).add(1);
    this.#inForce.refused ||= outcome === 'refused';
  }

  /** What lies there is in force again. */
  policyMended(): void {
    this.#inForce.refused = false;
  }

  get isPolicyRefused(): boolean {
    return this.#inForce.refused;
  }

  /** Begins to send metrics now and then; spans and records are sent in any case. */
  start(): void {
    this.#otlp?.start();
  }

  /** Whether calls may be traced, so that their `traceparent` is worth reading. */
  get isTracing(): boolean {
    return this.#tracing !== undefined;
  }

  /** Notes to be taken of the decision that begins; undefined: none. `traceparents`: those that `by` sent. */
  begin(traceparents: readonly string[] = NO_TRACEPARENTS, by: TracedBy = 'caller'): Watch | undefined {
    const place = this.#tracing?.begin(traceparents, by);
    if (place === undefined && ++this.#calls % TIMED_EVERY !== 0) return undefined;
    return new Watch(this.#options.clock, place);
  }

  /** A decision was made; `startMs` is the monotonic time at which it began. */
  decided(
    seen: DecisionSeen,
    { startMs, watch }: { readonly startMs: number; readonly watch: Watch | undefined },
  ): void {
    const endMs = this.#options.clock.monotonicMs();
    this.#decisions.at(seen.outcome, seen.reason, seen.route, seen.model, seen.class).add(1);
    this.#duration.at(seen.outcome).record((endMs - startMs) / 1000);
    if (seen.account !== undefined) this.#accountDecisions.at(this.#words.account(seen.account), seen.outcome).add(1);
    if (watch !== undefined) this.#watched(seen, { watch, startMs, endMs });
    if (seen.outcome === 'deny' && this.#otlp !== undefined) this.#denied(seen, watch?.place);
  }

  /**
   * A limit was part of the question. `endMs`: of a money limit, when the window of its counter ends, epoch; infinite: never;
   * undefined: not known.
   */
  asked(limit: LimitSeen, endMs: number | undefined): void {
    this.#limits.asked(limit.limit);
    if (endMs !== undefined) this.#limits.budget(limit, endMs);
  }

  limitAsked(limit: string): void {
    this.#limits.asked(limit);
  }

  limitRefused(limit: string): void {
    this.#limits.refused(limit);
  }

  limitStepped(limit: string): void {
    this.#limits.stepped(limit);
  }

  limitWarned(limit: string): void {
    this.#limits.warned(limit);
  }

  /** A call ended. Of one that is told again only the first time should be told. */
  ended(usage: UsageSeen): void {
    this.#usage.ended(usage);
    if (this.#otlp === undefined) return;
    const attributes = usageAttributes(usage);
    const place = this.#tracing?.resume(usage.decisionId);
    this.#record({ name: EVENT.usage, level: 'info', atMs: usage.atMs, attributes, place });
    if (place === undefined || usage.attempts === 0) return;
    this.#tracing?.end({
      name: `${operationOf(usage.dialect) ?? NONE} ${usage.model ?? NONE}`,
      kind: SpanKind.CLIENT,
      place,
      startMs: usage.atMs - (usage.durationMs ?? usage.atMs - usage.decidedAtMs),
      endMs: usage.atMs,
      failed: usage.kind === 'failed',
      attributes,
    });
  }

  checkFault(fault: string): void {
    this.#faults.at(fault).add(1);
  }

  turnedAway({ listener, fault }: { readonly listener: string; readonly fault: string }): void {
    this.#turnedAway.at(listener, fault).add(1);
  }

  /** Something could not be measured. */
  fault(): void {
    this.#metrics.faults++;
  }

  /** Where the events of the log also go. */
  readonly events: EventSink = (level, code, fields) => {
    // Of its own failures a collector that is down cannot be told.
    if (this.#otlp === undefined || code.startsWith('telemetry_')) return;
    this.#record({
      name: EVENT.log,
      level,
      atMs: this.#options.clock.nowMs(),
      attributes: logAttributes(code, fields),
    });
  };

  /** All metrics as Prometheus reads them. */
  metrics(): Promise<string> {
    return prometheusText(this.#metrics, { resource: this.#resource, nowMs: this.#options.clock.nowMs() });
  }

  /** Time series that are exposed, or kept free. */
  get series(): number {
    return this.#metrics.series;
  }

  /** Sends what is left, at most 1.5 s long, whatever the collector does. Idempotent, never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#otlp?.close(CLOSE_MS) ?? Promise.resolve();
    return this.#closing;
  }

  #record(facts: Parameters<typeof recordOf>[0]): void {
    this.#otlp?.log(recordOf(facts, { resource: this.#resource, version: this.#options.version }));
  }

  #watched(seen: DecisionSeen, { watch, startMs, endMs }: { watch: Watch; startMs: number; endMs: number }): void {
    let beganMs = startMs;
    for (const { step, atMs } of watch.marks) {
      this.#steps.at(step).record((atMs - beganMs) / 1000);
      beganMs = atMs;
    }
    if (watch.marks.at(-1)?.step === 'reserve') this.#steps.at('conclude').record((endMs - beganMs) / 1000);
    if (watch.place === undefined) return;
    const offsetMs = this.#options.clock.nowMs() - endMs;
    if (seen.outcome === 'allow') this.#tracing?.keep(seen.decisionId, watch.place);
    this.#tracing?.end({
      name: SPAN.check,
      kind: SpanKind.SERVER,
      place: watch.place,
      startMs: startMs + offsetMs,
      endMs: endMs + offsetMs,
      failed: seen.failed,
      attributes: decisionAttributes(seen),
      events: stepEvents(watch.marks, (monotonicMs) => monotonicMs + offsetMs),
    });
  }

  #denied(seen: DecisionSeen, place: Place | undefined): void {
    if (seen.account === undefined) return;
    const suppressed = this.#denials.admit(`${seen.reason} ${this.#words.account(seen.account)}`);
    if (suppressed === undefined) return;
    const attributes = {
      ...decisionAttributes(seen),
      ...(suppressed > 0 ? { [ATTRIBUTE.suppressed]: suppressed } : {}),
    };
    this.#record({ name: EVENT.denial, level: 'info', atMs: this.#options.clock.nowMs(), attributes, place });
  }

  #observeOwn(startMs: number): void {
    const metrics = this.#metrics;
    const inForce = this.#inForce;
    metrics.observe('policyInfo', () => [[[inForce.version, inForce.priceVersion], 1]]);
    metrics.observe('policyLoadTime', () => [[[], inForce.loadedAtMs / 1000]]);
    metrics.observe('policyRefused', () => [[[], Number(inForce.refused)]]);
    metrics.observe('startTime', () => [[[], startMs / 1000]]);
    metrics.observe('telemetrySeries', () => [[[], metrics.series]]);
    metrics.observe('telemetryOverflows', () => [[[], metrics.overflows]]);
    metrics.observe('telemetryFaults', () => [[[], metrics.faults]]);
    metrics.observe('telemetryItems', () => this.#otlp?.itemPoints() ?? []);
    metrics.observe('telemetryQueue', () => this.#otlp?.queuePoints() ?? []);
  }
}
