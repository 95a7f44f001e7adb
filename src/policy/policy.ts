/**
 * The compiled policy: what the YAML bundle says, frozen and flat, ready for the hot path. No YAML, no I/O here.
 * Built by compile.ts; all maps are read-only after that. All money in the currency's smallest unit, all times in ms.
 */
import type { Enforce, Meter, Unit } from '../core/units.ts';
import type { KeyDigest } from './digest.ts';
import type { Issuer } from './issuer.ts';
import type { PathTemplate } from './path-template.ts';

export const DIALECTS = [
  'openai-chat',
  'openai-responses',
  'openai-embeddings',
  'openai-completions',
  'anthropic-messages',
  'gemini',
  'bedrock-converse',
  'azure-openai',
] as const;
export type DialectName = (typeof DIALECTS)[number];

/** A length of time that a limit counts over: fixed lengths are aligned to the epoch, calendar ones to the customer's zone. */
export type Period =
  | { readonly kind: 'fixed'; readonly ms: number }
  | { readonly kind: 'calendar'; readonly unit: 'hour' | 'day' | 'week' | 'month' | 'year' };

/** What a limit is. A bucket drains n/p units per ms (n, p reduced by their gcd) and holds `burst`. */
export type Shape =
  | {
      readonly kind: 'bucket';
      readonly n: number;
      readonly p: number;
      readonly burst: number;
      readonly periodMs: number;
    }
  | { readonly kind: 'window'; readonly period: Period }
  | { readonly kind: 'total' }
  | { readonly kind: 'slots' };

export const PARTITIONS = ['customer', 'account', 'credential', 'actor', 'run', 'model'] as const;
export type Partition = (typeof PARTITIONS)[number];

export interface Limit {
  readonly name: string;
  /** Units per period for a bucket (`20` of `20 requests per second`), the cap for every other shape. > 0, < 2^53. */
  readonly max: number;
  readonly unit: Unit;
  readonly shape: Shape;
  /** Absent: one counter, at the account that owns the limit. */
  readonly each: Partition | undefined;
  /** Names of routes, models (canonical, patterns resolved) and classes it holds for; undefined: all. */
  readonly routes: ReadonlySet<string> | undefined;
  readonly models: ReadonlySet<string> | undefined;
  readonly classes: ReadonlySet<string> | undefined;
  /** Share of the capacity that a class may fill, in percent (1–100). Rate and in-flight limits only. */
  readonly ceiling: ReadonlyMap<string, number>;
  /** Percents of the capacity at which spending it warns, ascending. */
  readonly warn: readonly number[];
  /** `assumed`: a request that gives no output cap is estimated at the model's `output_assumed`, else `output_max`. */
  readonly estimate: 'full' | 'assumed';
  readonly storeDown: 'closed' | 'local' | 'open';
  readonly onExpiry: 'keep' | 'release';
  readonly enforce: Enforce;
  /** Declared in traffic.yaml: `enforce` of a route there holds for it too. */
  readonly ofTraffic: boolean;
  /** `file:line:column` of its declaration, for explain. */
  readonly at: string;
}

/** A limit as it binds one account: who owns the counter, and what stands instead of `max` for a while. */
export interface BoundLimit {
  readonly limit: Limit;
  /** Account whose counter it is; for limits of traffic.yaml the customer. */
  readonly owner: string;
  /** Customer's IANA zone and month anchor (1–28), for calendar windows. */
  readonly zone: string;
  readonly monthStarts: number;
  readonly override: { readonly max: number; readonly burst: number | undefined; readonly untilMs: number } | undefined;
}

export interface LadderStep {
  readonly from: string;
  readonly use: string;
  /** The step is taken when any of these limits has spent its percent (or is full). */
  readonly when: readonly { readonly limit: string; readonly percent: number }[];
}

export interface Entitlement {
  readonly routes: ReadonlySet<string>;
  readonly models: ReadonlySet<string>;
  readonly classes: ReadonlySet<string>;
}

export interface Plan {
  readonly name: string;
  /** Name of the price list that its customers pay. */
  readonly prices: string;
  readonly billEstimated: boolean;
  readonly entitlements: readonly Entitlement[];
  /** By the model it leads from. Acyclic. */
  readonly ladder: ReadonlyMap<string, LadderStep>;
  readonly enforce: Enforce;
}

/** Everything the policy says of one account, inherited and resolved. */
export interface AccountPolicy {
  readonly path: string;
  readonly customer: string;
  /** From the account up to its customer. */
  readonly chain: readonly string[];
  readonly declared: boolean;
  /** The nearest plan on the chain; undefined: nothing was bought. */
  readonly plan: Plan | undefined;
  readonly zone: string;
  readonly monthStarts: number;
  readonly owner: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Every limit that binds it: own, of its ancestors, of the plans on the chain, of traffic.yaml. `off` ones are left out. */
  readonly limits: readonly BoundLimit[];
}

export interface Route {
  readonly name: string;
  readonly method: string;
  /** Exact canonical path, without query; `{model}` where the path names the model. */
  readonly path: string;
  /** Where `path` has the model; undefined: it is exact. A metered route has one if its API names models by path. */
  readonly template: PathTemplate | undefined;
  /** Absent only where `metered` is false: errors are then application/problem+json. */
  readonly dialect: DialectName | undefined;
  readonly metered: boolean;
  readonly bodyMaxBytes: number;
  /** Longest a call may last; a reservation expires that long (plus the grace of tollgate.yaml) after it was minted. */
  readonly lastsMaxMs: number;
  readonly streamUsage: 'add' | 'require' | 'estimate';
  /** `refuse`: no body may leave state at the provider, or reach for any that is there. Only of `openai-responses`. */
  readonly storedState: 'refuse' | 'allow';
  readonly ledgerFull: 'refuse' | 'continue';
  readonly forwardCredential: boolean;
  /** Of traffic.yaml's limits on this route; it weakens neither access.yaml nor what finance says. */
  readonly enforce: Enforce;
}

export interface Model {
  readonly name: string;
  readonly provider: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly outputMax: number;
  readonly outputAssumed: number;
  /** Dialects of its provider. */
  readonly dialects: ReadonlySet<string>;
}

export interface ModelCatalog {
  readonly byName: ReadonlyMap<string, Model>;
  /** The model that a caller's word means: its name or one of `callers_say` (exact). */
  asked(name: string): Model | undefined;
  /** The model that a provider's answer means: its name or a `provider_says` pattern. An unknown answer is undefined, never guessed. */
  answered(name: string): Model | undefined;
}

export interface AccessQuestion {
  readonly account: string;
  readonly credential: string;
  readonly actor: string | undefined;
  readonly route: string;
  /** Undefined on routes without a model. Deny rules match its name and what was said, allow rules its name. */
  readonly model: Model | undefined;
  readonly said: string | undefined;
}

/** `denied`: a deny rule matched. `unlisted`: no allow rule did. `rule` is its name, `reason` its text. */
export type AccessAnswer =
  | {
      readonly outcome: 'allowed';
      readonly rule: string;
      /** The deny rule that would have matched, were it not on `enforce: observe`; absent: none. */
      readonly observed?: { readonly rule: string; readonly reason: string | undefined };
    }
  | { readonly outcome: 'denied'; readonly rule: string; readonly reason: string | undefined }
  | { readonly outcome: 'blocked'; readonly what: 'account' | 'credential' | 'actor' | 'model' }
  | { readonly outcome: 'unlisted' };

export interface AccessRules {
  judge(question: AccessQuestion): AccessAnswer;
}

/** Who uses a credential. */
export const KINDS = ['human', 'service', 'agent'] as const;
export type Kind = (typeof KINDS)[number];

export interface ApiKey extends KeyDigest {
  /** Public id: names the key in logs, ledger and limits. */
  readonly id: string;
  readonly account: string;
  readonly kind: Kind;
  readonly class: string;
  readonly environment: string;
  readonly owner: string;
  readonly createdMs: number;
  /** First instant at which it is no longer valid (day after `expires`, UTC). */
  readonly expiresMs: number;
  readonly revoked: boolean;
  /** True: several callers share it; usage is attributed with confidence `low`. */
  readonly shared: boolean;
}

/** Money units per million tokens. A meter without a price is priced as its parent: caches as input, reasoning as output. */
export interface PriceRow {
  /** From 00:00 UTC of its date, until the next row of the same band. */
  readonly fromMs: number;
  /** The row holds for requests with more input tokens than this; 0 is the base band. */
  readonly inputOver: number;
  readonly prices: Readonly<Partial<Record<Meter, number>>>;
}

/** Plain data, JSON-safe, so that the ledger can keep it under its version. Rows ascend by (inputOver, fromMs). */
export interface PriceTables {
  readonly currency: string;
  readonly decimals: number;
  /** list → model → rows */
  readonly charge: Readonly<Record<string, Readonly<Record<string, readonly PriceRow[]>>>>;
  /** provider → model → rows */
  readonly cost: Readonly<Record<string, Readonly<Record<string, readonly PriceRow[]>>>>;
}

export interface Policy {
  /** Hash of the bundle's files (tollgate.yaml excluded), 16 hex digits. Stands in every decision, log line and ledger row. */
  readonly version: string;
  readonly environment: string;
  readonly enforce: Enforce;
  /** Freest first; a header may only add one to the right. */
  readonly classes: readonly string[];
  readonly runs: { readonly requiredFor: ReadonlySet<string>; readonly idleMs: number };
  readonly routes: ReadonlyMap<string, Route>;
  /** The route of a method and canonical path (no query), at most one; undefined: refused. */
  route(method: string, path: string): Route | undefined;
  readonly models: ModelCatalog;
  readonly access: AccessRules;
  readonly keys: ReadonlyMap<string, ApiKey>;
  /** Longest that a key may live (`credentials.age_max`), ms; undefined: as long as it says. */
  readonly keyAgeMaxMs: number | undefined;
  /** By the value of `iss`; several entries of one issuer differ in audience. */
  readonly issuers: ReadonlyMap<string, readonly Issuer[]>;
  readonly prices: PriceTables;
  /** Hash of `prices`, 16 hex digits. */
  readonly priceVersion: string;
  /**
   * The policy of an account: declared, or undeclared below a customer that says `unlisted: allow`. Undefined: no such account.
   * Undeclared accounts are resolved once and kept in a bounded cache.
   */
  account(path: string): AccountPolicy | undefined;
  /** Paths of all declared accounts, in no order. */
  declaredAccounts(): Iterable<string>;
  /** Names of all limits that are not `off`, in the order of traffic, plans and accounts. Looks at every declared account. */
  limitNames(): ReadonlySet<string>;
}
