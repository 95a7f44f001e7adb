/** What telemetry is told of decisions and ends, in plain values. Pure. */
import { kindOf } from '../core/reasons.ts';
import { NO_QUANTITIES, type Quantities } from '../core/units.ts';
import type { Decision } from '../decision/decision.ts';
import type { Hold } from '../ledger/hold.ts';
import type { End } from '../ledger/ledger.ts';
import type { Policy } from '../policy/policy.ts';
import { NONE, OTHER } from '../telemetry/names.ts';
import type { DecisionSeen, PolicyNames, UsageSeen } from '../telemetry/seen.ts';

export function decisionSeen(decision: Decision, policy: Policy | undefined): DecisionSeen {
  if (decision.outcome === 'allow') {
    const { hold } = decision;
    return {
      outcome: 'allow',
      reason: hold.downgradedBy === undefined ? 'allowed' : 'downgraded',
      failed: false,
      decisionId: hold.decisionId,
      route: hold.route,
      model: hold.model ?? NONE,
      class: hold.classes[0] ?? NONE,
      account: hold.account,
      credential: hold.credential,
      policyVersion: hold.policyVersion,
      limit: hold.downgradedBy,
    };
  }
  const { principal, route, requestedModel, reason } = decision;
  return {
    outcome: 'deny',
    reason,
    failed: kindOf(reason) === 'unavailable',
    decisionId: decision.decisionId,
    route: route?.name ?? NONE,
    // What a caller may say has no end; the models of a policy have.
    model: requestedModel === undefined ? NONE : (policy?.models.asked(requestedModel)?.name ?? OTHER),
    class: principal?.class ?? NONE,
    account: principal?.account,
    credential: principal?.credential,
    policyVersion: decision.policyVersion,
    limit: decision.firedLimit,
  };
}

export function usageSeen(end: End, policy: Policy | undefined): UsageSeen {
  const { hold, answeredModel } = end;
  const scale = 10 ** (policy?.prices.decimals ?? 0);
  const money = { charge: 0n, cost: 0n };
  const tokens: { -readonly [K in keyof Quantities]: number } = { ...NO_QUANTITIES };
  for (const { meter, quantity, charge, cost } of end.lines) {
    tokens[meter] = quantity;
    money.charge += charge;
    money.cost += cost;
  }
  return {
    decisionId: hold.decisionId,
    kind: end.kind,
    account: hold.account,
    credential: hold.credential,
    class: hold.classes[0] ?? NONE,
    run: hold.run,
    route: hold.route,
    dialect: hold.dialect,
    provider: hold.provider,
    model: hold.model,
    requestedModel: hold.requestedModel,
    answeredModel,
    answeredName: answeredModel === undefined ? undefined : (policy?.models.answered(answeredModel)?.name ?? OTHER),
    stream: hold.stream,
    status: end.status,
    attempts: end.attempts,
    durationMs: end.durationMs,
    decidedAtMs: hold.decidedAtMs,
    atMs: end.atMs,
    flags: end.flags,
    tokens,
    charge: Number(money.charge) / scale,
    cost: Number(money.cost) / scale,
    currency: policy?.prices.currency ?? NONE,
    policyVersion: hold.policyVersion,
    priceVersion: hold.priceVersion,
  };
}

/**
 * By how much the money counters of a call differ from what the ledger books for it, in the smallest unit: always 0, or the
 * two have parted. A counter that the store does not name keeps what was reserved.
 */
export function driftOf({ hold, lines, charged }: End): number {
  let most = 0;
  for (const { counter, unit, reserved } of hold.spends) {
    if (unit !== 'charge' && unit !== 'cost') continue;
    const booked = Number(lines.reduce((sum, line) => sum + line[unit], 0n));
    const counted = charged.find((each) => each.counter === counter)?.amount ?? reserved;
    most = Math.max(most, Math.abs(counted - booked));
  }
  return most;
}

/** When the window of a money limit's counter ends, epoch ms; infinite: it does not. */
export function windowEnd(hold: Hold, limit: string): number {
  return hold.spends.find((spend) => spend.limit === limit)?.end ?? Number.POSITIVE_INFINITY;
}

export function namesOf(policy: Policy): PolicyNames {
  return {
    version: policy.version,
    priceVersion: policy.priceVersion,
    routes: new Set(policy.routes.keys()),
    models: new Set(policy.models.byName.keys()),
    classes: new Set(policy.classes),
    limits: policy.limitNames(),
    declared: (path) => policy.account(path)?.chain.find((each) => policy.account(each)?.declared === true),
    isKey: (credential) => policy.keys.has(credential),
  };
}
