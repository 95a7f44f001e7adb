/** What an admitted decision holds until it ends: the row that the ledger appends and metering settles by. */
import type { Unit } from '../core/units.ts';

/** One reserved spend, as much of it as a settlement needs. */
export interface HeldSpend {
  readonly counter: string;
  readonly limit: string;
  readonly kind: 'bucket' | 'window' | 'total' | 'slots';
  readonly unit: Unit;
  readonly reserved: number;
  readonly onExpiry: 'keep' | 'release';
  readonly n?: number;
  readonly p?: number;
  readonly end?: number;
}

/** One spend as explain shows it; amounts in the limit's unit. */
export interface TracedSpend {
  readonly limit: string;
  readonly owner: string;
  readonly unit: Unit;
  readonly asked: number;
  readonly used: number;
  readonly ceiling: number;
  readonly fits: boolean;
  readonly yielded: boolean;
  readonly observe: boolean;
  readonly waitMs: number | 'never' | undefined;
  /** `used` without what calls under way hold; undefined in rows of before it was written. */
  readonly spent: number | undefined;
  /** Present if the ladder's step out of its candidate names the limit: it is taken where `spent` + `asked` passes `spentMax`. */
  readonly step?: { readonly percent: number; readonly spentMax: number };
}

/** One candidate that was asked for, in order; the last one is the one that was charged, or that refused. */
export interface TracedCandidate {
  readonly model: string | undefined;
  readonly spends: readonly TracedSpend[];
  /** Output tokens that were assumed because the body gives no cap; undefined: it gives one, or has no output. */
  readonly outputUncapped?: number;
}

/** Facts common to every row about an identified caller. Copies, so that a row needs no bundle to be read. */
export interface DecisionFacts {
  readonly decisionId: string;
  /** The time of the id's UUID, epoch ms: a decision is minted when it is made. */
  readonly decidedAtMs: number;
  readonly account: string;
  readonly customer: string;
  readonly credential: string;
  readonly actor: string | undefined;
  readonly kind: string;
  readonly proof: string;
  readonly confidence: 'exact' | 'low';
  /** Bound class first, then a claimed one. */
  readonly classes: readonly string[];
  readonly run: string | undefined;
  readonly route: string;
  readonly dialect: string | undefined;
  readonly requestedModel: string | undefined;
  readonly stream: boolean;
  readonly plan: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly policyVersion: string;
  readonly priceVersion: string;
  readonly mode: 'normal' | 'degraded' | 'stale' | 'closed';
  readonly trace: readonly TracedCandidate[];
  /** What an `observe` rule, plan or limit would have refused: names. */
  readonly observed: readonly string[];
}

export interface Hold extends DecisionFacts {
  readonly expiresAtMs: number;
  /** The decided model; undefined on unmetered routes. */
  readonly model: string | undefined;
  /** Name of the limit whose ladder step was taken; undefined: served as asked. */
  readonly downgradedBy: string | undefined;
  readonly provider: string | undefined;
  readonly priceList: string | undefined;
  readonly billEstimated: boolean;
  /** Of the decided model; money in smallest units, tokens whole. `outputMax` bounds estimates made from bytes. */
  readonly estimate: {
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly charge: number;
    readonly cost: number;
    readonly outputMax: number;
  };
  readonly spends: readonly HeldSpend[];
}

/** A refused request of an identified caller; identical ones are folded per minute. */
export interface Refusal extends DecisionFacts {
  readonly reason: string;
  /** What the caller was told. */
  readonly message: string;
  readonly limit: string | undefined;
  readonly waitMs: number | 'never' | undefined;
}

/**
 * The hold without its trace: all that a settlement needs, in a third less memory. In full, because this runs for every
 * decision and a spread of so many members is dear.
 */
export function untraced(hold: Hold): Hold {
  return {
    decisionId: hold.decisionId,
    decidedAtMs: hold.decidedAtMs,
    account: hold.account,
    customer: hold.customer,
    credential: hold.credential,
    actor: hold.actor,
    kind: hold.kind,
    proof: hold.proof,
    confidence: hold.confidence,
    classes: hold.classes,
    run: hold.run,
    route: hold.route,
    dialect: hold.dialect,
    requestedModel: hold.requestedModel,
    stream: hold.stream,
    plan: hold.plan,
    tags: hold.tags,
    policyVersion: hold.policyVersion,
    priceVersion: hold.priceVersion,
    mode: hold.mode,
    trace: NO_TRACE,
    observed: hold.observed,
    expiresAtMs: hold.expiresAtMs,
    model: hold.model,
    downgradedBy: hold.downgradedBy,
    provider: hold.provider,
    priceList: hold.priceList,
    billEstimated: hold.billEstimated,
    estimate: hold.estimate,
    spends: hold.spends,
  };
}

const NO_TRACE: readonly TracedCandidate[] = Object.freeze([]);
