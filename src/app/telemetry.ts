/** Telemetry of a process: hooks for its parts, none of which ever throws or waits, and what is sent of it. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../core/clock.ts';
import { TollgateError } from '../core/errors.ts';
import type { Awaitable } from '../core/units.ts';
import type { Call } from '../decision/call.ts';
import type { Steps } from '../decision/check.ts';
import type { Decision } from '../decision/decision.ts';
import type { UnaryCall } from '../envoy/rpc.ts';
import type { Hold, Refusal, TracedCandidate } from '../ledger/hold.ts';
import type { End } from '../ledger/ledger.ts';
import type { Crossing } from '../limits/store.ts';
import type { Policy } from '../policy/policy.ts';
import type { TelemetrySettings } from '../policy/settings-telemetry.ts';
import { parseHeaders } from '../telemetry/collector.ts';
import { Instruments } from '../telemetry/instruments.ts';
import type { EventSink } from '../telemetry/log.ts';
import { MODES, type Mode, type Signal } from '../telemetry/names.ts';
import type { Watch } from '../telemetry/tracing.ts';
import { LoopDelay, type ReadParts, showParts, showProcess } from './gauges.ts';
import { decisionSeen, driftOf, namesOf, usageSeen, windowEnd } from './telemetry-seen.ts';
import { versionText } from './version.ts';

const TRACEPARENT = 'traceparent';

export interface TelemetryOptions {
  readonly settings: TelemetrySettings;
  readonly clock: Clock;
  /** Told of each export that failed. */
  onFailure(signal: Signal, why: string): void;
}

/** Starts it. Throws `secret_unreadable` where the file of headers cannot be read, or is not one. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { otlp, headersFile, timeoutMs, everyMs, traces, accountsMax } = options.settings;
  const headers = headersFile === undefined || otlp === undefined ? {} : await readHeaders(headersFile);
  const { clock, onFailure } = options;
  return new Telemetry(
    new Instruments({
      clock,
      version: versionText(),
      instance: randomUUID(),
      accountsMax,
      otlp: otlp === undefined ? undefined : { url: otlp, headers, timeoutMs, everyMs, traces, onFailure },
      random: Math.random,
    }),
    options,
  );
}

async function readHeaders(file: string): Promise<Record<string, string>> {
  let headers: Record<string, string> | undefined;
  try {
    headers = parseHeaders(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new TollgateError('secret_unreadable', `headers file \`${file}\` cannot be read`, { cause });
  }
  if (headers === undefined) {
    throw new TollgateError('secret_unreadable', `headers file \`${file}\` must have a \`name: value\` in each line`);
  }
  return headers;
}

export class Telemetry {
  readonly #instruments: Instruments;
  readonly #options: TelemetryOptions;
  readonly #loop = new LoopDelay();
  #policy: Policy | undefined;
  #drift = 0;

  constructor(instruments: Instruments, options: TelemetryOptions) {
    this.#instruments = instruments;
    this.#options = options;
  }

  /** Where events of the log also go. */
  readonly events: EventSink = (level, code, fields) => {
    this.#safely(() => this.#instruments.events(level, code, fields));
  };

  /** Around the decider: its decisions are counted and, where the caller or the settings say so, traced. */
  watched(
    decide: (call: Call, steps: Steps | undefined) => Awaitable<Decision>,
  ): (call: Call, rpc?: Pick<UnaryCall, 'metadata'>) => Awaitable<Decision> {
    const { clock } = this.#options;
    return (call, rpc) => {
      const startMs = clock.monotonicMs();
      const watch = this.#begin(call, rpc);
      const decision = decide(call, watch);
      if (!(decision instanceof Promise)) {
        this.#decided(decision, startMs, watch);
        return decision;
      }
      return decision.then((late) => {
        this.#decided(late, startMs, watch);
        return late;
      });
    };
  }

  /** A refusal on its way to the ledger, which has the limits that were asked. */
  refused(refusal: Refusal): void {
    this.#safely(() => {
      this.#asked(refusal.trace, undefined);
      if (refusal.limit !== undefined) this.#instruments.limitRefused(refusal.limit);
    });
  }

  /** The first end of a call. */
  ended(end: End): void {
    this.#safely(() => {
      const policy = this.#policy;
      this.#drift += driftOf(end) / 10 ** (policy?.prices.decimals ?? 0);
      this.#instruments.ended(usageSeen(end, policy));
    });
  }

  crossed({ limit }: Crossing): void {
    this.#safely(() => this.#instruments.limitWarned(limit));
  }

  checkFault(fault: string): void {
    this.#safely(() => this.#instruments.checkFault(fault));
  }

  /** A door did not let a connection in. */
  turnedAway(connection: { readonly listener: string; readonly fault: string }): void {
    this.#safely(() => this.#instruments.turnedAway(connection));
  }

  /** Another policy is in force; undefined: none is. */
  policyLoaded(policy: Policy | undefined): void {
    this.#policy = policy;
    if (policy === undefined) return;
    this.#safely(() => this.#instruments.policyLoaded(namesOf(policy), this.#options.clock.nowMs()));
  }

  /** What lies in the policy's directory is not taken. */
  policyRefused(): void {
    this.#safely(() => this.#instruments.policyRefused('refused'));
  }

  /** The thread that read it died; it is read again. */
  policyReaderDied(): void {
    this.#safely(() => this.#instruments.policyRefused('died'));
  }

  /** It is what is in force again. */
  policyMended(): void {
    this.#safely(() => this.#instruments.policyMended());
  }

  /** Prometheus text. */
  metrics(): Promise<string> {
    return this.#instruments.metrics();
  }

  /** Sends what is left, at most 1.5 s long. Idempotent, never rejects. */
  close(): Promise<void> {
    this.#loop.stop();
    return this.#instruments.close();
  }

  /** Shows what the parts know of themselves, and begins to send. To be called once. */
  show(parts: ReadParts): void {
    const of = this.#instruments;
    this.#loop.start();
    showParts(of, parts);
    showProcess(of, this.#loop);
    of.observe('mode', () => {
      const mode = this.#mode(parts.ledger.counts().failures > 0);
      return MODES.map((each) => [[each], Number(each === mode)] as const);
    });
    of.observe('ledgerDrift', () => [[[], this.#drift]]);
    of.start();
  }

  /** Envoy's own span, where it traces, stands beside the request; its caller's is in the headers that it forwards. */
  #begin(call: Call, rpc: Pick<UnaryCall, 'metadata'> | undefined): Watch | undefined {
    const of = this.#instruments;
    if (!of.isTracing) return of.begin();
    try {
      const nearest = rpc?.metadata?.(TRACEPARENT) ?? [];
      return nearest.length > 0 ? of.begin(nearest, 'envoy') : of.begin(call.headers.get(TRACEPARENT), 'caller');
    } catch {
      of.fault();
      return undefined;
    }
  }

  #decided(decision: Decision, startMs: number, watch: Watch | undefined): void {
    try {
      this.#instruments.decided(decisionSeen(decision, this.#policy), { startMs, watch });
      if (decision.outcome === 'deny') return;
      const { hold } = decision;
      this.#asked(hold.trace, hold);
      if (hold.downgradedBy !== undefined) this.#instruments.limitStepped(hold.downgradedBy);
    } catch {
      this.#instruments.fault();
    }
  }

  /** A limit is counted once a decision, with its last candidate. */
  #asked(trace: readonly TracedCandidate[], hold: Hold | undefined): void {
    const last = trace.at(-1);
    if (last === undefined) return;
    for (const spend of last.spends) {
      const isMoney = spend.unit === 'charge' || spend.unit === 'cost';
      this.#instruments.asked(spend, isMoney && hold !== undefined ? windowEnd(hold, spend.limit) : undefined);
    }
    if (trace.length === 1) return;
    const counted = new Set(last.spends.map(({ limit }) => limit));
    for (const { limit } of trace.slice(0, -1).flatMap(({ spends }) => spends)) {
      if (counted.has(limit)) continue;
      counted.add(limit);
      this.#instruments.limitAsked(limit);
    }
  }

  #mode(isLedgerFailing: boolean): Mode {
    if (this.#policy === undefined) return 'closed';
    if (isLedgerFailing) return 'degraded';
    return this.#instruments.isPolicyRefused ? 'stale' : 'normal';
  }

  #safely(tell: () => void): void {
    try {
      tell();
    } catch {
      this.#instruments.fault();
    }
  }
}
