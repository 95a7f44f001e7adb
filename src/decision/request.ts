import type { Reason } from '../core/reasons.ts';
import { type BodyFacts, type Dialect, isFault } from '../dialects/dialect.ts';
import { dialect } from '../dialects/dialects.ts';
import type { HeaderView } from '../identity/principal.ts';
import type { Policy, Route } from '../policy/policy.ts';
import type { Call } from './call.ts';

/** A request that cannot be decided further: why, in words for its author. */
export interface Fault {
  readonly reason: Reason;
  readonly message: string;
}

/** What the caller may say about its own call, by `tollgate-*` headers. */
export interface Claims {
  /** Class to add to the bound one. */
  readonly class: string | undefined;
  readonly run: string | undefined;
  /** `tollgate-downgrade: refuse`: no step down is taken. */
  readonly refuseDowngrade: boolean;
}

const JSON_TYPE = /^application\/json[ \t]*(;|$)/i;
const RUN = /^[A-Za-z0-9._:-]{1,128}$/;
/** What Envoy's normalisation leaves: visible ASCII without escapes, backslashes, path parameters, or empty and dot segments. */
const CANONICAL = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~!$&'()*+,=:@-]*)+$/;

/** Finds the route. A path that matches is canonical because the policy's own is; any other is told apart only for its error. */
export function routeOf(call: Call, policy: Policy): Route | Fault {
  if (call.method === 'CONNECT' || present(call.headers, 'upgrade') || present(call.headers, ':protocol')) {
    return { reason: 'upgrade_refused', message: 'upgrades and CONNECT are not served here' };
  }
  const query = call.path.indexOf('?');
  const path = query === -1 ? call.path : call.path.slice(0, query);
  const found = policy.route(call.method, path);
  const route = call.routeName === undefined ? found : policy.routes.get(call.routeName);
  if (found === undefined && (path.includes('//') || !CANONICAL.test(path))) {
    return { reason: 'path_not_canonical', message: 'the path is not in its canonical form' };
  }
  // Envoy's name of a route narrows, it never lets a path in that the policy does not list for that route.
  if (route === undefined || route !== found || !served(route)) {
    return { reason: 'route_unknown', message: `no route for \`${call.method}\` on this path` };
  }
  return route;
}

function served(route: Route): boolean {
  return route.dialect === undefined ? !route.metered : dialect(route.dialect) !== undefined;
}

function present(headers: HeaderView, name: string): boolean {
  return headers.get(name).length > 0;
}

export function claimsOf(headers: HeaderView, policy: Policy): Claims | Fault {
  const claimed = headers.get('tollgate-class');
  const run = headers.get('tollgate-run');
  const downgrade = headers.get('tollgate-downgrade');
  if (claimed.length === 0 && run.length === 0 && downgrade.length === 0) return NO_CLAIMS;
  if (claimed.length > 1 || (claimed.length === 1 && !policy.classes.includes(claimed[0]!))) {
    return { reason: 'header_invalid', message: `\`tollgate-class\` must be one of ${quoted(policy.classes)}` };
  }
  if (run.length > 1 || (run.length === 1 && !RUN.test(run[0]!))) {
    return { reason: 'header_invalid', message: '`tollgate-run` must be 1 to 128 characters of `A-Za-z0-9._:-`' };
  }
  if (downgrade.length > 1 || (downgrade.length === 1 && downgrade[0] !== 'refuse')) {
    return { reason: 'header_invalid', message: '`tollgate-downgrade` must be `refuse`' };
  }
  return { class: claimed[0], run: run[0], refuseDowngrade: downgrade.length === 1 };
}

const NO_CLAIMS: Claims = Object.freeze({ class: undefined, run: undefined, refuseDowngrade: false });

function quoted(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

/** The classes that hold for a call, bound one first. A claim may only add a class further right in the policy's order. */
export function classesOf(bound: string, claimed: string | undefined, policy: Policy): readonly string[] | Fault {
  if (claimed === undefined || claimed === bound) return [bound];
  if (policy.classes.indexOf(claimed) < policy.classes.indexOf(bound)) {
    return {
      reason: 'header_invalid',
      message: `\`tollgate-class: ${claimed}\` is freer than \`${bound}\`, which this credential is bound to`,
    };
  }
  return [bound, claimed];
}

export interface ReadBody {
  readonly dialect: Dialect;
  readonly facts: BodyFacts;
}

/** Reads the body of a metered route by its dialect; undefined on routes without one. */
export function bodyOf(call: Call, route: Route): ReadBody | Fault | undefined {
  const spoken = dialect(route.dialect);
  if (!route.metered || spoken === undefined) return undefined;
  const encoding = call.headers.get('content-encoding');
  if (encoding.some((value) => value !== 'identity')) {
    return { reason: 'content_encoding_unsupported', message: '`content-encoding` must be absent or `identity`' };
  }
  const type = call.headers.get('content-type');
  if (type.length !== 1 || !JSON_TYPE.test(type[0]!)) {
    return { reason: 'content_type_unsupported', message: '`content-type` must be `application/json`' };
  }
  if (call.partialBody) return { reason: 'body_partial', message: 'the body was cut by the proxy' };
  if (call.body.length > route.bodyMaxBytes) {
    return {
      reason: 'body_too_large',
      message: `the body may have ${route.bodyMaxBytes} bytes, it has ${call.body.length}`,
    };
  }
  const facts = spoken.read(call.body);
  if (isFault(facts)) return facts;
  if (facts.stream && !facts.reportsUsage && route.streamUsage === 'require') {
    return { reason: 'stream_usage_required', message: '`stream_options.include_usage` must be `true` on this route' };
  }
  return { dialect: spoken, facts };
}
