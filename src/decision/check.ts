import type { Clock } from '../core/clock.ts';
import { mintDecisionId } from '../core/ids.ts';
import type { Awaitable } from '../core/units.ts';
import { credentialHeaders } from '../identity/credential.ts';
import type { Identifier } from '../identity/identify.ts';
import { type IdentityRefusal, isRefusal, type Principal } from '../identity/principal.ts';
import type { Hold, Refusal } from '../ledger/hold.ts';
import type { LimitStore, ReserveAnswer } from '../limits/store.ts';
import type { Policy, Route } from '../policy/policy.ts';
import type { Step } from '../telemetry/names.ts';
import { bodyOf, namedOf } from './body.ts';
import type { Call } from './call.ts';
import { claimsOf, classesOf } from './claims.ts';
import { concludeAdmitted, concludeRefused, editsOf, servedPath, shownStepLimit } from './conclude.ts';
import type { Decision, Deny } from './decision.ts';
import {
  CLOCK_MOVED,
  COUNTERS_EXHAUSTED,
  credentialDenial,
  DEADLINE_EXCEEDED,
  DECIDED_BEFORE,
  type Denial,
  denyOf,
  type Fault,
  LEDGER_FULL,
  LIMITS_UNAVAILABLE,
  OVERLOADED,
  POLICY_MISSING,
  QUERY_CREDENTIAL,
} from './denial.ts';
import { plan } from './plan.ts';
import type { Question } from './question.ts';
import { hasQueryCredential, routeOf } from './route.ts';
import { factsOf, type Subject, saidOf } from './subject.ts';
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
  admit(hold: Hold, requestId: string | undefined): boolean;
  /** Gives back what a hold reserved, for a call that is not served after all. */
  withdraw(hold: Hold): Awaitable<void>;
  /** Ends and books what is overdue of a customer. */
  expire(customer: string): Awaitable<void>;
  /** Books a refusal of an identified caller; answers the decision id of the row it stands in. */
  refuse(refusal: Refusal): string;
  /**
   * How long a call of these classes should wait, ms, because the process cannot keep up; undefined: it is decided. `order`:
   * all classes of the policy, the most important first. Default: every call is decided.
   */
  shed?(classes: readonly string[], order: readonly string[]): number | undefined;
  /** Told of each caller that was not let in, who has no row in the ledger. */
  turnedAway?(refusal: IdentityRefusal, decisionId: string): void;
  /** Reservations expire the route's `lasts_max` and this after they are minted, ms. */
  readonly expiryGraceMs: number;
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

  /** Allow (reserved, and in the ledger's queue) or deny; the step behind the last mark is `conclude`. Answers a value where nothing has to be waited for. Throws only for a fault of ours. */
  decide(call: Call, steps?: Steps): Awaitable<Decision> {
    const policy = this.#ports.policy();
    if (policy === undefined) return this.#deny(POLICY_MISSING, { policy });
    const route = routeOf(call, policy);
    if ('reason' in route) return this.#deny(route, { policy });
    if (hasQueryCredential(call.path)) return this.#deny(QUERY_CREDENTIAL, { policy, route });
    const found = this.#ports.identifier.identify(call.headers, policy, this.#ports.clock.nowMs());
    if (!(found instanceof Promise)) return this.#met(call, { policy, route, steps }, found);
    return found.then((late) => this.#met(call, { policy, route, steps }, late));
  }

  #met(
    call: Call,
    { policy, route, steps }: Pick<Caller, 'policy' | 'route' | 'steps'>,
    principal: Principal | IdentityRefusal,
  ): Awaitable<Decision> {
    steps?.mark('identify');
    if (isRefusal(principal)) return this.#turnAway(principal, { policy, route });
    const account = policy.account(principal.account);
    if (account === undefined) {
      const detail = `account \`${principal.account}\` of credential \`${principal.credential}\` is not declared`;
      return this.#turnAway({ reason: 'credential_unknown', detail }, { policy, route });
    }
    return this.#identified(call, { policy, route, steps, principal, account });
  }

  #identified(call: Call, who: Caller): Awaitable<Decision> {
    const { policy, route, principal, account } = who;
    const claims = claimsOf(call.headers, policy);
    if ('reason' in claims) return this.#denyUnread(who, claims);
    const classes = classesOf({ bound: principal.class, claimed: claims.class }, policy);
    if ('reason' in classes) return this.#denyUnread(who, classes);
    // Before the body is read: what is turned away should cost little.
    const shedMs = this.#ports.shed?.(classes, policy.classes);
    if (shedMs !== undefined) {
      const unread = this.#subject(who, { classes, run: claims.run, facts: undefined });
      return this.#denyKnown(unread, { ...OVERLOADED, waitMs: shedMs });
    }
    const facts = bodyOf(call, route);
    if (facts !== undefined && 'reason' in facts) return this.#denyUnread(who, facts);
    const named = namedOf(call, route);
    const subject = this.#subject(who, { classes, run: claims.run, facts, named });
    const needsRun = classes.find((name) => policy.runs.requiredFor.has(name));
    if (needsRun !== undefined && claims.run === undefined && route.metered) {
      const message = `class \`${needsRun}\` needs the header \`tollgate-run\``;
      return this.#denyKnown(subject, { reason: 'run_required', message });
    }
    const { refuseDowngrade } = claims;
    const said = saidOf(subject);
    const offered = template({ policy, account, principal, route, classes, said, refuseDowngrade });
    if ('reason' in offered) return this.#denyKnown(subject, offered);
    const planned = plan(subject, offered);
    if ('reason' in planned) return this.#denyKnown(subject, planned);
    who.steps?.mark('read');
    return this.#reserve({ call, steps: who.steps, subject, offered, planned, moved: false, expired: false });
  }

  #subject(who: Caller, asked: Pick<Subject, 'classes' | 'run' | 'facts' | 'named'>): Subject {
    const { clock, ledgerId, expiryGraceMs } = this.#ports;
    const decidedAtMs = clock.nowMs();
    return {
      decisionId: mintDecisionId(ledgerId, decidedAtMs),
      decidedAtMs,
      policy: who.policy,
      principal: who.principal,
      account: who.account,
      route: who.route,
      classes: asked.classes,
      run: asked.run,
      facts: asked.facts,
      named: asked.named,
      expiryGraceMs,
    };
  }

  #reserve(asked: Asked): Awaitable<Decision> {
    let answer: Awaitable<ReserveAnswer>;
    try {
      answer = this.#ports.store.reserve(asked.planned.ask);
    } catch {
      return this.#denyKnown(asked.subject, LIMITS_UNAVAILABLE);
    }
    if (!(answer instanceof Promise)) return this.#answered(asked, answer);
    return answer.then(
      (late) => this.#answered(asked, late),
      () => this.#denyKnown(asked.subject, LIMITS_UNAVAILABLE),
    );
  }

  #answered(asked: Asked, answer: ReserveAnswer): Awaitable<Decision> {
    asked.steps?.mark('reserve');
    const { subject, planned } = asked;
    switch (answer.outcome) {
      case 'admitted':
        return this.#admitted(asked, answer);
      case 'refused':
        if (answer.overdue && !asked.expired) return this.#expireAndAsk({ ...asked, expired: true });
        return this.#denyKnown(subject, concludeRefused(subject, planned, answer));
      case 'moved':
        return asked.moved ? this.#denyKnown(subject, CLOCK_MOVED) : this.#askAt(asked, answer.now);
      case 'exhausted':
        return this.#denyKnown(subject, COUNTERS_EXHAUSTED);
      case 'known':
        return this.#denyKnown(subject, DECIDED_BEFORE);
    }
  }

  /** Slots and estimates of calls that never came back may be what blocks: end them, then ask once more. */
  #expireAndAsk(asked: Asked): Awaitable<Decision> {
    let ended: Awaitable<void>;
    try {
      ended = this.#ports.expire(asked.subject.account.customer);
    } catch {
      return this.#denyKnown(asked.subject, LIMITS_UNAVAILABLE);
    }
    if (!(ended instanceof Promise)) return this.#reserve(asked);
    return ended.then(
      () => this.#reserve(asked),
      () => this.#denyKnown(asked.subject, LIMITS_UNAVAILABLE),
    );
  }

  /** Windows end while a question is asked: once more, as a decision of the store's own instant. */
  #askAt(asked: Asked, nowMs: number): Awaitable<Decision> {
    const decisionId = mintDecisionId(this.#ports.ledgerId, nowMs);
    const subject = { ...asked.subject, decisionId, decidedAtMs: nowMs };
    const planned = plan(subject, asked.offered);
    if ('reason' in planned) return this.#denyKnown(subject, planned);
    return this.#reserve({ ...asked, subject, planned, moved: true });
  }

  #admitted({ call, subject, planned }: Asked, answer: Extract<ReserveAnswer, { outcome: 'admitted' }>): Decision {
    const hold = concludeAdmitted(subject, planned, answer);
    if (this.#ports.clock.monotonicMs() > call.deadlineMs) {
      this.#ports.withdraw(hold);
      return this.#denyKnown(subject, DEADLINE_EXCEEDED);
    }
    if (!this.#ports.admit(hold, call.requestId) && subject.route.ledgerFull === 'refuse') {
      this.#ports.withdraw(hold);
      return this.#denyKnown(subject, LEDGER_FULL);
    }
    return {
      outcome: 'allow',
      hold,
      edits: editsOf(subject, hold),
      path: servedPath(subject, hold, call.path),
      bodyBytes: subject.facts?.bodyBytes ?? 0,
      route: subject.route,
      credentialHeaders: credentialHeaders(call.headers),
      stepLimit: shownStepLimit(subject, planned, answer),
    };
  }

  /** A refusal of somebody known by account: one row of the ledger, folded with its like. */
  #denyKnown(subject: Subject, denial: Denial): Deny {
    const { trace = [], observed = [] } = denial;
    const decisionId = this.#ports.refuse({
      ...factsOf(subject, { trace, observed }),
      reason: denial.reason,
      message: denial.message,
      limit: denial.limit,
      waitMs: denial.waitMs,
    });
    const { customer } = subject.account;
    return denyOf(denial, { ...subject, customer, requestedModel: saidOf(subject), decisionId });
  }

  /** The same of a call whose headers or body cannot be read. */
  #denyUnread(who: Caller, fault: Fault): Deny {
    return this.#denyKnown(
      this.#subject(who, { classes: [who.principal.class], run: undefined, facts: undefined }),
      fault,
    );
  }

  #turnAway(refusal: IdentityRefusal, known: Pick<Caller, 'policy' | 'route'>): Deny {
    const deny = this.#deny(credentialDenial(refusal), known);
    this.#ports.turnedAway?.(refusal, deny.decisionId);
    return deny;
  }

  /** A refusal of nobody known: counted and logged, not in the ledger. */
  #deny(denial: Denial, known: { policy: Policy | undefined; route?: Route }): Deny {
    const decidedAtMs = this.#ports.clock.nowMs();
    return denyOf(denial, { ...known, decidedAtMs, decisionId: mintDecisionId(this.#ports.ledgerId, decidedAtMs) });
  }
}

/** Is told of each step that is over. */
export interface Steps {
  mark(step: Step): void;
}

/** Who calls which route, under which policy. */
type Caller = Pick<Subject, 'policy' | 'route' | 'principal' | 'account'> & { readonly steps: Steps | undefined };

interface Asked {
  readonly call: Call;
  readonly steps: Steps | undefined;
  readonly subject: Subject;
  readonly offered: Template;
  readonly planned: Question;
  /** The one more question at another instant, and the one after overdue reservations were ended, have been asked. */
  readonly moved: boolean;
  readonly expired: boolean;
}
