/** What telemetry is told, in plain values: it knows no other room. */
import type { Quantities } from '../core/units.ts';

/** A decision. Texts that a caller may choose are mapped to the policy's, or to `other`, by whoever tells. */
export interface DecisionSeen {
  readonly outcome: 'allow' | 'deny';
  /** The reason of a refusal; `allowed`, or `downgraded`. */
  readonly reason: string;
  /** Whether the refusal is our fault, or the policy's, and not the caller's. */
  readonly failed: boolean;
  readonly decisionId: string;
  readonly route: string;
  readonly model: string;
  readonly class: string;
  /** Undefined: nobody known. */
  readonly account: string | undefined;
  readonly credential: string | undefined;
  readonly policyVersion: string;
  /** The limit that refused, whosever it is; undefined: none. */
  readonly limit: string | undefined;
}

/** A limit in the question of a decision. */
export interface LimitSeen {
  readonly limit: string;
  readonly owner: string;
  readonly spent: number | undefined;
  readonly ceiling: number;
}

/** A call that ended. Money in whole units of the currency. */
export interface UsageSeen {
  readonly decisionId: string;
  readonly kind: string;
  readonly account: string;
  readonly credential: string;
  readonly class: string;
  readonly run: string | undefined;
  readonly route: string;
  readonly dialect: string | undefined;
  readonly provider: string | undefined;
  /** As decided; undefined where the route is not metered. */
  readonly model: string | undefined;
  readonly requestedModel: string | undefined;
  /** The provider's own word, and the model of the catalogue that it means. */
  readonly answeredModel: string | undefined;
  readonly answeredName: string | undefined;
  readonly stream: boolean;
  readonly status: number | undefined;
  readonly attempts: number;
  readonly durationMs: number | undefined;
  readonly decidedAtMs: number;
  readonly atMs: number;
  readonly flags: readonly string[];
  readonly tokens: Quantities;
  readonly charge: number;
  readonly cost: number;
  readonly currency: string;
  readonly policyVersion: string;
  readonly priceVersion: string;
}

/** What the labels of metrics may say, from the policy in force. */
export interface PolicyNames {
  readonly version: string;
  readonly priceVersion: string;
  readonly routes: ReadonlySet<string>;
  readonly models: ReadonlySet<string>;
  readonly classes: ReadonlySet<string>;
  readonly limits: ReadonlySet<string>;
  /** The nearest declared account at or above `account`; undefined: none. */
  declared(account: string): string | undefined;
  /** Whether it is an API key of the policy. */
  isKey(credential: string): boolean;
}
