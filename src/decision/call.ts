import type { HeaderView } from '../identity/principal.ts';

/** One request as Envoy shows it, already decoded; `decision` knows nothing of gRPC. */
export interface Call {
  readonly method: string;
  /** `:path` with its query, as Envoy canonicalised it. */
  readonly path: string;
  readonly headers: HeaderView;
  /** Raw body; empty if there is none. Valid only until the decision returns. */
  readonly body: Uint8Array;
  /** `x-envoy-auth-partial-body: true`: Envoy cut the body. */
  readonly partialBody: boolean;
  /** Names the route, if Envoy's route metadata or context extension does. */
  readonly routeName: string | undefined;
  /** Envoy's own `x-request-id`; undefined: it sent none, or several. Names the call in the access log where our answer did not arrive. */
  readonly requestId: string | undefined;
  /** Deadline that Envoy gave the call, on the monotonic clock, ms. */
  readonly deadlineMs: number;
}
