import type { Awaitable } from '../core/units.ts';
import type { Call } from '../decision/call.ts';
import { Decider } from '../decision/check.ts';
import type { Decision } from '../decision/decision.ts';
import type { UnaryCall } from '../envoy/rpc.ts';
import { CredentialIdentifier } from '../identity/identify.ts';
import type { Recovered } from '../ledger/ledger.ts';
import { Meter } from '../metering/meter.ts';
import { restoredOf } from '../metering/restore.ts';
import type { Policy } from '../policy/policy.ts';
import type { Base } from './base.ts';
import { type LoadWatch, watchLoad } from './load.ts';
import type { PriceShelf } from './price-shelf.ts';
import { recall } from './recovery.ts';
import { crossingLog } from './watch.ts';

/** What decides calls, and what ends them. */
export interface Deciding {
  readonly meter: Meter;
  readonly load: LoadWatch;
  /** Counted, traced, and shed where there is too much to do. */
  decide(call: Call, rpc?: UnaryCall): Awaitable<Decision>;
}

interface DecidingOptions {
  /** The policy in force; undefined: none is. */
  policy(): Policy | undefined;
  readonly prices: PriceShelf;
  /** What it goes on from. */
  readonly recovered: Recovered;
}

/** Puts counters and open calls back as they were, and decides and settles from there. */
export function startDeciding(base: Base, options: DecidingOptions): Deciding {
  const { clock, events, telemetry } = base;
  const { policy, recovered } = options;
  base.store.restore(restoredOf(recovered));
  const meter = meterOf(base, options);
  meter.resume(recovered);
  const load = watchLoad({ clock, events, classes: () => policy()?.classes ?? [], random: Math.random });
  const decider = deciderOf(base, { policy, meter, load });
  return { meter, load, decide: telemetry.watched((call, steps) => load.during(() => decider.decide(call, steps))) };
}

function meterOf({ store, ledger, clock, log, telemetry, settings }: Base, { policy, prices }: DecidingOptions): Meter {
  const logCrossing = crossingLog(log, { clock, policy, sink: telemetry.events });
  const from = { store, ledger, prices, nowMs: () => clock.nowMs() };
  return new Meter({
    store,
    ledger,
    clock,
    prices: (version) => prices.get(version),
    policy,
    recall: (decisionId) => recall(decisionId, from),
    crossed: (crossing) => {
      logCrossing(crossing);
      telemetry.crossed(crossing);
    },
    ended: (end) => telemetry.ended(end),
    settings: { settleWithinMs: settings.settleWithinMs },
  });
}

function deciderOf(
  { store, ledger, clock, events, telemetry, secrets, tokens, settings }: Base,
  {
    policy,
    meter,
    load,
  }: { readonly policy: DecidingOptions['policy']; readonly meter: Meter; readonly load: LoadWatch },
): Decider {
  return new Decider({
    policy,
    identifier: new CredentialIdentifier(secrets.peppers, tokens),
    store,
    clock,
    ledgerId: ledger.id,
    admit: (hold, requestId) => meter.admit(hold, requestId),
    withdraw: (hold) => meter.withdraw(hold),
    expire: (customer) => meter.expire(customer),
    refuse: (refusal) => {
      telemetry.refused(refusal);
      return ledger.refuse(refusal);
    },
    shed: load.shed,
    turnedAway: ({ reason, detail }, decisionId) =>
      events.write('warn', 'credential_refused', { reason, detail, decision_id: decisionId }, reason),
    expiryGraceMs: settings.expiryGraceMs,
  });
}
