import { dialect } from '../dialects/dialects.ts';
import type { Policy, Route } from '../policy/policy.ts';
import type { Call } from './call.ts';
import type { Fault } from './denial.ts';

/** What Envoy's normalisation leaves: visible ASCII without escapes, backslashes, path parameters, or empty and dot segments. */
const CANONICAL = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~!$&'()*+,=:@-]*)+$/;

/** Finds the route. A path that matches is canonical because the policy's own is; any other is told apart only for its error. */
export function routeOf({ method, path: target, headers, routeName }: Call, policy: Policy): Route | Fault {
  if (method === 'CONNECT' || headers.get('upgrade').length > 0 || headers.get(':protocol').length > 0) {
    return { reason: 'upgrade_refused', message: 'upgrades and CONNECT are not served here' };
  }
  const { path } = splitTarget(target);
  const found = policy.route(method, path);
  if (found === undefined && (path.includes('//') || !CANONICAL.test(path))) {
    return { reason: 'path_not_canonical', message: 'the path is not in its canonical form' };
  }
  // Envoy's name of a route narrows, it never lets a path in that the policy does not list for that route.
  if (found === undefined || (routeName !== undefined && routeName !== found.name) || !isServed(found)) {
    return { reason: 'route_unknown', message: 'no route for this method and path' };
  }
  return found;
}

/** `:path` as path and query, without the `?` between them. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const at = target.indexOf('?');
  return at === -1 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

/** Names by which APIs take a key from the query, in lower case. */
const QUERY_KEYS: ReadonlySet<string> = new Set([
  'key',
  '$key',
  'api_key',
  'api-key',
  'apikey',
  'access_token',
  '$access_token',
  'oauth_token',
  'subscription-key',
]);

/**
 * Whether the query names a credential, escaped or not. It would be none that was proven here, it would stand in every log
 * on the way, and a provider that heeds it would bill whom it belongs to.
 */
export function hasQueryCredential(target: string): boolean {
  const { query } = splitTarget(target);
  if (query === '') return false;
  for (const name of new URLSearchParams(query).keys()) if (QUERY_KEYS.has(name.toLowerCase())) return true;
  return false;
}

function isServed({ dialect: name, metered }: Route): boolean {
  return name === undefined ? !metered : dialect(name) !== undefined;
}
