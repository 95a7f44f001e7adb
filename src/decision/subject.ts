import type { BodyFacts } from '../dialects/dialect.ts';
import { parseApiKey } from '../identity/api-key.ts';
import type { Principal } from '../identity/principal.ts';
import type { DecisionFacts, TracedCandidate } from '../ledger/hold.ts';
import type { AccountPolicy, Policy, Route } from '../policy/policy.ts';

/** What a decision is about once the caller is known: everything that plan and conclude need beside amounts. */
export interface Subject {
  readonly decisionId: string;
  /** When it was minted; prices and windows are those of this instant. Epoch ms. */
  readonly decidedAtMs: number;
  readonly policy: Policy;
  readonly principal: Principal;
  readonly account: AccountPolicy;
  readonly route: Route;
  readonly classes: readonly string[];
  readonly run: string | undefined;
  /** Undefined on unmetered routes. */
  readonly facts: BodyFacts | undefined;
  /** The model that the path of an unmetered route names, as the caller wrote it. */
  readonly named?: string | undefined;
  /** Reservations expire `route.lastsMaxMs` and this after they are minted, ms. */
  readonly expiryGraceMs: number;
}

/** Stands where a caller put its key into the place of a model: rows and answers show what was asked for. */
const KEY_AS_MODEL = '[redacted]';

/** The model as the caller names it. Undefined: neither body nor path does. */
export function saidOf({ facts, named }: Pick<Subject, 'facts' | 'named'>): string | undefined {
  const said = facts === undefined ? named : facts.model;
  return said !== undefined && parseApiKey(said) !== undefined ? KEY_AS_MODEL : said;
}

/** The facts of a ledger row about this subject, copied so that the row needs no bundle to be read. */
export function factsOf(
  subject: Subject,
  { trace, observed }: { trace: readonly TracedCandidate[]; observed: readonly string[] },
): DecisionFacts {
  const { principal, account, route, policy, facts } = subject;
  return {
    decisionId: subject.decisionId,
    decidedAtMs: subject.decidedAtMs,
    account: account.path,
    customer: account.customer,
    credential: principal.credential,
    actor: principal.actor,
    kind: principal.kind,
    proof: principal.proof,
    confidence: principal.confidence,
    classes: subject.classes,
    run: subject.run,
    route: route.name,
    dialect: route.dialect,
    requestedModel: saidOf(subject),
    stream: facts?.stream ?? false,
    plan: account.plan?.name,
    tags: account.tags,
    policyVersion: policy.version,
    priceVersion: policy.priceVersion,
    mode: 'normal',
    trace,
    observed,
  };
}
