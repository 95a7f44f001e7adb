import assert from 'node:assert/strict';
import type { Clock } from '../../src/core/clock.ts';
import type { Awaitable } from '../../src/core/units.ts';
import type { Call } from '../../src/decision/call.ts';
import { Decider, type DeciderPorts } from '../../src/decision/check.ts';
import type { Allow, Decision, Deny } from '../../src/decision/decision.ts';
import { type DryAnswer, decideDry } from '../../src/decision/dry.ts';
import { judgeKey } from '../../src/identity/identify.ts';
import type { HeaderView, IdentityRefusal, Principal } from '../../src/identity/principal.ts';
import type { Hold, Refusal } from '../../src/ledger/hold.ts';
import { MemoryLimitStore, type MemoryLimitStoreOptions } from '../../src/limits/memory-store.ts';
import { RANK } from '../../src/limits/store.ts';
import { refOf } from '../../src/metering/settlement.ts';
import type { Policy } from '../../src/policy/policy.ts';
import type { Scope } from '../support/scope.ts';
import { type BundleParts, policyOf } from './bundle.ts';

/** A Tuesday at noon in UTC, one o'clock in Berlin. */
export const NOW_MS = Date.UTC(2026, 10, 24, 12);
export const LEDGER_ID = 'abcdefgh';

/** A call to route `chat`, unless it says otherwise. */
export interface Asked {
  /** Id of the key that calls. Default `acmekey`. */
  readonly key?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** The JSON body. Default: model `large`, one message, `max_tokens` 100. */
  readonly json?: object;
  readonly body?: Uint8Array;
  readonly partialBody?: boolean;
  readonly routeName?: string;
  readonly deadlineMs?: number;
}

export const MESSAGES = [{ role: 'user', content: 'hello' }];

export function headersOf(pairs: readonly (readonly [name: string, value: string])[]): HeaderView {
  return { get: (name) => pairs.filter(([key]) => key === name).map(([, value]) => value) };
}

export function callOf(asked: Asked = {}): Call {
  const { method = 'POST', path = '/v1/chat/completions', headers = [], partialBody = false, routeName } = asked;
  const json = { model: 'large', messages: MESSAGES, max_tokens: 100, ...asked.json };
  return {
    method,
    path,
    headers: headersOf(
      headers.some(([name]) => name === 'content-type') ? headers : [['content-type', 'application/json'], ...headers],
    ),
    body: asked.body ?? Buffer.from(JSON.stringify(json)),
    partialBody,
    routeName,
    requestId: undefined,
    deadlineMs: asked.deadlineMs ?? Number.POSITIVE_INFINITY,
  };
}

/** Whom a key of the bundle stands for. */
export function callerOf(policy: Policy, key = 'acmekey'): Principal | IdentityRefusal {
  const found = policy.keys.get(key);
  assert.ok(found, `the bundle has no key ${key}`);
  return judgeKey(found, policy.environment, NOW_MS);
}

export interface DeskOptions {
  readonly store?: MemoryLimitStoreOptions;
  /** What stands in another place than the desk's own. */
  readonly ports?: (desk: Desk) => Partial<DeciderPorts>;
}

/** A decider over a real policy and a real memory store, at a time that the test tells. */
export class Desk {
  nowMs = NOW_MS;
  monotonicMs = 0;
  readonly clock: Clock = { nowMs: () => this.nowMs, monotonicMs: () => this.monotonicMs };
  readonly policy: Policy;
  readonly store: MemoryLimitStore;
  readonly holds: Hold[] = [];
  readonly refusals: Refusal[] = [];
  #caller: Principal | IdentityRefusal;
  readonly #decider: Decider;

  constructor(policy: Policy, { store, ports }: DeskOptions = {}) {
    this.policy = policy;
    this.store = new MemoryLimitStore(this.clock, { isDurable: true, ...store });
    this.#caller = callerOf(policy);
    this.#decider = new Decider({
      policy: () => policy,
      identifier: { identify: () => this.#caller },
      store: this.store,
      clock: this.clock,
      ledgerId: LEDGER_ID,
      admit: (hold) => this.holds.push(hold) > 0,
      withdraw: (hold) => this.settle(hold, { rank: RANK.expired }),
      expire: (customer) => void this.store.expire(customer, 100),
      refuse: (refusal) => {
        this.refusals.push(refusal);
        return refusal.decisionId;
      },
      expiryGraceMs: 60_000,
      ...ports?.(this),
    });
  }

  decide(asked: Asked = {}): Decision {
    const decision = this.decideLater(asked);
    assert.ok(!(decision instanceof Promise), 'the memory store answers at once');
    return decision;
  }

  decideLater(asked: Asked = {}): Awaitable<Decision> {
    this.#caller = callerOf(this.policy, asked.key);
    return this.#decider.decide(callOf(asked));
  }

  /** What would be decided. */
  dry(asked: Asked = {}): Promise<DryAnswer> {
    const { policy, store, clock } = this;
    return decideDry({ call: callOf(asked), policy, caller: callerOf(policy, asked.key), store, clock });
  }

  allow(asked: Asked = {}): Allow {
    const decision = this.decide(asked);
    assert.ok(decision.outcome === 'allow', JSON.stringify(decision));
    return decision;
  }

  deny(asked: Asked = {}): Deny {
    const decision = this.decide(asked);
    assert.ok(decision.outcome === 'deny', JSON.stringify(decision));
    return decision;
  }

  /** Ends a call: by unit what it really used, 0 for what is not named. */
  settle(
    hold: Hold,
    { rank = RANK.accessLog, ...used }: Readonly<Record<string, number>> & { rank?: number } = {},
  ): void {
    this.store.settle(
      hold.decisionId,
      { mintedAt: hold.decidedAtMs, rank, customer: hold.customer },
      hold.spends.map((spend) => ({ ref: refOf(spend), actual: used[spend.unit] ?? 0 })),
    );
  }
}

/** All of a decision that two alike ones share: no id, and no expiry, which nothing waits for in a dry one. */
export function essence(decision: Decision): object {
  if (decision.outcome === 'deny') return { ...decision, decisionId: '' };
  return { ...decision, hold: { ...decision.hold, decisionId: '', expiresAtMs: 0 } };
}

/** A desk with a bundle of these parts. */
export async function deskOf(scope: Scope, parts: BundleParts = {}, options: DeskOptions = {}): Promise<Desk> {
  return new Desk(await policyOf(scope, parts), options);
}
