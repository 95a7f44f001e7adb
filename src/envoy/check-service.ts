/** envoy.service.auth.v3.Authorization/Check over bytes: decode, decide, answer in time. */
import type { Clock } from '../core/clock.ts';
import type { Reason } from '../core/reasons.ts';
import type { Awaitable } from '../core/units.ts';
import type { Call } from '../decision/call.ts';
import type { Decision, Deny } from '../decision/decision.ts';
import type { Hold } from '../ledger/hold.ts';
import type { UnaryCall, UnaryMethod } from './rpc.ts';
import { readCheckRequest } from './wire/check-request.ts';
import { encodeCheckResponse } from './wire/check-response.ts';
import type { Fields } from './wire/metadata.ts';

export const AUTHORIZATION = 'envoy.service.auth.v3.Authorization';

/**
 * Why a Check did not end as decided. `undecodable`: no CheckRequest, answered with a gRPC error. `malformed`: not about an
 * HTTP request. `failed`: the decider or the encoder threw. `late`: not decided in time. `cancelled`: Envoy stopped waiting.
 */
export type CheckFault = 'undecodable' | 'malformed' | 'failed' | 'late' | 'cancelled';

export interface CheckPorts {
  decide(call: Call, rpc: UnaryCall): Awaitable<Decision>;
  /** Settles with zeros what an allow reserved whose answer Envoy did not get. */
  withdraw(hold: Hold): void;
  /** What of a hold travels with the request, as pairs of strings. */
  holdToFields(hold: Hold): Fields;
  readonly clock: Clock;
  /** In [0, 1). */
  random(): number;
  /** A decision id for a refusal that never reached the decider. */
  mintId(): string;
  /** Version of the policy in force; empty: none. */
  policyVersion(): string;
  /** Nothing is decided any more: what is decided now could not be booked. Default: never. */
  isStopped?(): boolean;
  /** Counts and logs; `cause` may hold what must not be shown to a client. */
  onFault?(fault: CheckFault, cause?: unknown): void;
}

/** Kept back from Envoy's deadline, so that an answer still arrives: a late one is worse than a refusal. */
const SPARE_MS_MAX = 20;
const SPARE_SHARE = 0.2;

/**
 * The method to register. Every Check that can be decoded is answered with gRPC status OK, and whatever fails is answered
 * with `error_response`: no path but an allow of `decide` allows.
 */
export function serveCheck(ports: CheckPorts): UnaryMethod {
  const service = new CheckService(ports);
  return {
    kind: 'unary',
    path: `/${AUTHORIZATION}/Check`,
    handle: (request, call) => service.handle(request, call),
  };
}

class CheckService {
  readonly #ports: CheckPorts;

  constructor(ports: CheckPorts) {
    this.#ports = ports;
  }

  handle(request: Uint8Array, call: UnaryCall): Awaitable<Uint8Array> {
    if (call.cancelled) return this.#cancelled();
    if (this.#ports.isStopped?.() === true) return this.#refuse('shutting_down', 'the gateway is restarting');
    const asked = this.#read(request, call);
    if ('malformed' in asked) {
      this.#fault('malformed', asked.malformed);
      return this.#refuse('check_malformed', 'the gateway is not set up to ask for this call');
    }
    try {
      const decided = this.#ports.decide(asked, call);
      return decided instanceof Promise ? this.#await(decided, call) : this.#answer(decided, call);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #read(request: Uint8Array, call: UnaryCall): ReturnType<typeof readCheckRequest> {
    try {
      return readCheckRequest(request, call.deadlineMs);
    } catch (error) {
      this.#fault('undecodable', error);
      throw error;
    }
  }

  /** Answers with the decision, or without it when the deadline is near; a decision that comes after that is withdrawn. */
  #await(decided: Promise<Decision>, call: UnaryCall): Promise<Uint8Array> {
    return new Promise((resolve) => {
      let open = true;
      const close = (answer: () => Uint8Array): void => {
        if (!open) return;
        open = false;
        clearTimeout(timer);
        resolve(answer());
      };
      const timer = setTimeout(() => close(() => this.#late()), this.#patienceMs(call));
      call.onCancelled(() => close(() => this.#cancelled()));
      decided.then(
        (decision) => {
          if (open) close(() => this.#answer(decision, call));
          else this.#withdraw(decision);
        },
        (error) => close(() => this.#failed(error)),
      );
    });
  }

  #patienceMs(call: UnaryCall): number {
    const leftMs = call.deadlineMs - this.#ports.clock.monotonicMs();
    return Math.max(0, leftMs - Math.min(SPARE_MS_MAX, leftMs * SPARE_SHARE));
  }

  #answer(decision: Decision, call: UnaryCall): Uint8Array {
    if (call.cancelled) {
      this.#withdraw(decision);
      return this.#cancelled();
    }
    if (this.#ports.clock.monotonicMs() > call.deadlineMs) {
      this.#withdraw(decision);
      return this.#late();
    }
    try {
      const answer = this.#encode(decision);
      // Envoy may have given up in the very moment: then nobody is served by what was reserved.
      call.onCancelled(() => this.#unheard(decision));
      return answer;
    } catch (error) {
      this.#withdraw(decision);
      return this.#failed(error);
    }
  }

  #unheard(decision: Decision): void {
    this.#withdraw(decision);
    this.#fault('cancelled');
  }

  #withdraw(decision: Decision): void {
    if (decision.outcome === 'allow') this.#ports.withdraw(decision.hold);
  }

  #failed(error: unknown): Uint8Array {
    this.#fault('failed', error);
    return this.#refuse('internal_error', 'the call cannot be decided now');
  }

  #late(): Uint8Array {
    this.#fault('late');
    return this.#refuse('deadline_exceeded', 'the call could not be decided in time');
  }

  /** Goes nowhere; should it arrive after all, it refuses. */
  #cancelled(): Uint8Array {
    this.#fault('cancelled');
    return this.#refuse('deadline_exceeded', 'the call could not be decided in time');
  }

  #refuse(reason: Reason, message: string): Uint8Array {
    const deny: Deny = {
      outcome: 'deny',
      reason,
      message,
      decisionId: this.#ports.mintId(),
      decidedAtMs: this.#ports.clock.nowMs(),
      policyVersion: this.#ports.policyVersion(),
      principal: undefined,
      customer: undefined,
      route: undefined,
      requestedModel: undefined,
      limit: undefined,
      firedLimit: undefined,
      waitMs: undefined,
    };
    return this.#encode(deny);
  }

  #encode(decision: Decision): Uint8Array {
    return encodeCheckResponse(decision, { holdToFields: this.#ports.holdToFields, jitter: this.#ports.random() });
  }

  #fault(fault: CheckFault, cause?: unknown): void {
    this.#ports.onFault?.(fault, cause);
  }
}
