import type { Clock } from '../core/clock.ts';
import { mintDecisionId } from '../core/ids.ts';
import type { Reason } from '../core/reasons.ts';
import type { Awaitable } from '../core/units.ts';
import { credentialHeaders } from '../identity/credential.ts';
import type { Identifier } from '../identity/identify.ts';
import { isRefusal, type Principal } from '../identity/principal.ts';
import type { Hold, Refusal } from '../ledger/hold.ts';
import type { LimitStore, ReserveAnswer } from '../limits/store.ts';
import type { Policy, Route } from '../policy/policy.ts';
import type { Call } from './call.ts';
import { concludeAdmitted, concludeRefused, editsOf } from './conclude.ts';
import type { Decision, Deny, LimitStatus } from './decision.ts';
import { plan } from './plan.ts';
import type { Question } from './question.ts';
import { bodyOf, claimsOf, classesOf, type Fault, routeOf } from './request.ts';
import { factsOf, type Subject } from './subject.ts';
import { type Template, template } from './template.ts';

/** What a decider stands on. */
export interface DeciderPorts {
  /** The policy in force; undefined: none was ever loaded, everything is refused. */
  policy(): Policy | undefined;
  readonly identifier: Identifier;
  readonly store: LimitStore;
  readonly clock: Clock;
  readonly ledgerId: string;
  /** Takes the hold of an allowed call before it is answered; false: the ledger has no room. */
  admit(hold: Hold): boolean;
  /** Gives back what a hold reserved, for a call that is not served after all. */
  withdraw(hold: Hold): Awaitable<void>;
  /** Ends and books what is overdue of a customer. */
  expire(customer: string): Awaitable<void>;
  /** Books a refusal of an identified caller; answers the decision id of the row it stands in. */
  refuse(refusal: Refusal): string;
  /** Reservations expire the route's `lasts_max` and this after they are minted, ms. */
  readonly expiryGraceMs: number;
}

interface Denial {
  readonly reason: Reason;
  readonly message: string;
  readonly limit?: string | undefined;
  readonly status?: LimitStatus | undefined;
  readonly waitMs?: number | 'never' | undefined;
  readonly trace?: Refusal['trace'];
}

/**
 * Decides one call: identify, plan, reserve, conclude. The one place that owns the branches; all it calls are leaves.
 * Every path that does not end in `allow` is a denial, a failure of the store included.
 */
export class Decider {
  readonly #ports: DeciderPorts;

  constructor(ports: DeciderPorts) {
    this.#ports = ports;
  }

  /** Allow (reserved, and in the ledger's queue) or deny. Answers a value where nothing has to be waited for. Never throws. */
  decide(call: Call): Awaitable<Decision> {
    const policy = this.#ports.policy();
    if (policy === undefined) return this.#deny(POLICY_MISSING, { policy });
    const route = routeOf(call, policy);
    if ('reason' in route) return this.#deny(route, { policy });
    const principal = this.#ports.identifier.identify(call.headers, policy, this.#ports.clock.nowMs());
    if (isRefusal(principal)) {
      return this.#deny(
        { reason: principal.reason, message: CREDENTIAL_TEXT[principal.reason] ?? UNKNOWN_CREDENTIAL },
        { policy, route },
      );
    }
    return this.#identified(call, { policy, route, principal });
  }

  #identified(
    call: Call,
    { policy, route, principal }: { policy: Policy; route: Route; principal: Principal },
  ): Awaitable<Decision> {
    const account = policy.account(principal.account);
    if (account === undefined)
      return this.#deny({ reason: 'credential_unknown', message: UNKNOWN_CREDENTIAL }, { policy, route });
    const claims = claimsOf(call.headers, policy);
    if ('reason' in claims) return this.#deny(claims, { policy, route, principal });
    const classes = classesOf(principal.class, claims.class, policy);
    if ('reason' in classes) return this.#deny(classes, { policy, route, principal });
    const body = bodyOf(call, route);
    if (body !== undefined && 'reason' in body) return this.#deny(body, { policy, route, principal });
    const decidedAtMs = this.#ports.clock.nowMs();
    const subject: Subject = {
      decisionId: mintDecisionId(this.#ports.ledgerId, decidedAtMs),
      decidedAtMs,
      policy,
      principal,
      account,
      route,
      classes,
      run: claims.run,
      facts: body?.facts,
      expiryGraceMs: this.#ports.expiryGraceMs,
    };
    if (claims.run === undefined && route.metered && classes.some((name) => policy.runs.requiredFor.has(name))) {
      return this.#denyKnown(subject, {
        reason: 'run_required',
        message: `class \`${classes.at(-1)}\` needs the header \`tollgate-run\``,
      });
    }
    const offered = template({ ...subject, said: body?.facts.model, refuseDowngrade: claims.refuseDowngrade });
    if ('reason' in offered) return this.#denyKnown(subject, offered);
    const planned = plan(subject, offered);
    if ('reason' in planned) return this.#denyKnown(subject, planned);
    return this.#reserve(call, { subject, offered, planned, retried: false });
  }

  #reserve(call: Call, asked: Asked): Awaitable<Decision> {
    try {
      const answer = this.#ports.store.reserve(asked.planned.ask);
      if (!(answer instanceof Promise)) return this.#answered(call, asked, answer);
      return answer.then(
        (late) => this.#answered(call, asked, late),
        () => this.#denyKnown(asked.subject, LIMITS_UNAVAILABLE),
      );
    } catch {
      return this.#denyKnown(asked.subject, LIMITS_UNAVAILABLE);
    }
  }

  #answered(call: Call, asked: Asked, answer: ReserveAnswer): Awaitable<Decision> {
    const { subject, planned } = asked;
    switch (answer.outcome) {
      case 'admitted':
        return this.#admitted(call, asked, concludeAdmitted(subject, planned, answer));
      case 'refused':
        if (answer.overdue && !asked.retried) return this.#expireAndAsk(call, asked);
        return this.#denyKnown(subject, concludeRefused(subject, planned, answer));
      case 'moved':
        return asked.retried ? this.#denyKnown(subject, CLOCK_MOVED) : this.#askAt(call, asked, answer.now);
      case 'exhausted':
        return this.#denyKnown(subject, { reason: 'counters_exhausted', message: 'no room to count this call now' });
      case 'known':
        return this.#denyKnown(subject, { reason: 'internal_error', message: 'this call was decided before' });
    }
  }

  /** Slots and estimates of calls that never came back may be what blocks: end them, then ask once more. */
  #expireAndAsk(call: Call, asked: Asked): Awaitable<Decision> {
    const again = { ...asked, retried: true };
    const ended = this.#ports.expire(asked.subject.account.customer);
    if (!(ended instanceof Promise)) return this.#reserve(call, again);
    return ended.then(
      () => this.#reserve(call, again),
      () => this.#denyKnown(asked.subject, LIMITS_UNAVAILABLE),
    );
  }

  #askAt(call: Call, asked: Asked, nowMs: number): Awaitable<Decision> {
    const subject = { ...asked.subject, decidedAtMs: nowMs };
    const planned = plan(subject, asked.offered);
    if ('reason' in planned) return this.#denyKnown(subject, planned);
    return this.#reserve(call, { ...asked, subject, planned, retried: true });
  }

  #admitted(call: Call, { subject }: Asked, hold: Hold): Decision {
    if (this.#ports.clock.monotonicMs() > call.deadlineMs) {
      this.#ports.withdraw(hold);
      return this.#denyKnown(subject, { reason: 'deadline_exceeded', message: 'the decision took too long' });
    }
    if (!this.#ports.admit(hold) && subject.route.ledgerFull === 'refuse') {
      this.#ports.withdraw(hold);
      return this.#denyKnown(subject, { reason: 'ledger_full', message: 'usage cannot be booked now' });
    }
    return {
      outcome: 'allow',
      hold,
      edits: editsOf(subject, hold),
      bodyBytes: subject.facts?.bodyBytes ?? 0,
      route: subject.route,
      credentialHeaders: credentialHeaders(call.headers),
    };
  }

  /** A refusal of somebody known by account: one row of the ledger, folded with its like. */
  #denyKnown(subject: Subject, denial: Denial): Deny {
    const decisionId = this.#ports.refuse({
      ...factsOf(subject, { trace: denial.trace ?? [], observed: [] }),
      reason: denial.reason,
      message: denial.message,
      limit: denial.limit,
      waitMs: denial.waitMs,
    });
    return denyOf(denial, {
      ...subject,
      customer: subject.account.customer,
      requestedModel: subject.facts?.model,
      decisionId,
    });
  }

  /** A refusal before there is anything to book: counted and logged, not in the ledger. */
  #deny(denial: Denial | Fault, known: { policy: Policy | undefined; route?: Route; principal?: Principal }): Deny {
    const decidedAtMs = this.#ports.clock.nowMs();
    return denyOf(denial, { ...known, decidedAtMs, decisionId: mintDecisionId(this.#ports.ledgerId, decidedAtMs) });
  }
}

interface Asked {
  readonly subject: Subject;
  readonly offered: Template;
  readonly planned: Question;
  /** The one second try, after a moved clock or overdue reservations, has been used. */
  readonly retried: boolean;
}

function denyOf(
  denial: Denial,
  known: {
    decisionId: string;
    decidedAtMs: number;
    policy: Policy | undefined;
    principal?: Principal;
    customer?: string;
    route?: Route;
    requestedModel?: string | undefined;
  },
): Deny {
  return {
    outcome: 'deny',
    reason: denial.reason,
    message: denial.message,
    decisionId: known.decisionId,
    decidedAtMs: known.decidedAtMs,
    policyVersion: known.policy?.version ?? '',
    principal: known.principal,
    customer: known.customer,
    route: known.route,
    requestedModel: known.requestedModel,
    limit: denial.status,
    waitMs: denial.waitMs,
  };
}

const UNKNOWN_CREDENTIAL = 'the credential is not valid';
const CREDENTIAL_TEXT: Readonly<Partial<Record<Reason, string>>> = {
  credential_missing: 'a credential is required: send `authorization: Bearer KEY` or `x-api-key: KEY`',
  credentials_ambiguous: 'exactly one credential is accepted',
};
const POLICY_MISSING: Denial = { reason: 'policy_missing', message: 'no policy is loaded' };
const LIMITS_UNAVAILABLE: Denial = { reason: 'limits_unavailable', message: 'limits cannot be checked now' };
const CLOCK_MOVED: Denial = { reason: 'clock_moved', message: 'the clock moved while limits were checked' };
