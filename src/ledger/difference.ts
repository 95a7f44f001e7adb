/** How a bundle that is only observed would have decided, beside how the one in force did: folded, with a count. */

/** An answer, as far as two of them are compared. */
export interface Verdict {
  readonly outcome: 'allow' | 'deny';
  /** Of a refusal; empty: allowed. */
  readonly reason: string;
  /** The limit that refused, or whose ladder step was taken; empty: none. */
  readonly limit: string;
  /** The model that serves; empty: refused, or a route without models. */
  readonly model: string;
}

/** Calls of one interval that were decided alike by both, `count` of them. Where both answers are equal, it is what was compared. */
export interface Difference {
  /** Begin of the interval, epoch ms. One process begins no two intervals at the same instant. */
  readonly sinceMs: number;
  /** Versions of the bundle in force and of the observed one. */
  readonly policyVersion: string;
  readonly observedVersion: string;
  /** `(unknown)`: the caller was not let in; `(other)`: more accounts than are told apart. */
  readonly account: string;
  readonly route: string;
  /** The model that was asked for; empty: none. */
  readonly requestedModel: string;
  readonly was: Verdict;
  readonly would: Verdict;
  readonly count: number;
  /** A decision id of one of them, for `explain`. */
  readonly example: string;
}
