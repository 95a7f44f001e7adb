/** What Tollgate knows of one provider API on the wire. One file per dialect, one table (dialects.ts) of them all. */
import type { Reason } from '../core/reasons.ts';
import type { Quantities } from '../core/units.ts';

/** A place in the raw body, in bytes. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** What a body says, read once by the strict scanner. */
export interface BodyFacts {
  /** As the caller wrote it, after unescaping; charset [A-Za-z0-9._:/@-]{1,128}. */
  readonly model: string;
  /** The JSON string of the model with its quotes; undefined: the path names it, and the body does not. */
  readonly modelSpan: Span | undefined;
  readonly stream: boolean;
  /** The output cap in tokens that the body gives, ≥ 0; undefined: none. Where two caps are given: the larger. */
  readonly outputCap: number | undefined;
  /** max(n, best_of, 1). */
  readonly choices: number;
  /** The body asks the provider to write caches. */
  readonly caching: boolean;
  /** Estimated input tokens, from text bytes without base64 media. ≥ 1. */
  readonly inputTokens: number;
  /** Whether a stream of this body will report usage without an edit. */
  readonly reportsUsage: boolean;
  /** What must be put where so that it does; undefined: nothing. */
  readonly usageEdit: Edit | undefined;
  /** Why a route that keeps no state at the provider refuses the body; undefined: it leaves none there, and reaches for none. */
  readonly storedState?: BodyFault | undefined;
  readonly bodyBytes: number;
}

/** What the path of a call says, where the API names the model there. */
export interface Target {
  /** `%3A` resolved; charset [A-Za-z0-9._:@-]{1,128}. */
  readonly model: string;
  /** Without query. */
  readonly path: string;
  /** Without `?`; empty: none. */
  readonly query: string;
}

/** Replace `length` bytes at `offset` by `text` (ASCII, without `;`). */
export interface Edit extends Span {
  readonly text: string;
}

/** A body that is refused, with words for its author: lower case, expected and found. */
export interface BodyFault {
  readonly reason: Reason;
  readonly message: string;
}

/** What happened, as Envoy's response filters wrote it into the namespace `tollgate.usage`: strings and numbers by key. */
export type UsageFields = ReadonlyMap<string, string | number>;

/** Usage as the provider reported it. `model` is the answered one; undefined where the answer did not say. */
export interface ReportedUsage {
  readonly model: string | undefined;
  /** Undefined: no usage was reported, or its values are impossible (then `faulty`). */
  readonly quantities: Quantities | undefined;
  readonly faulty: boolean;
}

/** A refusal as its caller will read it. Everything in it may be shown. */
export interface Problem {
  readonly reason: Reason;
  /** One sentence for a person: lower case, values in backticks, no internals. */
  readonly message: string;
  readonly decisionId: string;
  /** Name of the limit that fired, if it is of the caller's own account. */
  readonly limit?: string;
  readonly limitUnit?: string;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface Dialect {
  readonly name: string;
  /** Facts of a raw body, or why it is refused. `target`: only and always of an API with models in paths. Linear, never throws. */
  read(body: Uint8Array, target?: Target): BodyFacts | BodyFault;
  /** Usage of a JSON answer or of a stream; the fields decide which. */
  usage(fields: UsageFields): ReportedUsage;
  /** Tokens that `bytes` of response body may be, for answers without usage. Rounds up. */
  outputTokens(bytes: number, options: { readonly stream: boolean }): number;
  /** The refusal in this API's own error shape. */
  error(problem: Problem): ErrorAnswer;
}

/** Whether what was read is a refusal; facts and values never have a reason. */
export function isFault(read: unknown): read is BodyFault {
  return typeof read === 'object' && read !== null && 'reason' in read;
}
